"""Claims, queues and stored answers: one message runs once, one citizen's run in order."""

import asyncio
from datetime import timedelta

import pytest

from domain.conversation import Answer, TextMessage, Unfollow
from domain.ids import AccountId, OpenId
from storage.redis.guards import Guards, Lost, Running, Ticket
from storage.redis.sealing import Sealer
from tests.support.clock import START

SHORT = timedelta(milliseconds=120)


def message(number: int, openid: str = "oA", account: str = "city") -> TextMessage:
    return TextMessage(
        account=AccountId(account),
        openid=OpenId(openid),
        at=START,
        dedupe_key=f"m:{openid}:{number}",
        text="hi",
    )


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(bytes(96))


@pytest.fixture
def guards(redis, sealer) -> Guards:
    return Guards(redis, sealer)


@pytest.fixture
def forgetful(redis, sealer) -> Guards:
    """Guards whose leases run out at once."""
    return Guards(redis, sealer, lease=SHORT)


async def claimed(guards: Guards, number: int, **whose: str) -> Ticket:
    ticket = await guards.begin(message(number, **whose))
    assert isinstance(ticket, Ticket)
    return ticket


async def expire() -> None:
    await asyncio.sleep(SHORT.total_seconds() * 1.3)


async def test_a_message_is_claimed_once_and_answered_from_the_store(guards):
    ticket = await claimed(guards, 1)

    assert isinstance(await guards.begin(message(1)), Running)
    await guards.finish(ticket, Answer("text", "好"))
    assert await guards.begin(message(1)) == Answer("text", "好")


async def test_accounts_and_people_do_not_share_messages(guards):
    await claimed(guards, 1)

    assert (await claimed(guards, 1, openid="oB")).before == 0
    assert (await claimed(guards, 1, account="plain")).before == 0


async def test_messages_of_one_citizen_take_turns_in_the_order_they_came(guards):
    first, second, third = [await claimed(guards, number) for number in (1, 2, 3)]
    assert [first.before, second.before, third.before] == [0, 1, 2]

    await guards.finish(first, Answer.nothing(), change="save", session=b"after first")
    await guards.wait(third)
    await guards.wait(second)

    assert (second.before, second.session) == (0, b"after first")
    assert (third.before, third.session) == (1, None)


async def test_two_people_do_not_wait_for_each_other(guards):
    await claimed(guards, 1)

    assert (await claimed(guards, 2, openid="oB")).before == 0


async def test_a_session_is_saved_kept_and_dropped(guards):
    await guards.finish(await claimed(guards, 1), Answer.nothing(), change="save", session=b"s")
    second = await claimed(guards, 2)
    assert second.session == b"s"
    await guards.finish(second, Answer.nothing())
    third = await claimed(guards, 3)
    assert third.session == b"s"
    await guards.finish(third, Answer.nothing(), change="drop")

    assert (await claimed(guards, 4)).session is None


async def test_a_dead_owner_loses_its_message_and_its_place(forgetful, guards):
    await claimed(forgetful, 1)
    waiting = await claimed(guards, 2)
    assert waiting.before == 1

    await expire()

    assert await guards.wait(waiting)
    assert waiting.before == 0
    assert (await claimed(guards, 1)).before == 1  # its repeat starts afresh, behind


async def test_who_renews_keeps_message_and_place(forgetful, guards):
    owner = await claimed(forgetful, 1)
    waiting = await claimed(guards, 2)

    for _ in range(4):
        await asyncio.sleep(SHORT.total_seconds() / 3)
        assert await forgetful.beat(owner)

    assert isinstance(await guards.begin(message(1)), Running)
    assert await guards.wait(waiting)
    assert waiting.before == 1


async def test_an_owner_that_stalled_cannot_store_over_the_new_one(forgetful, guards):
    stalled = await claimed(forgetful, 1)
    await expire()
    new = await claimed(guards, 1)
    assert not await forgetful.wait(stalled)

    lost = await forgetful.finish(
        stalled, Answer("text", "old"), change="save", session=b"old session"
    )

    assert lost == Lost(None)
    await guards.finish(new, Answer("text", "new"))
    assert await guards.begin(message(1)) == Answer("text", "new")
    assert (await claimed(guards, 2)).session is None
    again = await forgetful.finish(stalled, Answer("text", "old"))
    assert again == Lost(Answer("text", "new"))


async def test_an_owner_that_stalled_alone_still_stores_its_answer(forgetful):
    stalled = await claimed(forgetful, 1)
    await expire()

    assert await forgetful.finish(stalled, Answer("text", "late")) is None

    assert await forgetful.begin(message(1)) == Answer("text", "late")


async def test_a_notice_answers_repeats_while_the_work_goes_on(guards):
    ticket = await claimed(guards, 1)
    await guards.notice(ticket, Answer("text", "wait"))
    following = await claimed(guards, 2)

    assert await guards.begin(message(1)) == Answer("text", "wait")
    assert following.before == 1
    await guards.finish(ticket, Answer("text", "result"), change="save", session=b"s")
    assert await guards.begin(message(1)) == Answer("text", "wait")
    await guards.wait(following)
    assert (following.before, following.session) == (0, b"s")


async def test_a_beat_beside_a_notice_keeps_the_place(guards):
    first = await claimed(guards, 1)
    second = await claimed(guards, 2)

    _, alive = await asyncio.gather(
        guards.notice(first, Answer("text", "稍等")), guards.beat(first)
    )

    assert alive
    assert await guards.wait(second)
    assert second.before == 1  # the first is still at work


async def test_a_beat_after_the_end_leaves_no_ghost_in_the_queue(guards):
    ticket = await claimed(guards, 1)
    await guards.notice(ticket, Answer("text", "wait"))
    await guards.finish(ticket, Answer("text", "result"))

    await guards.beat(ticket)

    assert (await claimed(guards, 2)).before == 0


async def test_an_abandoned_message_starts_afresh(guards):
    await guards.abandon(await claimed(guards, 1))

    assert (await claimed(guards, 1)).before == 0


async def test_events_that_nobody_waits_for_stay_out_of_the_queue(guards):
    busy = await claimed(guards, 1)
    event = Unfollow(
        account=AccountId("city"), openid=OpenId("oA"), at=message(1).at, dedupe_key="e:1"
    )

    ticket = await guards.begin(event, queued=False)

    assert isinstance(ticket, Ticket)
    assert ticket.before == 0
    assert isinstance(await guards.begin(event, queued=False), Running)
    await guards.finish(ticket, Answer.nothing())
    assert await guards.begin(event, queued=False) == Answer.nothing()
    assert (await claimed(guards, 2)).before == 1
    assert busy.before == 0


async def test_nothing_readable_lies_in_redis(guards, redis):
    await guards.finish(
        await claimed(guards, 1, openid="oVerySecretOpenId"), Answer("text", "余额 123")
    )

    for key in await redis.keys():
        assert b"oVery" not in key
        if await redis.type(key) == b"string":
            assert "余额".encode() not in await redis.get(key)


async def test_everything_in_redis_goes_away_by_itself(guards, redis):
    ticket = await claimed(guards, 1)
    await claimed(guards, 2)
    await guards.finish(ticket, Answer("text", "好"), change="save", session=b"s")

    for key in await redis.keys():
        assert await redis.ttl(key) > 0, key


async def test_answers_are_kept_longer_than_a_push_stays_fresh(guards, redis):
    await guards.finish(await claimed(guards, 1), Answer("text", "好"))

    (key,) = await redis.keys("wz:*:seen:*")
    assert await redis.ttl(key) > 2 * 600  # ten minutes before and after its timestamp


async def test_scripts_survive_a_redis_that_forgot_them(guards, redis):
    await claimed(guards, 1)
    await redis.script_flush()

    assert isinstance(await guards.begin(message(1)), Running)


async def test_many_at_once_get_their_own_answers(guards):
    tickets = await asyncio.gather(*(claimed(guards, n, openid=f"o{n}") for n in range(200)))

    assert {ticket.before for ticket in tickets} == {0}
    assert len({ticket.owner for ticket in tickets}) == 200
    again = await asyncio.gather(*(guards.begin(message(n, f"o{n}")) for n in range(200)))
    assert all(isinstance(found, Running) for found in again)
