"""Before approval a broadcast can be edited; an approval is of one revision, by somebody else."""

import asyncio
from dataclasses import fields

import pytest

from domain.broadcast import ORDERED, Audience, Broadcast
from domain.errors import NotAllowed, NotFound, StateError
from domain.ids import AccountId, BroadcastId
from push.orders import BroadcastOrder, OrderRefused
from tests.support.platform import Platform
from tests.support.push import DATA, Engine, FlowingClock, order


async def _in_review(engine: Engine, **changes) -> BroadcastId:
    accepted = await engine.broadcasts.create(order(**changes), author="drafter", publish=False)
    return accepted.id


async def test_an_edit_is_a_new_revision_in_review(engine: Engine):
    broadcast = await _in_review(engine)

    edited = await engine.editing.edit(
        broadcast, order(title="改后的标题", cron="@workdays 09:00"), author="editor"
    )

    found = await engine.find(broadcast)
    assert found == edited
    assert (found.state, found.revision, found.title) == ("in_review", 2, "改后的标题")
    assert (found.author, found.edited_by) == ("drafter", ("editor",))


def test_an_edit_replaces_everything_that_an_order_can_say():
    said = {field.name for field in fields(BroadcastOrder)} - {"account", "idempotency_key"}

    assert set(ORDERED) == said
    assert set(ORDERED) <= {field.name for field in fields(Broadcast)}


async def test_what_an_edit_leaves_out_is_gone(engine: Engine):
    window = (FlowingClock().now().time().replace(9, 0, 0, 0),) * 2
    window = (window[0], window[1].replace(hour=18))
    broadcast = await _in_review(engine, window=window, url="https://example.gov.cn/a")

    await engine.editing.edit(broadcast, order(), author="editor")

    found = await engine.find(broadcast)
    assert (found.window, found.url) == (None, None)


async def test_an_approval_of_an_older_revision_is_void(engine: Engine):
    broadcast = await _in_review(engine)
    await engine.editing.edit(broadcast, order(title="改后的标题"), author="editor")

    with pytest.raises(StateError, match="第 2 版"):
        await engine.broadcasts.approve(broadcast, by="reviewer", revision=1)
    assert await engine.state(broadcast) == "in_review"

    approved = await engine.broadcasts.approve(broadcast, by="reviewer", revision=2)
    assert approved.state == "scheduled"


@pytest.mark.parametrize("who", ["drafter", "editor"])
async def test_neither_drafter_nor_editor_may_approve(engine: Engine, who: str):
    broadcast = await _in_review(engine)
    await engine.editing.edit(broadcast, order(title="改后的标题"), author="editor")

    with pytest.raises(NotAllowed):
        await engine.broadcasts.approve(broadcast, by=who, revision=2)


async def test_the_same_order_again_changes_nothing(engine: Engine):
    broadcast = await _in_review(engine)

    first = await engine.editing.edit(broadcast, order(title="改"), author="editor")
    again = await engine.editing.edit(broadcast, order(title="改"), author="another")

    assert (first.revision, again.revision) == (2, 2)
    assert again.edited_by == ("editor",)


async def test_what_was_rejected_goes_into_review_again_when_edited(engine: Engine):
    broadcast = await _in_review(engine)
    await engine.broadcasts.reject(broadcast, by="reviewer", reason="错别字")

    edited = await engine.editing.edit(broadcast, order(title="改"), author="drafter")

    assert (edited.state, edited.reason, edited.revision) == ("in_review", "", 2)


@pytest.mark.parametrize("verb", ["approve", "cancel"])
async def test_after_approval_or_cancelling_nothing_can_be_edited(engine: Engine, verb: str):
    broadcast = await _in_review(engine)
    if verb == "approve":
        await engine.broadcasts.approve(broadcast, by="reviewer", revision=1)
    else:
        await engine.broadcasts.cancel(broadcast)

    with pytest.raises(StateError, match="不能再修改"):
        await engine.editing.edit(broadcast, order(title="改"), author="drafter")
    assert (await engine.find(broadcast)).title == "停水通知"


async def test_an_edit_is_checked_like_an_order_and_another_accounts_is_not_found(engine: Engine):
    broadcast = await _in_review(engine)

    with pytest.raises(OrderRefused):
        await engine.editing.edit(broadcast, order(data={}), author="drafter")
    with pytest.raises(NotFound):
        await engine.editing.edit(broadcast, order(account=AccountId("plain")), author="drafter")
    assert (await engine.find(broadcast)).revision == 1


async def test_of_an_edit_and_an_approval_at_once_one_wins_and_they_never_mix(
    engine: Engine, platform: Platform
):
    await engine.follow(1)
    for number in range(10):
        broadcast = await _in_review(engine)
        await asyncio.gather(
            engine.editing.edit(
                broadcast, order(title=f"改 {number}", data=DATA | {"area": "另一处"}), author="e"
            ),
            engine.broadcasts.approve(broadcast, by="reviewer", revision=1),
            return_exceptions=True,
        )
        found = await engine.find(broadcast)
        content = await engine.store.find_content(broadcast)
        if found.state == "scheduled":
            assert (found.revision, found.title) == (1, "停水通知")
            assert content is not None
            assert "另一处" not in content.fields.values()
        else:
            assert (found.state, found.revision) == ("in_review", 2)


async def test_two_edits_at_once_are_two_revisions(engine: Engine):
    broadcast = await _in_review(engine)

    await asyncio.gather(
        engine.editing.edit(broadcast, order(title="甲"), author="a"),
        engine.editing.edit(broadcast, order(title="乙"), author="b"),
    )

    found = await engine.find(broadcast)
    assert found.revision == 3
    assert set(found.edited_by) == {"a", "b"}


async def test_an_edit_may_change_whom_it_is_for(engine: Engine):
    people = await engine.follow(2)
    broadcast = await _in_review(engine)

    await engine.editing.edit(broadcast, order(Audience(openids=(people[0],))), author="editor")

    assert (await engine.counts(broadcast)).audience == 1
