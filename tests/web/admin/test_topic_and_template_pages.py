"""The catalogue of topics and the templates over HTTP, with the sandbox as WeChat."""

from domain.ids import AccountId
from push.triggers.topics import TITLES, TOPICS_OF
from runtime.triggers import all_triggers
from sandbox.template_messages import Template
from tests.support.console import Console

CITY = AccountId("city")
TOPICS, TEMPLATES = "/admin/a/city/topics", "/admin/a/city/templates"
OUTAGE = "city-outage_notice"


async def test_numbers_are_asked_for_and_shown_when_they_are_there(console: Console):
    editor = await console.as_(("editor",))
    before = await editor.get(TOPICS)
    asked = await editor.post(TOPICS)
    await console.ctx.topic_numbers.tick()

    after = await editor.get(TOPICS)

    assert "人数正在后台统计" in before.text
    assert asked.status == 303
    assert "人数统计于 2026-11-24 10:00" in after.text
    assert "traffic.violation" in after.text
    assert "每人每天最多 5 条" in after.text


async def test_every_trigger_stands_in_the_catalogue(console: Console):
    names = {trigger.name for trigger in all_triggers(console.ctx)}
    topics = {topic for some in TOPICS_OF.values() for topic in some}

    assert names == set(TOPICS_OF) == set(TITLES)
    assert topics <= set(console.ctx.catalogue.topics)


async def test_a_platform_that_is_away_is_told_and_nothing_is_lost(console: Console):
    manager = await console.as_(("account_manager",))

    await manager.post(TEMPLATES)

    page = await manager.get(TEMPLATES)
    assert "模板消息的模板列表没有读到" in page.text
    assert "还没有与微信核对过" in page.text
    assert (await manager.get(f"{TEMPLATES}/template/{OUTAGE}")).status == 404


async def test_an_editor_may_look_and_not_compare(console: Console):
    editor = await console.as_(("editor",))

    assert (await editor.get(TEMPLATES)).status == 200
    assert (await editor.post(TEMPLATES)).status == 403


async def test_a_change_on_wechat_endangers_what_is_planned(town, town_console: Console):
    manager = await town_console.as_(("account_manager",))
    await manager.post(TEMPLATES)
    headers = await town.key("city", "broadcasts:write")
    order = {
        "account": "city", "title": "停水<b>通知</b>", "topic": "outage.water", "at": None,
        "audience": {"all": True}, "template": "outage_notice",
        "data": {"area": "福田区", "start": "2026-12-01 09:00", "end": "2026-12-01 18:00",
                 "reason": "检修"},
    }  # fmt: skip
    async with town.http.post(f"{town.base}/api/v1/broadcasts", json=order, headers=headers) as got:
        assert got.status == 201, await got.text()
        planned = (await got.json())["id"]
    content = "影响区域:{{thing1.DATA}}\n联系电话:{{phone_number9.DATA}}"
    town.world.accounts["city"].templates[OUTAGE] = Template.of(OUTAGE, "新<i>标题", content)
    town.world.accounts["city"].templates.pop("city-case_notice")

    await manager.post(TEMPLATES)

    preview = {**order, "idempotency_key": None}
    address = f"{town.base}/api/v1/broadcasts/preview"
    async with town.http.post(address, json=preview, headers=headers) as looked:
        cautions = [each["code"] for each in (await looked.json())["warnings"]]
    own = await manager.get(f"/admin/a/city/broadcasts/{planned}")
    page = await manager.get(TEMPLATES)
    one = await manager.get(f"{TEMPLATES}/template/{OUTAGE}")
    assert "template_misfit" in cautions
    assert "微信上的模板有变化，发送可能失败" in own.text
    assert "可能发送失败的群发" in page.text
    assert "停水&lt;b&gt;通知&lt;/b&gt;" in page.text
    assert "在内容写好之后有变化" in page.text
    assert "微信上已不存在" in page.text
    assert "多了 phone_number9（联系电话）" in one.text
    assert "新&lt;i&gt;标题" in one.text
    assert "第 2 版" in one.text
