"""新建群发: written, looked at, kept, tried, submitted and edited, with or without script."""

import re
from datetime import timedelta
from html import unescape
from typing import cast

import pytest

from config.settings import AccountSettings
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.people import Subscriber, Subscription
from domain.template_form import TemplateForm
from storage.mongo.keys import Marks
from storage.mongo.papers import subscriber_fields
from tests.support.console import Answer, Client, Console
from tests.support.html_forms import forms_of
from tests.support.push import DATA, order
from web.admin.compose_form import fields_for

NEW = "/admin/a/city/broadcasts/new"
CITY = AccountId("city")
MESSAGE = {
    "template": "outage_notice",
    "topic": "outage.water",
    "title": "12月1日园岭街道停水",
    "data.area": "福田区园岭街道",
    "data.start": "2026年12月1日 09:00",
    "data.end": "2026年12月1日 18:00",
    "data.reason": "管网检修",
    "who": "topic",
    "when": "now",
}


@pytest.fixture
async def editor(console: Console) -> Client:
    return await console.as_(roles=("editor",), account="city", name="张编辑")


async def people(console: Console, number: int, region: str = "440305") -> list[OpenId]:
    openids = [OpenId(f"oReader{index:021d}") for index in range(number)]
    documents = []
    for openid in openids:
        subscriber = Subscriber(
            account=CITY,
            openid=openid,
            following=True,
            region=RegionCode(region),
            subscriptions=(Subscription(topic=TopicId("outage.water")),),
        )
        documents.append(
            {
                "_id": f"city:{openid}",
                "account": "city",
                "openid": openid,
                "following": True,
                "reachable": True,
                **subscriber_fields(subscriber, Marks()),
            }
        )
    await console.ctx.stores.database["subscribers"].insert_many(documents)
    return openids


def form_of(page: Answer, **changes: str | list[str]) -> dict[str, str | list[str]]:
    """Return a new page's own hidden fields with a message, as a browser would send them."""
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    found: dict[str, str | list[str]] = {name: unescape(value) for name, value in hidden}
    found.pop("_csrf", None)
    return found | MESSAGE | changes


async def compose(editor: Client, action: str, **changes: str | list[str]) -> Answer:
    page = await editor.get(NEW)
    return await editor.post(NEW, form_of(page, action=action, **changes))


async def kept(console: Console) -> list:
    return list((await console.ctx.lists.broadcasts(CITY)).items)


# --- what must not happen -----------------------------------------------------------------------


async def test_whoever_may_not_write_is_refused(console: Console):
    reviewer = await console.as_(roles=("reviewer",), account="city")

    assert (await reviewer.get(NEW)).status == 403
    assert (await reviewer.post(NEW, MESSAGE | {"action": "submit"})).status == 403
    assert (await reviewer.post(f"{NEW}/outlook", MESSAGE, htmx=True)).status == 403
    assert await kept(console) == []


async def test_another_accounts_broadcast_and_what_is_approved_cannot_be_edited(
    console: Console, editor: Client
):
    await compose(editor, "submit")
    (first,) = await kept(console)
    other = await console.as_(roles=("editor",), account="plain")

    assert (await other.get(f"/admin/a/plain/broadcasts/{first.id}/edit")).status == 404
    assert (await other.get(f"/admin/a/city/broadcasts/{first.id}/edit")).status == 404
    await console.ctx.broadcasts.approve(first.id, by="operator:9:审核", revision=1)
    late = await editor.get(f"/admin/a/city/broadcasts/{first.id}/edit")
    assert late.status == 409
    assert "不能再修改" in late.text


async def test_a_wrong_field_is_said_beside_it_and_nothing_is_kept(
    console: Console, editor: Client
):
    answer = await compose(
        editor, "submit", **{"data.area": "一" * 21, "data.start": "明天", "title": "", "topic": ""}
    )

    assert answer.status == 422
    assert "最多 20 个字符，现有 21 个" in answer.text
    assert "应为 24 小时制时间" in answer.text
    assert "请填写任务标题" in answer.text
    assert "请选择主题" in answer.text
    assert "影响区域：最多 20 个字符，现有 21 个" in answer.text
    assert "data.area（" not in answer.text
    past = await compose(editor, "submit", when="once", at="2020-01-01T09:00")
    assert (past.status, "已经过去" in past.text) == (422, True)
    stranger = await compose(editor, "trial", tester="99")
    assert (stranger.status, "请选择测试人员" in stranger.text) == (422, True)
    assert await kept(console) == []


HOSTILE = [
    "<script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    '{"$ne": null}',
    "' OR 1=1 --",
    "=cmd|'/c calc'!A1",
    "\u202egnp.exe",
    "😀" * 5,
]


async def test_hostile_text_is_shown_harmlessly_or_refused(console: Console, editor: Client):
    fields = ("title", "data.area", "url", "tags", "r.0.tag", "cron", "at", "search", "late_by")
    page = await editor.get(NEW)

    for text in HOSTILE:
        form = dict.fromkeys(fields, text) | {"r.op": "all", "r.0.kind": "tag", "who": "choose"}
        for action in ("submit", "draft", "look", "rule:add:r", text[:50]):
            answer = await editor.post(NEW, form_of(page, action=action, key="", **form))
            assert answer.status in (200, 303, 422)
            assert "<script>alert" not in answer.text
            assert "\u202e" not in answer.text
    assert all("\u202e" not in f"{each}" for each in await kept(console))
    for field in ("title", "data.area", "tags"):
        huge = await compose(editor, "draft", who="choose", **{field: "大" * 90_000})
        assert (huge.status, len(huge.text) < 200_000) == (422, True)
    odd = {f"r.{'0.' * 60}kind": "tag", "r.op": ["all", "x"], "reader": "AAAA", "edited": "../x"}
    many = {f"r.{number}.kind": "tag" for number in range(99)}
    cut = await compose(editor, "look", **odd, **many, not_got=["bc_none"], regions=["x"])
    assert (cut.status, cut.text.count('.kind"') < 60) == (200, True)


# --- the way of a broadcast ---------------------------------------------------------------------


async def test_a_newcomers_page_has_what_is_needed_chosen_already(editor: Client):
    page = await editor.get(NEW)

    assert page.status == 200
    for step in ("1 写内容", "2 选发送对象", "3 定发送时间", "4 预览", "5 保存和提交"):
        assert step in page.text
    assert 'value="topic" checked' in page.text
    assert 'value="now" checked' in page.text
    assert page.text.count("btn-primary") == 1
    english = await editor.get(f"{NEW}?lang=en")
    assert "New broadcast" in english.text
    assert "Submit for review" in english.text


async def test_submitting_twice_puts_it_into_review_once_under_its_authors_name(
    console: Console, editor: Client
):
    form = form_of(await editor.get(NEW), action="submit", **{"data.area": "{姓名}，{区域}停水"})
    answer, twice = await editor.post(NEW, form), await editor.post(NEW, form)

    assert (answer.status, twice.status) == (303, 303)
    (broadcast,) = await kept(console)
    assert broadcast.state == "in_review"
    assert editor.operator is not None
    assert broadcast.author == editor.operator.author
    assert broadcast.audience.topics == ("outage.water",)
    assert str(broadcast.id) in answer.location


async def test_an_unfinished_draft_is_kept_opened_and_submitted(console: Console, editor: Client):
    saved = await compose(editor, "draft", **{"data.area": "", "title": "", "topic": ""})
    (draft,) = await kept(console)
    assert draft.state == "draft"

    page = await editor.get(saved.location)
    answer = await editor.post(saved.location, form_of(page, action="submit"))
    late = await editor.post(saved.location, form_of(page, action="draft", title="后改的"))

    assert answer.status == 303
    (broadcast,) = await kept(console)
    assert (broadcast.id, broadcast.state) == (draft.id, "in_review")
    assert late.status == 422  # an older page writes over nothing
    assert "已被修改为第 2 版" in late.text


async def test_everything_that_was_chosen_stands_there_again_when_it_is_edited(
    console: Console, editor: Client
):
    await compose(
        editor,
        "submit",
        who="choose",
        topics=["outage.water", "outage.power"],
        tags="老人，志愿者",
        regions=["440305"],
        when="repeat",
        way="tax",
        days_before=["5", "0"],
        clock="10:30",
        window_from="09:00",
        window_to="18:00",
        expires_at="2027-06-01T00:00",
        late_by="120",
        **{
            "r.op": "any",
            "r.0.kind": "followed",
            "r.0.since": "2026-01-01",
            "r.1.op": "all",
            "r.1.0.kind": "bound",
            "r.1.0.subject": "vehicle",
            "r.1.1.kind": "region",
            "r.1.1.region": "440304",
            "r.1.1.not": "1",
        },
    )
    (first,) = await kept(console)
    assert first.cron == "@tax D-5,D-0 10:30"

    page = await editor.get(f"/admin/a/city/broadcasts/{first.id}/edit")
    fields = re.findall(r"<(?:input|select)[^>]*name=\"([^\"]+)\"", page.text)

    assert page.status == 200
    assert sum(name.endswith(".kind") for name in fields) == 3
    again = fields_for(first) | {"action": ["submit"]}
    await editor.post(f"/admin/a/city/broadcasts/{first.id}/edit", again)
    (second,) = await kept(console)
    assert second == first  # the same order again changes nothing


async def test_without_script_the_rule_grows_by_posting_the_form(editor: Client):
    one = await compose(editor, "rule:add:r")
    two = await compose(editor, "rule:group:r", **{"r.op": "all", "r.0.kind": "tag"})

    assert 'name="r.0.kind"' in one.text
    assert 'name="r.1.0.kind"' in two.text
    assert "福田区园岭街道" in two.text  # nothing typed is lost


async def test_a_test_goes_to_oneself_and_leaves_a_draft(console: Console, editor: Client):
    settings = console.ctx.accounts[CITY]
    testing = settings.model_copy(update={"test_openids": ("oTester0000000000000000000001",)})
    cast("dict[AccountId, AccountSettings]", console.ctx.accounts)[CITY] = testing

    answer = await compose(editor, "trial", tester="0")

    assert answer.status == 303
    items = await kept(console)
    assert sorted(each.state for each in items) == ["draft", "scheduled"]
    (test,) = [each for each in items if each.test_of]
    assert test.audience.openids == (console.ctx.accounts[CITY].test_openids[0],)
    assert test.audience.openids[0] not in (await editor.get(answer.location)).text


# --- the parts that htmx asks for ---------------------------------------------------------------


async def test_a_test_that_is_refused_leaves_one_draft_that_the_page_goes_on_with(
    console: Console, editor: Client
):
    settings = console.ctx.accounts[CITY]
    testing = settings.model_copy(update={"test_openids": ("oTester0000000000000000000001",)})
    cast("dict[AccountId, AccountSettings]", console.ctx.accounts)[CITY] = testing

    refused = await compose(editor, "trial", tester="0", **{"data.start": ""})
    (draft,) = await kept(console)
    (address,) = re.findall(r'action="([^"]*)" id="compose"', refused.text)
    done = await editor.post(address, form_of(refused, action="submit"))
    alone = await compose(editor, "trial", tester="0", channel="mass")

    assert refused.status == 422
    assert "草稿已保存，但没有测试发送" in refused.text
    assert done.location == f"/admin/a/city/broadcasts/{draft.id}"
    assert (alone.status, "至少发给 2 人" in alone.text) == (422, True)
    assert [each.state for each in await kept(console)] == ["in_review"]


async def test_what_the_form_cannot_say_stays_when_nothing_was_changed(
    console: Console, editor: Client, clock
):
    settings = console.ctx.accounts[CITY]
    testing = settings.model_copy(update={"test_openids": ("oTester0000000000000000000001",)})
    cast("dict[AccountId, AccountSettings]", console.ctx.accounts)[CITY] = testing
    exact = clock.now() + timedelta(days=1, seconds=37)
    made = order(at=exact, cron="0 9 * * 1-5", data={**DATA, "unmapped": "x"})
    sent = await console.ctx.broadcasts.create(made, author="key:k:水务", publish=False)
    edit = f"/admin/a/city/broadcasts/{sent.id}/edit"
    (form,) = [each for each in forms_of((await editor.get(edit)).text) if each.action == edit]
    typed: dict[str, list[str]] = {}
    for each in form.fields:
        typed.setdefault(each.name, []).append(each.value)

    answers = [
        await editor.post(edit, {**typed, "action": action}) for action in ("trial", "submit")
    ]
    changed = await editor.post(edit, {**typed, "action": "submit", "title": "改"})

    assert [answer.status for answer in (*answers, changed)] == [303, 303, 303]
    (first,) = [each for each in await kept(console) if each.id == sent.id]
    assert (first.revision, first.state, first.title) == (2, "in_review", "改")
    records = await console.ctx.approvals.revisions(sent.id)
    assert (records[1].broadcast.at, records[1].broadcast.cron) == (exact, "0 9 * * 1-5")


async def test_a_field_is_checked_while_it_is_typed(editor: Client):
    answer = await editor.post(
        f"{NEW}/message", MESSAGE | {"data.area": "一" * 21, "data.end": ""}, htmx=True
    )

    assert "最多 20 个字符，现有 21 个" in answer.text
    assert "不能为空" not in answer.text  # what was not typed yet is no mistake
    assert "（未填写）" in answer.text


async def test_the_phone_shows_a_readers_own_values_and_never_the_openid(
    console: Console, editor: Client
):
    (openid,) = await people(console, 1)
    found = await editor.post(f"{NEW}/readers", {"search": openid[:6]}, htmx=True)
    guess = await editor.post(f"{NEW}/readers", {"search": openid[:20]}, htmx=True)
    assert await console.ctx.readers.search(CITY, "o[") == []
    token = re.findall(r'name="reader" value="([^"]+)"', found.text)[0]

    message = MESSAGE | {"data.area": "{区域}{姓名}停水", "reader": token}
    phone = await editor.post(f"{NEW}/message", message, htmx=True)
    other = await editor.post(f"{NEW}/message", message | {"reader": ""}, htmx=True)

    assert "没有找到" in guess.text  # else it could be read out letter by letter
    assert openid not in found.text + phone.text
    assert "南山区市民朋友停水" in phone.text
    assert "本市市民朋友停水" in other.text
    assert console.ctx.readers.openid(CITY, token) == openid
    assert console.ctx.readers.openid(AccountId("plain"), token) is None


async def test_numbers_sample_quota_and_end_are_told_and_what_is_unwise(
    console: Console, editor: Client
):
    await people(console, 3)
    await compose(editor, "submit")
    (first,) = await kept(console)
    await console.ctx.broadcasts.approve(first.id, by="op:9:审核", revision=1)

    answer = await editor.post(f"{NEW}/outlook", MESSAGE, htmx=True)

    assert "<strong>3</strong>" in answer.text
    assert "oRea…" in answer.text
    assert "预计完成" in answer.text
    assert "请确认不是重复发送" in answer.text
    unfinished = await editor.post(f"{NEW}/outlook", MESSAGE | {"data.area": ""}, htmx=True)
    assert "<strong>3</strong>" in unfinished.text
    assert "内容和时间填好后显示" in unfinished.text


async def test_a_part_that_would_wait_for_a_count_says_so_and_asks_for_itself_again(
    console: Console, editor: Client
):
    await people(console, 3)
    console.ctx.headcounts._moment = 0.0

    waiting = (await editor.post(f"{NEW}/outlook", MESSAGE, htmx=True)).text
    console.ctx.headcounts._moment = 5.0
    told = (await editor.post(f"{NEW}/outlook", MESSAGE, htmx=True)).text

    assert "正在统计人数" in waiting
    assert f'hx-post="{NEW}/outlook"' in waiting
    assert "<strong>3</strong>" in told
    assert "data-counting" not in told


async def test_whoever_got_an_earlier_broadcast_can_be_left_out(console: Console, editor: Client):
    answer = await compose(editor, "submit", not_got=["bc_unknown"])
    assert answer.status == 422

    await compose(editor, "submit")
    (first,) = await kept(console)
    await compose(editor, "draft", not_got=[str(first.id)], title="第二次")

    second = next(each for each in await kept(console) if each.title == "第二次")
    assert second.audience.rule is not None


async def test_fields_are_called_what_the_platforms_template_calls_them(
    console: Console, editor: Client
):
    settings = console.ctx.accounts[CITY].templates["outage_notice"]
    form = TemplateForm(
        channel="template", id=settings.id, title="停水提醒", fields=(("thing1", "停水地点"),)
    )
    await console.ctx.stores.template_forms.add(CITY, form, after=0, at=console.ctx.clock.now())

    page = await editor.get(NEW)

    assert "停水地点" in page.text
    assert "影响区域" not in page.text
    assert "停水提醒" in page.text


async def test_a_colleagues_edit_is_not_written_over_and_what_was_typed_stays(
    console: Console, editor: Client
):
    page = await editor.get(NEW)
    await editor.post(NEW, form_of(page, action="draft"))
    (draft,) = await kept(console)
    other = await console.as_(roles=("editor",), name="李编辑")
    edit = f"/admin/a/city/broadcasts/{draft.id}/edit"
    await other.post(edit, form_of(await other.get(edit), action="draft", title="同事改的"))

    answers = [
        await editor.post(NEW, form_of(page, action=action, title="旧页面上写的"))
        for action in ("draft", "submit", "trial")
    ]

    assert [answer.status for answer in answers] == [422, 422, 422]
    for answer in answers[:2]:
        assert "李编辑 已经把这个任务改到第 2 版" in answer.text
        assert f'href="{edit}"' in answer.text
        assert "旧页面上写的" in answer.text
    assert [each.title for each in await kept(console)] == ["同事改的"]


async def test_what_was_typed_stays_when_it_was_approved_meanwhile(
    console: Console, editor: Client
):
    await compose(editor, "submit")
    (sent,) = await kept(console)
    edit = f"/admin/a/city/broadcasts/{sent.id}/edit"
    page = await editor.get(edit)
    await console.ctx.broadcasts.approve(sent.id, by="operator:9:审核", revision=1)

    answers = [
        await editor.post(edit, form_of(page, action=action, title="太晚的修改"))
        for action in ("submit", "draft", "look", "trial")
    ]

    assert [answer.status for answer in answers] == [422] * 4
    assert all("太晚的修改" in answer.text and "不能再修改" in answer.text for answer in answers)
    (after,) = await kept(console)
    assert (after.title, after.state) == (sent.title, "scheduled")
