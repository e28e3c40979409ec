"""Review, publish, watch and export in the console, as the people who do it."""

import asyncio
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any

from yarl import URL

from domain.ids import AccountId, BroadcastId
from domain.template_form import TemplateForm
from tests.support.console import Answer, Client, Console
from tests.support.console_broadcasts import in_review, sent
from tests.support.push import order
from web.admin import broadcast_people

CITY = AccountId("city")
HERE = "/admin/a/city/broadcasts"


async def decide(client: Client, broadcast: str, what: str, **form: str) -> Answer:
    return await client.post(f"{HERE}/{broadcast}/{what}", {"revision": "1", **form})


async def state(console: Console, broadcast: BroadcastId) -> str:
    found = await console.ctx.stores.broadcasts.find(broadcast)
    assert found is not None
    return found.state


async def everything_said(console: Console, broadcast: str) -> AsyncIterator[dict[str, Any]]:
    """Give what the audit chain holds about a broadcast: what was done, and what was refused."""
    wanted = {"object": f"broadcast:{broadcast}", "outcome": {"$ne": "intended"}}
    async for entry in console.ctx.stores.database["audit"].find(wanted).sort("_id", 1):
        yield entry


async def test_two_people_and_a_publisher_bring_a_broadcast_on_its_way(console: Console):
    editor, reviewer = await console.as_(("editor",)), await console.as_(("reviewer",))
    publisher = await console.as_(("publisher",))
    assert editor.operator is not None
    broadcast = await in_review(console, editor.operator.author)

    early = await decide(publisher, broadcast, "publish")
    waiting = await state(console, broadcast)
    approved = await decide(reviewer, broadcast, "approval", text="没有问题")
    listed = (await publisher.get(HERE)).text
    asked = (await publisher.get(f"{HERE}/{broadcast}/publish")).text
    published = await decide(publisher, broadcast, "publish")

    assert early.status == 303
    assert waiting == "in_review"
    assert approved.location == f"{HERE}/{broadcast}"
    assert "已通过" in listed
    assert "确认发布" in asked
    assert published.status == 303
    assert await state(console, broadcast) == "scheduled"
    assert "没有问题" in (await editor.get(f"{HERE}/{broadcast}")).text


async def test_whoever_wrote_it_cannot_approve_it_whatever_their_roles(console: Console):
    everything = await console.as_(("editor", "reviewer", "publisher"))
    assert everything.operator is not None
    broadcast = await in_review(console, everything.operator.author)

    page = (await everything.get(f"{HERE}/{broadcast}/review")).text
    answer = await decide(everything, broadcast, "approval")

    log = [entry async for entry in everything_said(console, broadcast)]
    assert [(entry["action"], entry["outcome"]) for entry in log] == [
        ("broadcast.approve", "refused")
    ]
    assert "请由另一人审核" in page
    assert "/approval" not in page
    assert answer.status == 403
    assert "不能审核自己" in answer.text


async def test_an_edit_shows_what_changed_and_that_the_approval_is_void(console: Console):
    reviewer = await console.as_(("reviewer",))
    broadcast = await in_review(console, title="12月1日停水")
    await decide(reviewer, broadcast, "approval")
    await console.ctx.editing.edit(
        broadcast, order(title="12月3日停水<b>"), author="operator:someone:另一人"
    )

    page = (await reviewer.get(f"{HERE}/{broadcast}/review")).text
    old = (await reviewer.get(f"{HERE}/{broadcast}/revisions/1")).text
    stale = await decide(reviewer, broadcast, "approval")

    assert "以前的审核已失效" in page
    assert "<del>1</del>" in page
    assert "<ins>3</ins>" in page
    assert "<b>" not in page
    assert "12月1日停水" in old
    assert stale.status == 409
    assert "第 2 版" in stale.text


async def test_a_decision_that_comes_too_late_shows_what_there_is_and_keeps_what_was_typed(
    console: Console,
):
    reviewer, other = await console.as_(("reviewer",)), await console.as_(("reviewer",))
    broadcast = await in_review(console)
    await console.ctx.editing.edit(broadcast, order(title="改后"), author="operator:x:另一人")

    stale = await decide(reviewer, broadcast, "rejection", reason="时间和地点都写错了")
    await decide(other, broadcast, "rejection", revision="2", reason="先退回")
    late = await decide(reviewer, broadcast, "approval", revision="2", text="我认真看过了")

    assert (stale.status, late.status) == (409, 409)
    assert "您看到的是第 1 版" in stale.text
    assert "时间和地点都写错了</textarea>" in stale.text
    assert "不在审核中" in late.text
    assert "我认真看过了</textarea>" in late.text
    log = [(e["action"], e["outcome"]) async for e in everything_said(console, broadcast)]
    assert log.count(("broadcast.reject", "refused")) == 1
    assert log.count(("broadcast.approve", "refused")) == 1


async def test_a_return_needs_a_reason_and_keeps_what_was_typed(console: Console):
    reviewer = await console.as_(("reviewer",))
    broadcast = await in_review(console)

    empty = await decide(reviewer, broadcast, "rejection", reason="")
    done = await decide(reviewer, broadcast, "rejection", reason="时间写错了")

    assert empty.status == 422
    assert 'id="f-reason-error"' in empty.text
    assert done.status == 303
    assert await state(console, broadcast) == "rejected"
    assert "时间写错了" in (await reviewer.get(f"{HERE}/{broadcast}")).text


async def test_a_switch_says_what_it_would_do_and_does_it_only_when_it_can(console: Console):
    publisher = await console.as_(("publisher",))
    found = {}
    for verb in ("pause", "resume", "cancel", "resend", "replay"):
        broadcast = await in_review(console)
        await console.ctx.broadcasts.approve(broadcast, by="operator:other:x", revision=1)
        if verb == "resume":
            await console.ctx.broadcasts.pause(broadcast)

        asked = await publisher.get(f"{HERE}/{broadcast}/{verb}")
        before = await state(console, broadcast)
        done = await decide(publisher, broadcast, verb)

        assert (asked.status, done.status) == (200, 303)
        assert ("确认" in asked.text) == (verb in ("pause", "resume", "cancel"))
        found[verb] = (before, await state(console, broadcast))

    assert found == {
        "pause": ("scheduled", "paused"),
        "resume": ("paused", "scheduled"),
        "cancel": ("scheduled", "cancelled"),
        "resend": ("scheduled", "scheduled"),  # nothing has failed
        "replay": ("scheduled", "scheduled"),  # nothing is dead
    }


async def test_a_second_press_of_publish_is_no_failure_and_other_switches_say_what_is_so(
    console: Console,
):
    publisher, other = await console.as_(("publisher",)), await console.as_(("publisher",))
    broadcast = await in_review(console)
    await decide(await console.as_(("reviewer",)), broadcast, "approval")

    for _ in range(2):
        await decide(publisher, broadcast, "publish")
        assert "已发布" in (await publisher.get(f"{HERE}/{broadcast}")).text
    await decide(other, broadcast, "publish")
    late = (await other.get(f"{HERE}/{broadcast}")).text
    await decide(publisher, broadcast, "resend")
    not_over = (await publisher.get(f"{HERE}/{broadcast}")).text
    await decide(publisher, broadcast, "replay")
    nothing = (await publisher.get(f"{HERE}/{broadcast}")).text
    asked = {
        verb: "确认" in (await publisher.get(f"{HERE}/{broadcast}/{verb}")).text
        for verb in ("publish", "pause", "resume", "cancel", "resend", "replay")
    }

    assert "可能刚被别人处理过" in late
    assert "群发任务待发送，完成后才能重发" in not_over
    assert "没有搁置的批次" in nothing
    assert [verb for verb, shown in asked.items() if shown] == ["pause", "cancel"]
    kinds = sorted([each.kind for each in await console.ctx.approvals.records(broadcast)])
    assert kinds == ["approval", "publication"]


async def test_what_cannot_be_sent_any_more_is_not_published_and_says_why(console: Console, clock):
    publisher, reviewer = await console.as_(("publisher",)), await console.as_(("reviewer",))
    expires = clock.now() + timedelta(hours=1)
    broadcast = await in_review(console, expires_at=expires)
    await decide(reviewer, broadcast, "approval")
    clock.advance(timedelta(hours=2))
    publisher, reviewer = await console.as_(("publisher",)), await console.as_(("reviewer",))

    answer = await decide(publisher, broadcast, "publish")

    page = (await publisher.get(f"{HERE}/{broadcast}")).text
    log = [entry async for entry in everything_said(console, broadcast)]
    assert (answer.status, answer.location) == (303, f"{HERE}/{broadcast}")
    assert "失效时间应晚于现在" in page
    assert await state(console, broadcast) == "in_review"
    assert [(e["action"], e["outcome"]) for e in log][-1] == ("broadcast.publish", "refused")


async def test_a_draft_is_given_up_after_a_question_and_only_by_who_may_write(console: Console):
    editor, publisher = await console.as_(("editor",)), await console.as_(("publisher",))
    assert editor.operator is not None
    draft = (await console.ctx.drafts.save(order(), author=editor.operator.author)).id

    button = f'href="{HERE}/{draft}/discard"'
    shown = [button in (await who.get(f"{HERE}/{draft}")).text for who in (editor, publisher)]
    asked = (await editor.get(f"{HERE}/{draft}/discard")).text
    before = await state(console, draft)
    refused = await decide(publisher, draft, "discard")
    done, again = await decide(editor, draft, "discard"), await decide(editor, draft, "discard")

    log = [(e["action"], e["outcome"]) async for e in everything_said(console, draft)]
    assert shown == [True, False]
    assert "确认放弃这个任务" in asked
    assert (before, refused.status) == ("draft", 403)
    assert {done.location, again.location} == {HERE}
    assert await state(console, draft) == "cancelled"
    assert log == [("broadcast.discard", "done")] * 2
    submitted = await in_review(console, editor.operator.author)
    late = await decide(editor, submitted, "discard")
    assert late.location == f"{HERE}/{submitted}"
    assert await state(console, submitted) == "in_review"


async def test_a_reviewer_sees_the_card_in_the_words_of_the_platforms_template(console: Console):
    settings = console.ctx.accounts[CITY].templates["outage_notice"]
    form = TemplateForm(
        channel="template", id=settings.id, title="停水提醒", fields=(("thing1", "停水地点"),)
    )
    await console.ctx.stores.template_forms.add(CITY, form, after=0, at=console.ctx.clock.now())
    reviewer, broadcast = await console.as_(("reviewer",)), await in_review(console)

    card = (await reviewer.get(f"{HERE}/{broadcast}/review?lang=en")).text.partition("phone")[2]

    assert "停水提醒" in card
    assert "停水地点" in card


async def test_recurring_times_are_said_in_words_in_both_languages(console: Console):
    reader = await console.as_(("publisher",))
    for cron in ("@workdays 09:00", "0 9 * * 1,3", "30 8 15 * *", "@tax D-5,D-0 09:00"):
        await in_review(console, cron=cron)
    last = await in_review(console, cron="0 9 1,15 * *")
    await console.ctx.broadcasts.approve(last, by="operator:other:x", revision=1)

    chinese = (await reader.get(HERE)).text
    english = (await reader.get(f"{HERE}?lang=en")).text

    for words in ("每个工作日（含调休上班日）09:00", "每周一、周三 09:00", "每月 15 日 08:30",
                  "期限前 5 天、当天 09:00", "按周期 0 9 1,15 * *"):  # fmt: skip
        assert words in chinese
    for words in ("every Monday, Wednesday at 09:00", "every month on day 15 at 08:30"):
        assert words in english
    assert "@workdays" not in chinese + english


async def test_failed_people_are_sent_to_again_and_the_resend_is_shown(console: Console):
    publisher = await console.as_(("publisher",))
    broadcast = await sent(console)

    asked = (await publisher.get(f"{HERE}/{broadcast}/resend")).text
    done = await decide(publisher, broadcast, "resend")

    day = await console.ctx.quotas.day(AccountId("city"), console.ctx.clock.now())
    assert day.reserved == 3
    assert "失败的 3 人" in asked
    again = (await publisher.get(done.location)).text
    people = (await publisher.get(f"{done.location}/audience", htmx=True)).text
    assert "目前 3 人" in people
    assert f'href="{HERE}/{broadcast}">这是重发' in again
    assert done.location.startswith(f"{HERE}/bc_")
    assert broadcast not in done.location


async def test_dead_batches_are_shown_and_go_again_when_somebody_says_so(console: Console):
    publisher = await console.as_(("publisher",))
    broadcast = await sent(console)
    database = console.ctx.stores.database
    await database["batches"].update_one(
        {"broadcast": broadcast}, {"$set": {"state": "dead", "died_at": console.ctx.clock.now()}}
    )
    await database["broadcasts"].update_one(
        {"_id": broadcast},
        {"$set": {"state": "paused", "reason": f"dead batch {broadcast}:0: begun again"}},
    )

    page = (await publisher.get(f"{HERE}/{broadcast}")).text
    asked = (await publisher.get(f"{HERE}/{broadcast}/replay")).text
    await decide(publisher, broadcast, "replay")

    assert "有 1 个批次反复中断" in page
    assert "重新安排 1 个搁置的批次" in asked
    assert await state(console, broadcast) == "sending"
    log = [entry async for entry in everything_said(console, broadcast)]
    assert [(entry["action"], entry["outcome"]) for entry in log] == [("broadcast.replay", "done")]


async def test_the_report_has_its_numbers_its_plots_and_its_reasons(console: Console):
    reader = await console.as_(("reviewer",))
    broadcast = await sent(console)

    page = (await reader.get(f"{HERE}/{broadcast}/report")).text
    over_time = (await reader.get(f"{HERE}/{broadcast}/report/time.json")).text
    reasons = (await reader.get(f"{HERE}/{broadcast}/report/reasons.json")).text

    failures = (await reader.get(f"{HERE}/{broadcast}/report/failures.json")).text

    assert "已拒收这类通知" in page
    assert '"kind":"stacked"' in failures
    assert "已拒收这类通知" in failures
    assert "<dd>24</dd>" in page
    assert '"kind":"line"' in over_time
    assert "已送达" in over_time
    assert "已过有效期" in reasons


async def test_lists_and_exports_show_no_whole_openid_and_agree(console: Console):
    reader = await console.as_(("reviewer",))
    broadcast = await sent(console, title="=cmd|calc 停水\u202evsc.")

    page = (await reader.get(f"{HERE}/{broadcast}/recipients?state=failed")).text
    exported = await reader.get(f"{HERE}/{broadcast}/export.csv")
    failed = await reader.get(f"{HERE}/{broadcast}/export.csv?state=failed")
    async with reader.http.get(URL(f"{reader.base}{HERE}/{broadcast}/export.xlsx")) as answer:
        content = await answer.read()
        kind = answer.headers["Content-Disposition"]

    assert page.count("oSen…") == 3
    assert "oSent0" not in page + exported.text
    assert len(exported.text.splitlines()) == 31
    assert len(failed.text.splitlines()) == 4
    assert "\n" not in kind
    assert "%E2%80%AE" not in kind  # which would show another ending of the file's name
    with zipfile.ZipFile(BytesIO(content)) as archive:
        sheets = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert sheets.count("oSen…") == 30
    assert "oSent0" not in sheets
    assert "<f>" not in sheets


async def test_the_third_export_at_once_is_asked_to_wait(console: Console, monkeypatch):
    reader = await console.as_(("reviewer",))
    broadcast = await sent(console)
    monkeypatch.setattr(broadcast_people, "_running", asyncio.Semaphore(0))

    answer = await reader.get(f"{HERE}/{broadcast}/export.csv")

    assert answer.status == 429
    assert "Content-Disposition" not in answer.headers


async def test_a_stream_tells_what_changes_and_ends_with_the_broadcast(console: Console):
    reader = await console.as_(("reviewer",))
    broadcast = await in_review(console)
    await console.ctx.broadcasts.approve(broadcast, by="operator:other:x", revision=1)

    told = b""
    address = URL(f"{reader.base}{HERE}/{broadcast}/live")
    async with reader.http.get(address) as answer:
        async for line in answer.content:
            told += line
            if b'data-state="scheduled"' in line:
                assert console.ctx.live.streams == 1
                await console.ctx.broadcasts.cancel(broadcast)

    assert answer.content_type == "text/event-stream"
    assert told.index(b"event: progress") < told.index(b"event: end")
    assert b'data-state="cancelled"' in told
    assert console.ctx.live.streams == 0


async def test_one_person_has_a_bounded_number_of_streams(console: Console):
    reader = await console.as_(("reviewer",))
    assert reader.operator is not None
    broadcast = await in_review(console)
    await console.ctx.broadcasts.approve(broadcast, by="operator:other:x", revision=1)
    address = f"{HERE}/{broadcast}/live"

    who = reader.operator.id
    live = console.ctx.live
    with live.stream(who), live.stream(who), live.stream(who), live.stream(who):
        refused = await reader.get(address)
        polled = await reader.get(f"{HERE}/{broadcast}/progress?state=sending", htmx=True)

    assert refused.status == 429
    assert polled.headers["HX-Refresh"] == "true"
    assert "broadcast-numbers" in polled.text


async def test_titles_are_found_and_hostile_ones_are_only_shown(console: Console):
    reader = await console.as_(("reviewer",))
    hostile = "<script>alert(1)</script>{{7*191}} $where"
    broadcast = await in_review(console, title=hostile)
    await in_review(console)

    found = (await reader.get(f"{HERE}?q=%24where")).text
    none = (await reader.get(f"{HERE}?q=%E2%80%AE%3Cimg&state=in_review")).text
    page = (await reader.get(f"{HERE}/{broadcast}")).text

    assert found.count('class="broadcast-row"') == 1
    assert "没有符合条件" in none
    assert "\u202e" not in none
    assert "<script>alert" not in found + page
    assert "1337" not in page
    wrong = await reader.get(f"{HERE}?cursor=abc&state=nothing")
    assert wrong.status == 422


async def test_how_many_are_meant_comes_after_the_page(console: Console):
    reader = await console.as_(("reviewer",))
    broadcast = await in_review(console)

    page = (await reader.get(f"{HERE}/{broadcast}")).text
    number = (await reader.get(f"{HERE}/{broadcast}/audience", htmx=True)).text

    assert f'hx-get="{HERE}/{broadcast}/audience"' in page
    assert "目前 0 人" in number


async def test_a_number_that_takes_long_is_asked_for_again_by_its_own_place(console: Console):
    reader = await console.as_(("reviewer",))
    broadcast = await in_review(console)
    console.ctx.headcounts._moment = 0.0

    waiting = (await reader.get(f"{HERE}/{broadcast}/audience", htmx=True)).text

    assert "正在统计人数" in waiting
    assert f'hx-get="{HERE}/{broadcast}/audience"' in waiting


async def test_a_comment_is_kept_and_pages_speak_english_too(console: Console):
    editor = await console.as_(("editor",))
    broadcast = await in_review(console)

    done = await decide(editor, broadcast, "comments", comment="请看")
    page = (await editor.get(f"{HERE}/{broadcast}/review?lang=en")).text

    assert done.status == 303
    assert "请看" in page
    assert "Content now" in page
