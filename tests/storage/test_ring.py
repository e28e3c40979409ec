"""The ring: urgent first, the rest in turn; losing any of it loses nothing."""

import asyncio

from redis.asyncio import Redis

from domain.ids import AccountId, BroadcastId
from storage.redis.ring import GROUP, Lane, Ring, Ticket, notices_queue, queue_of, rank_of

LONG, SHORT, URGENT = (
    queue_of(AccountId("city"), BroadcastId(name)) for name in ("long", "short", "urgent")
)


async def test_an_entry_is_given_to_one_worker_only(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", [f"b:{number}" for number in range(10)])

    taken = await asyncio.gather(*(Ring(redis).take(f"w{n}", free=4) for n in range(4)))

    batches = [ticket.batch for tickets in taken for ticket in tickets]
    assert sorted(batches) == [f"b:{number}" for number in range(10)]


async def test_urgent_comes_first_and_the_rest_in_turn(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", [f"l:{number}" for number in range(50)])
    await ring.add(SHORT, "normal", ["s:0"])
    await ring.add(URGENT, "urgent", ["u:0", "u:1"])

    first = [ticket.batch for ticket in await ring.take("w", free=4)]

    assert first[0] == "u:0"
    assert "s:0" in first


async def test_a_busy_worker_takes_one_from_a_queue_it_holds_nothing_of(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", ["l:0", "l:1"])
    await ring.add(SHORT, "normal", ["s:0", "s:1"])

    taken = await ring.take("w", free=0, extra=1, held={LONG})

    assert [ticket.batch for ticket in taken] == ["s:0"]


async def test_queues_of_an_account_that_may_not_send_are_left_alone(redis: Redis):
    ring = Ring(redis)
    other = queue_of(AccountId("county"), BroadcastId("other"))
    await ring.add(LONG, "normal", ["l:0"])
    await ring.add(other, "normal", ["o:0"])

    taken = await ring.take("w", free=4, extra=4, resting={(AccountId("city"), "bulk")})

    assert [ticket.batch for ticket in taken] == ["o:0"]


async def test_no_more_is_read_than_there_are_free_slots(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", [f"l:{number}" for number in range(50)])

    assert len(await ring.take("w", free=3)) == 3
    assert await ring.take("w", free=0) == []


async def test_settled_entries_are_gone_from_stream_and_group(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", ["l:0"])
    tickets = await ring.take("w", free=1)

    await ring.settle(tickets)

    assert await redis.xlen(ring.prefix + LONG) == 0
    assert (await redis.xpending(ring.prefix + LONG, GROUP))["pending"] == 0


async def test_a_missing_group_is_made_again(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", ["l:0"])
    await ring.take("w", free=1)
    await redis.flushdb()
    await ring.add(LONG, "normal", ["l:1"])

    assert [ticket.batch for ticket in await ring.take("w", free=5)] == ["l:1"]


async def test_restoring_adds_what_is_missing_and_nothing_twice(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", ["l:0", "l:2"])

    restored = await ring.restore(LONG, "normal", ["l:0", "l:1", "l:2", "l:3"])

    assert restored == 2
    taken = [ticket.batch for ticket in await ring.take("w", free=9)]
    assert sorted(taken) == ["l:0", "l:1", "l:2", "l:3"]


async def test_a_queue_needs_ringing_when_it_is_short_or_not_read(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", ["l:0", "l:1"])

    assert not await ring.needs(LONG, 2)
    assert await ring.needs(LONG, 3)
    await ring.silence(LONG)
    assert await ring.needs(LONG, 2)


async def test_a_silenced_queue_is_not_read_until_it_is_activated(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", ["l:0"])
    await ring.silence(LONG)
    assert await ring.take("w", free=5) == []

    await ring.activate(LONG, "normal")

    assert len(await ring.take("w", free=5)) == 1


async def test_a_dropped_queue_leaves_nothing(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", ["l:0"])

    await ring.drop(LONG)

    assert await redis.keys("wz:ring*") == []


async def test_entries_of_a_dead_worker_are_put_back_even_without_traffic(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", ["l:0", "l:1"])
    await ring.take("dead", free=2)

    assert await ring.rescue(stale_ms=60_000) == 0  # it may still be alive
    assert await ring.rescue(stale_ms=0) == 2

    tickets: list[Ticket] = await ring.take("alive", free=5)
    assert [ticket.batch for ticket in tickets] == ["l:0", "l:1"]


async def test_a_notice_comes_before_bulk_and_after_urgent(redis: Redis):
    ring, notices = Ring(redis), notices_queue(AccountId("city"))
    await ring.add(LONG, "normal", [f"l:{number}" for number in range(50)])
    await ring.add(notices, "normal", ["n:0", "n:1"])
    await ring.add(URGENT, "urgent", ["u:0"])

    taken = [ticket.batch for ticket in await ring.take("w", free=4)]

    assert taken == ["u:0", "n:0", "n:1", "l:0", "l:1", "l:2", "l:3"]  # four of each rank
    assert [rank_of(queue, "normal") for queue in (notices, LONG)] == ["personal", "bulk"]


async def test_a_full_lane_of_bulk_leaves_room_for_the_other_ranks_and_accounts(redis: Redis):
    ring = Ring(redis)
    other = queue_of(AccountId("other"), BroadcastId("long"))
    await ring.add(LONG, "normal", [f"l:{number}" for number in range(50)])
    await ring.add(other, "normal", [f"o:{number}" for number in range(50)])
    await ring.add(notices_queue(AccountId("city")), "normal", ["n:0"])
    room: dict[Lane, int] = {(AccountId("city"), "bulk"): 0}

    taken = await ring.take("w", free=3, room=lambda lane: room.get(lane, 3), held={LONG})

    assert sorted(ticket.batch for ticket in taken) == ["n:0", "o:0", "o:1", "o:2"]


async def test_accounts_take_turns_however_many_broadcasts_one_of_them_has(redis: Redis):
    ring = Ring(redis)
    for number in range(20):
        queue = queue_of(AccountId("big"), BroadcastId(f"b{number}"))
        await ring.add(queue, "normal", [f"b{number}:{entry}" for entry in range(20)])
    small = queue_of(AccountId("small"), BroadcastId("one"))
    await ring.add(small, "normal", [f"s:{entry}" for entry in range(40)])

    taken = [ticket for _ in range(8) for ticket in await ring.take("w", free=4)]

    of_small = sum(ticket.queue == small for ticket in taken)
    assert (len(taken), of_small) == (32, 16)


async def test_a_small_broadcast_has_its_turn_beside_a_long_one_of_its_account(redis: Redis):
    ring = Ring(redis)
    await ring.add(LONG, "normal", [f"l:{number}" for number in range(2000)])
    await ring.take("w", free=8)
    await ring.add(SHORT, "normal", ["s:0", "s:1", "s:2"])

    taken = [ticket.batch for _ in range(6) for ticket in await ring.take("w", free=1)]

    assert {"s:0", "s:1", "s:2"} <= set(taken)
