"""The dashboard: numbers of real callbacks, what waits for whom, incidents, and half a second."""

import asyncio
import json
import time
from datetime import timedelta

from console.rolling_up import RollingUp
from domain.access import Role
from domain.allowance import PlatformQuota, day_number
from domain.broadcast import Broadcast
from domain.figures import day_of, days_until, minute_of
from domain.ids import AccountId, BroadcastId
from domain.incident import Condition
from runtime.counting import handing_over
from tests.support.console import Console
from tests.support.push import EVERYBODY, WATER
from tests.support.town import Town

CITY = AccountId("city")
HOME = "/admin/a/city/"
SCRIPT = "<script>alert(1)</script>{{7*7}}"


def broadcast(number: int, clock, **changes) -> Broadcast:
    fields = {
        "id": BroadcastId(f"bc_{number:024x}"),
        "account": CITY,
        "title": f"停水通知{number}",
        "topic": WATER,
        "audience": EVERYBODY,
        "template": "outage_notice",
        "data": {},
        "state": "draft",
        "created_at": clock.now() - timedelta(hours=1),
        "author": "operator:op_other:李敏",
        **changes,
    }
    return Broadcast(**fields)


async def seen(console: Console, **changes) -> str:
    """Let something go wrong and return the record's id."""
    fields = {
        "kind": "broadcast.paused",
        "what": "broadcast.paused|bc_1",
        "subject": "停水通知",
        "detail": "50 of 50 messages failed",
        "account": CITY,
        **changes,
    }
    await console.ctx.incidents.see(Condition(**fields), console.ctx.clock.now(), tell=False)
    return (await console.ctx.incidents.list_(CITY))[0].id


async def test_what_citizens_do_is_counted_through_all_stores(town: Town, town_console: Console):
    citizen = "oDashAAAAAAAAAAAAAAAAAAAAAA"
    await town.control("citizen", account="city", openid=citizen, name="测试市民")
    await town.act("follow", "city", citizen)
    await town.says("city", citizen, "停水 福田区")
    ctx = town.ctx
    async with handing_over(ctx):
        pass  # at its end it hands over what has gathered
    await RollingUp(
        ctx.stores.minute_figures, ctx.stores.figures, ctx.audiences, ctx.accounts, ctx.clock
    ).tick()
    editor = await town_console.as_(("editor",))

    services = json.loads((await editor.get(HOME + "dashboard/services.json")).text)
    follows = json.loads((await editor.get(HOME + "dashboard/follows.json")).text)
    numbers = await editor.get(HOME + "dashboard/numbers", htmx=True)

    assert services["x"] == ["停水停电停气"]  # and that somebody came is no question
    assert services["series"][0]["values"] == [1]
    assert follows["series"][0]["values"][-1] == 1
    assert "今日净增 +1" in numbers.text
    today = await ctx.stores.figures.days(CITY, [day_of(ctx.clock.now())])
    assert today[0].counts["calls"] >= 2
    assert (
        sum(today[0].counts.get(f"b{number}", 0) for number in range(14))
        == (today[0].counts["calls"])
    )


async def test_numbers_and_plots_are_those_of_the_account(console: Console, clock):
    figures = console.ctx.stores.figures
    minute = minute_of(clock.now()) - 1
    await figures.put_minutes(
        CITY,
        {minute: {"calls": 1200, "b3": 1200, "sent": 90, "delivered": 80, "e:43004": 7,
                  "r:failed:userblock": 3, "q:outage": 5, "q:help": 2}},
    )  # fmt: skip
    await figures.put_followers(CITY, days_until(clock.now(), 1)[0], 1_000_000)
    editor = await console.as_(("editor",))
    other = await console.as_(("editor",), account="plain")

    page = (await editor.get(HOME)).text
    p95 = json.loads((await editor.get(HOME + "dashboard/p95.json")).text)

    for words in ("1,200", "95% 在 49 毫秒内答复", "已送达 80，失败 10", "没有关注本服务号",
                  "接收人拒收", "1,000,000", "停水停电停气"):  # fmt: skip
        assert words in page
    assert (p95["kind"], p95["series"][0]["values"][-1]) == ("line", 49)
    empty = (await other.get("/admin/a/plain/")).text
    assert "1,200" not in empty
    for words in ("没有等待您处理的事项", "最近没有回调", "平台没有告知配额", "今天还没有人查询"):
        assert words in empty
    assert (await editor.get(HOME + "dashboard/secrets.json")).status == 404


async def test_what_is_left_of_the_day_is_what_the_engine_would_still_give(console: Console, clock):
    stores, now = console.ctx.stores, clock.now()
    said = PlatformQuota(daily_limit=1000, used=0)
    await stores.quotas.learn(CITY, day_number(now), said, quota=1000)
    planned = broadcast(1, clock, state="scheduled", due_at=now + timedelta(hours=1))
    await stores.broadcasts.add(planned, reserved=300)
    editor = await console.as_(("editor",))

    numbers = (await editor.get(HOME + "dashboard/numbers", htmx=True)).text

    assert "<dd>650<small>" in " ".join(numbers.split()).replace("<dd> ", "<dd>")
    assert "共 1,000，已用 0%，已排定的任务还要用 300；5% 只留给紧急任务" in numbers


async def test_each_sees_what_waits_for_them(console: Console, clock):
    words = ("被退回", "等待您审核", "等待发布", "已暂停")
    expected: dict[Role, tuple[int, int, int, int]] = {
        "editor": (2, 0, 0, 1),  # made, or edited, under whatever name
        "reviewer": (0, 2, 0, 0),  # the third is approved, and never what one wrote oneself
        "publisher": (0, 0, 1, 1),
        "desk": (0, 0, 0, 0),
    }
    clients = {role: await console.as_((role,)) for role in expected}
    editor, reviewer = clients["editor"].operator, clients["reviewer"].operator
    assert editor is not None
    assert reviewer is not None
    store = console.ctx.stores.broadcasts
    await store.add(broadcast(1, clock, state="rejected", author=f"operator:{editor.id}:曾用名"))
    await store.add(broadcast(7, clock, state="rejected", edited_by=(editor.author,)))
    await store.add(broadcast(8, clock, state="rejected"))
    await store.add(broadcast(2, clock, state="in_review"))
    await store.add(broadcast(3, clock, state="in_review"))
    await store.add(broadcast(4, clock, state="paused", title=SCRIPT))
    await store.add(broadcast(5, clock, state="in_review", author=reviewer.author))
    await store.add(broadcast(6, clock, state="in_review", author=editor.author))
    await console.ctx.approvals.approve(
        BroadcastId(f"bc_{3:024x}"), CITY, by="operator:op_third:赵强", text="", revision=1
    )

    pages = {role: (await client.get(HOME)).text for role, client in clients.items()}

    found = {role: tuple(page.count(one) for one in words) for role, page in pages.items()}
    assert found == expected
    assert SCRIPT not in pages["editor"]
    assert "{{7*7}}" in pages["editor"]


async def test_a_department_that_is_left_alone_is_shown_to_those_who_may_see(
    console: Console, clock
):
    doors = {"fund|query|住房公积金": ("open", clock.now())}
    await console.ctx.stores.department_health.add("host:1", clock.now(), {}, [], doors)
    publisher, editor = await console.as_(("publisher",)), await console.as_(("editor",))

    assert "住房公积金" in (await publisher.get(HOME)).text
    assert "住房公积金" not in (await editor.get(HOME)).text


async def test_a_page_left_open_does_not_keep_its_session_alive(console: Console, clock):
    editor = await console.as_(("editor",))
    assert (await editor.get(HOME)).status == 200
    polled = []
    for _ in range(4):
        clock.advance(timedelta(minutes=9))
        polled.append((await editor.get(HOME + "dashboard/numbers", htmx=True)).status)

    assert polled == [200, 200, 200, 403]
    assert (await editor.get(HOME)).location.startswith("/admin/sign-in")


async def test_an_incident_is_unread_until_somebody_of_its_account_knows(console: Console):
    incident = await seen(console, subject=SCRIPT)
    editor = await console.as_(("publisher",), name="王芳")
    other = await console.as_(("publisher",), account="plain")
    reader = await console.as_(("editor",))
    path = f"{HOME}incidents/{incident}/acknowledgement"
    assert (await reader.post(path)).status == 403
    assert "我知道了" not in (await reader.get(HOME)).text
    foreign = await other.post(f"/admin/a/plain/incidents/{incident}/acknowledgement")
    before = (await editor.get(HOME)).text

    answer = await editor.post(f"{HOME}incidents/{incident}/acknowledgement")
    after = (await editor.get(HOME)).text

    assert foreign.status == 404
    assert "1 条未确认" in before
    assert SCRIPT not in before
    assert (answer.status, answer.location) == (303, HOME)
    assert "王芳 已确认" in after
    assert "条未确认" not in after


async def test_a_full_day_of_figures_is_shown_within_half_a_second(console: Console, clock):
    """The page reads what is kept ready, so it costs the same with a million followers."""
    clock.advance(timedelta(hours=13))  # late in the evening
    figures, now = console.ctx.stores.figures, clock.now()
    counts = {f"b{number}": 100 for number in range(14)} | {f"q:s{n}": 3 for n in range(12)}
    counts |= {"calls": 1400, "sent": 5000, "delivered": 4900, "e:43004": 20, "e:43101": 10}
    last = minute_of(now)
    await figures.put_minutes(CITY, {last - back: counts for back in range(24 * 60)})
    for day in days_until(now, 30):
        await figures.put_followers(CITY, day, 1_000_000)
    editor = await console.as_(("editor",))
    took = []
    for path in (HOME, HOME, HOME + "dashboard/numbers", HOME + "dashboard/callbacks.json"):
        begun = time.perf_counter()
        assert (await editor.get(path)).status == 200
        took.append(time.perf_counter() - begun)
        await asyncio.sleep(0)

    assert sorted(took)[1] < 0.5, took
