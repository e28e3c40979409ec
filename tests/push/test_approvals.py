"""An approval is of one revision, by somebody else, and only then can it be published."""

import asyncio
from dataclasses import replace

import pytest

from domain.authors import name_of, operator_author
from domain.errors import InvalidInput, NotAllowed, NotFound, StateError
from domain.ids import AccountId, BroadcastId
from storage.mongo import reviews
from tests.support.push import CITY, DATA, Engine, order

ANNA = operator_author("op_1", "安娜")
BORIS = operator_author("op_2", "鲍里斯")
CLARA = operator_author("op_3", "克拉拉")


async def in_review(engine: Engine) -> BroadcastId:
    accepted = await engine.broadcasts.create(order(), author=ANNA, publish=False)
    return accepted.id


async def approve(engine: Engine, broadcast: BroadcastId, by: str, revision: int = 1) -> None:
    await engine.approvals.approve(broadcast, CITY, by=by, revision=revision, text="")


async def test_without_an_approval_nothing_is_published(engine: Engine):
    broadcast = await in_review(engine)
    await engine.approvals.comment(broadcast, CITY, by=BORIS, text="看起来不错")

    with pytest.raises(StateError, match="还没有通过审核"):
        await engine.approvals.publish(broadcast, CITY, by=CLARA, revision=1)
    assert await engine.state(broadcast) == "in_review"


async def test_an_approved_broadcast_waits_until_somebody_publishes_it(engine: Engine):
    broadcast = await in_review(engine)

    await approve(engine, broadcast, BORIS)
    waiting = await engine.state(broadcast)
    published = await engine.approvals.publish(broadcast, CITY, by=ANNA, revision=1)

    assert waiting == "in_review"
    assert published.state == "scheduled"
    said = [(each.kind, each.by) for each in await engine.approvals.records(broadcast)]
    assert said == [("approval", BORIS), ("publication", ANNA)]


async def test_neither_author_nor_editor_approves_or_rejects_even_under_a_new_name(engine: Engine):
    broadcast = await in_review(engine)
    await engine.editing.edit(broadcast, order(title="改后的标题"), author=BORIS)

    for who in (ANNA, BORIS, operator_author("op_1", "改名")):
        with pytest.raises(NotAllowed):
            await approve(engine, broadcast, who, 2)
        with pytest.raises(NotAllowed):
            await engine.approvals.reject(broadcast, CITY, by=who, revision=2, reason="不行")
    assert (await engine.approvals.records(broadcast)) == []


async def test_an_edit_makes_the_approval_void(engine: Engine):
    broadcast = await in_review(engine)
    await approve(engine, broadcast, BORIS)

    await engine.editing.edit(broadcast, order(title="改后的标题"), author=ANNA)

    standing = await engine.approvals.standing(await engine.find(broadcast))
    assert standing.approval is None
    assert [(each.by, each.revision) for each in standing.void] == [(BORIS, 1)]
    for revision in (1, 2):
        with pytest.raises(StateError):
            await engine.approvals.publish(broadcast, CITY, by=CLARA, revision=revision)
    await approve(engine, broadcast, BORIS, 2)
    await engine.approvals.publish(broadcast, CITY, by=CLARA, revision=2)


async def test_whoever_edits_after_approving_needs_another_persons_approval(engine: Engine):
    broadcast = await in_review(engine)
    await approve(engine, broadcast, BORIS)
    await engine.editing.edit(broadcast, order(title="改后的标题"), author=BORIS)

    with pytest.raises(NotAllowed):
        await approve(engine, broadcast, BORIS, 2)
    await approve(engine, broadcast, CLARA, 2)

    published = await engine.approvals.publish(broadcast, CITY, by=BORIS, revision=2)
    assert published.state == "scheduled"


async def test_an_approval_does_not_cover_a_content_that_changed_without_a_new_revision(
    engine: Engine,
):
    broadcast = await in_review(engine)
    await approve(engine, broadcast, BORIS)
    await engine.database["broadcasts"].update_one(
        {"_id": broadcast}, {"$set": {"data.reason": "另一个原因"}}
    )

    with pytest.raises(StateError, match="还没有通过审核"):
        await engine.approvals.publish(broadcast, CITY, by=CLARA, revision=1)


async def test_a_rejection_names_its_reason_and_voids_the_approval(engine: Engine):
    broadcast = await in_review(engine)
    await approve(engine, broadcast, BORIS)
    with pytest.raises(InvalidInput):
        await engine.approvals.reject(broadcast, CITY, by=CLARA, revision=1, reason=" ")

    rejected = await engine.approvals.reject(
        broadcast, CITY, by=CLARA, revision=1, reason="时间写错了"
    )

    assert (rejected.state, rejected.reason) == ("rejected", "克拉拉: 时间写错了")
    assert (await engine.approvals.standing(rejected)).approval is None


async def test_an_approval_of_a_revision_that_was_not_the_one_read_is_refused(engine: Engine):
    broadcast = await in_review(engine)
    await engine.editing.edit(broadcast, order(title="改后的标题"), author=ANNA)

    with pytest.raises(StateError, match="第 2 版"):
        await approve(engine, broadcast, BORIS, 1)


async def test_approving_twice_is_one_approval(engine: Engine):
    broadcast = await in_review(engine)
    await approve(engine, broadcast, BORIS)
    await approve(engine, broadcast, CLARA)

    await asyncio.gather(*(approve(engine, broadcast, who) for who in (BORIS, CLARA) * 4))

    said = [each.by for each in await engine.approvals.records(broadcast)]
    assert sorted(said) == [BORIS, CLARA]


async def test_an_approval_counts_however_much_was_said_before(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reviews, "SHOWN", 3)
    broadcast = await in_review(engine)
    for number in range(4):
        await engine.approvals.comment(broadcast, CITY, by=CLARA, text=f"意见{number}")

    await approve(engine, broadcast, BORIS)

    texts = [each.text for each in await engine.approvals.records(broadcast)]
    assert texts == ["意见2", "意见3", ""]
    assert (await engine.approvals.publish(broadcast, CITY, by=ANNA, revision=1)).state == (
        "scheduled"
    )


async def test_of_two_publishers_at_once_one_publishes(engine: Engine):
    broadcast = await in_review(engine)
    await approve(engine, broadcast, BORIS)

    results = await asyncio.gather(
        *(engine.approvals.publish(broadcast, CITY, by=ANNA, revision=1) for _ in range(4)),
        return_exceptions=True,
    )

    assert sum(not isinstance(result, StateError) for result in results) == 1
    assert await engine.state(broadcast) == "scheduled"


async def test_another_accounts_broadcast_does_not_exist(engine: Engine):
    broadcast = await in_review(engine)
    plain = AccountId("plain")

    with pytest.raises(NotFound):
        await engine.approvals.approve(broadcast, plain, by=BORIS, revision=1, text="")
    with pytest.raises(NotFound):
        await engine.approvals.publish(broadcast, plain, by=BORIS, revision=1)
    with pytest.raises(NotFound):
        await engine.approvals.comment(broadcast, plain, by=BORIS, text="你好")


async def test_earlier_revisions_stay_with_who_wrote_them(engine: Engine):
    broadcast = await in_review(engine)
    await engine.editing.edit(broadcast, order(title="二", url="https://a.gov.cn/"), author=BORIS)
    await engine.editing.edit(
        broadcast, order(title="三", data=DATA | {"reason": "抢修"}), author=ANNA
    )

    found = await engine.approvals.revisions(broadcast)

    assert [(each.number, each.by, each.broadcast.title) for each in found] == [
        (3, ANNA, "三"),
        (2, BORIS, "二"),
        (1, ANNA, "停水通知"),
    ]
    assert [each.broadcast.url for each in found] == [None, "https://a.gov.cn/", None]
    assert found[0].broadcast == await engine.find(broadcast)
    second = await engine.approvals.revision(broadcast, 2)
    assert second == found[1]
    assert await engine.approvals.revision(broadcast, 4) is None


async def test_a_copy_left_by_a_crash_before_the_edit_is_not_shown_twice(engine: Engine):
    broadcast = await in_review(engine)
    current = await engine.find(broadcast)
    await engine.approvals._revisions._keep(  # as far as an edit comes that dies then
        await engine.database["broadcasts"].find_one({"_id": broadcast}), 1
    )

    assert [each.broadcast for each in await engine.approvals.revisions(broadcast)] == [current]
    edited = await engine.editing.edit(broadcast, order(title="改"), author=ANNA)
    assert [each.number for each in await engine.approvals.revisions(broadcast)] == [2, 1]
    assert replace(edited, title="停水通知").title == current.title


async def test_a_long_comment_is_refused_and_a_hostile_one_kept_as_it_is(engine: Engine):
    broadcast = await in_review(engine)
    hostile = "<script>alert(1)</script>{{7*7}} =cmd \u202e $where"

    with pytest.raises(InvalidInput, match="1000"):
        await engine.approvals.comment(broadcast, CITY, by=BORIS, text="长" * 1001)
    kept = await engine.approvals.comment(broadcast, CITY, by=BORIS, text=hostile)

    assert (await engine.approvals.records(broadcast))[0].text == hostile == kept.text


def test_makers_are_read_by_name():
    assert name_of(ANNA) == "安娜"
    assert name_of("key:ab12:税务局") == "税务局（接口）"
    assert name_of("digest") == "digest"
