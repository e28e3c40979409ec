"""A draft may be unfinished and is never sent; submitting it makes all the checks of an order."""

import asyncio

import pytest

from domain.audience import AllOf, Bound, OnTopic
from domain.broadcast import Audience
from domain.errors import NotAllowed, NotFound, StateError
from domain.ids import AccountId, TopicId
from domain.people import Subject
from push.editing import Overtaken
from push.orders import OrderRefused
from tests.support.push import WATER, Engine, order

EDITOR, OTHER = "op:1:张编辑", "op:2:李编辑"


async def test_an_unfinished_draft_is_kept_as_it_is(engine: Engine):
    unfinished = order(Audience(), title="  ", template="", data={}, topic=TopicId(""))

    draft = await engine.drafts.save(unfinished, author=EDITOR)

    found = await engine.find(draft.id)
    assert found == draft
    assert (found.state, found.title, found.author) == ("draft", "未命名草稿", EDITOR)
    assert found.due_at is None


async def test_a_draft_is_never_sent(engine: Engine):
    await engine.follow(1)
    draft = await engine.drafts.save(order(), author=EDITOR)

    await engine.plan()

    assert await engine.state(draft.id) == "draft"


async def test_an_unfinished_draft_cannot_be_submitted_and_says_everything_that_is_missing(
    engine: Engine,
):
    draft = await engine.drafts.save(order(Audience(), title="", data={}), author=EDITOR)

    with pytest.raises(OrderRefused) as refused:
        await engine.drafts.submit_kept(draft.id, draft.account, author=EDITOR, revision=1)

    fields = {fault.field for fault in refused.value.faults}
    assert {"audience", "data.area", "data.start", "data.end"} <= fields
    assert await engine.state(draft.id) == "draft"


async def test_a_submitted_draft_is_in_review_and_its_author_cannot_approve_it(engine: Engine):
    draft = await engine.drafts.save(order(title="草"), author=EDITOR)

    submitted = await engine.drafts.submit(
        order(title="定稿"), author=EDITOR, broadcast_id=draft.id, revision=1
    )

    assert (submitted.state, submitted.title, submitted.revision) == ("in_review", "定稿", 2)
    with pytest.raises(NotAllowed):
        await engine.broadcasts.approve(draft.id, by=EDITOR, revision=2)
    approved = await engine.broadcasts.approve(draft.id, by="op:3:审核", revision=2)
    assert approved.state == "scheduled"


async def test_whoever_writes_on_another_ones_draft_cannot_approve_it_either(engine: Engine):
    draft = await engine.drafts.save(order(), author=EDITOR)

    await engine.drafts.save(order(title="改"), author=OTHER, broadcast_id=draft.id)
    submitted = await engine.drafts.submit_kept(draft.id, draft.account, author=EDITOR, revision=2)

    with pytest.raises(NotAllowed):
        await engine.broadcasts.approve(draft.id, by=OTHER, revision=submitted.revision)


async def test_saving_twice_from_one_page_makes_one_draft(engine: Engine):
    page = order(idempotency_key="console:1")

    first, second = await asyncio.gather(
        engine.drafts.save(page, author=EDITOR), engine.drafts.save(page, author=EDITOR)
    )
    later = await engine.drafts.save(order(title="改", idempotency_key="console:1"), author=EDITOR)

    assert first.id == second.id == later.id
    assert (await engine.find(first.id)).title == "改"


async def test_a_page_that_saved_a_draft_submits_that_draft(engine: Engine):
    page = order(idempotency_key="console:1")
    draft = await engine.drafts.save(page, author=EDITOR)

    submitted = await engine.drafts.submit(page, author=EDITOR)

    assert (submitted.id, submitted.state) == (draft.id, "in_review")


async def test_saving_what_is_in_review_takes_it_back_and_voids_the_review(engine: Engine):
    submitted = await engine.drafts.submit(order(), author=EDITOR)

    await engine.drafts.save(order(title="改"), author=EDITOR, broadcast_id=submitted.id)

    with pytest.raises(StateError):
        await engine.broadcasts.approve(submitted.id, by="op:3:审核", revision=1)
    assert await engine.state(submitted.id) == "draft"


async def test_whoever_read_an_older_revision_writes_over_nothing(engine: Engine):
    draft = await engine.drafts.save(order(), author=EDITOR)
    await engine.drafts.save(order(title="甲"), author=OTHER, broadcast_id=draft.id, revision=1)

    with pytest.raises(StateError, match="第 2 版"):
        await engine.drafts.save(
            order(title="乙"), author=EDITOR, broadcast_id=draft.id, revision=1
        )
    with pytest.raises(StateError, match="第 2 版"):
        await engine.drafts.submit(
            order(title="乙"), author=EDITOR, broadcast_id=draft.id, revision=1
        )
    assert (await engine.find(draft.id)).title == "甲"


async def test_what_is_approved_or_another_accounts_is_no_draft(engine: Engine):
    approved = await engine.order()
    draft = await engine.drafts.save(order(), author=EDITOR)

    with pytest.raises(StateError, match="不能再修改"):
        await engine.drafts.save(order(), author=EDITOR, broadcast_id=approved)
    with pytest.raises(NotFound):
        await engine.drafts.find(draft.id, AccountId("plain"))


async def test_a_named_thing_is_hashed_or_refused_before_a_draft_is_kept(engine: Engine):
    def about(plate: str) -> Audience:
        bound = Bound("vehicle", named=Subject(kind="vehicle", value=plate, plate_type="02"))
        return Audience(rule=AllOf((OnTopic(WATER), bound)))

    draft = await engine.drafts.save(order(about("粤B12345")), author=EDITOR)
    with pytest.raises(OrderRefused):
        await engine.drafts.save(order(about("不是车牌")), author=EDITOR)

    kept = await engine.database["broadcasts"].find_one({"_id": draft.id})
    assert "B12345" not in str(kept)


async def test_an_old_new_page_writes_over_nobody_who_edited_meanwhile(engine: Engine):
    page = order(idempotency_key="console:1")
    draft = await engine.drafts.save(page, author=EDITOR)
    await engine.drafts.save(
        order(title="同事改的"), author=OTHER, broadcast_id=draft.id, revision=1
    )
    late = order(title="旧页面", idempotency_key="console:1")

    for write in (engine.drafts.save, engine.drafts.submit):
        with pytest.raises(Overtaken, match="李编辑 已经把这个任务改到第 2 版") as refused:
            await write(late, author=EDITOR)
        assert refused.value.broadcast == draft.id

    assert (await engine.find(draft.id)).title == "同事改的"
    own = await engine.drafts.save(late, author=OTHER, broadcast_id=draft.id)
    assert own.title == "旧页面"


async def test_a_draft_is_given_up_once_and_never_what_others_have_to_do_with(engine: Engine):
    draft = await engine.drafts.save(order(), author=EDITOR)
    with pytest.raises(StateError):
        await engine.drafts.discard(draft.id, draft.account, author=EDITOR, revision=2)
    with pytest.raises(NotFound):
        await engine.drafts.discard(draft.id, AccountId("plain"), author=EDITOR, revision=1)

    both = await asyncio.gather(
        *(
            engine.drafts.discard(draft.id, draft.account, author=EDITOR, revision=1)
            for _ in range(2)
        ),
        return_exceptions=True,
    )

    assert "cancelled" in {getattr(each, "state", "") for each in both}
    assert await engine.state(draft.id) == "cancelled"
    with pytest.raises(StateError):
        await engine.drafts.submit_kept(draft.id, draft.account, author=EDITOR, revision=1)
    other = await engine.drafts.submit(order(title="在审"), author=EDITOR)
    with pytest.raises(StateError, match="只能放弃草稿"):
        await engine.drafts.discard(other.id, other.account, author=EDITOR, revision=1)
    await engine.broadcasts.approve(other.id, by="op:3:审核", revision=1)
    with pytest.raises(StateError, match="只能放弃草稿"):
        await engine.drafts.discard(other.id, other.account, author=EDITOR, revision=1)
