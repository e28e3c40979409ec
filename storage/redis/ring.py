"""The ring (待发队列): Redis Streams that tell workers which batch to look at next.

One stream per broadcast and account, and one for all notices of an account; an entry is a batch
id and nothing else. Ranks are read in order (urgent, personal, bulk), and within a rank accounts
take turns, and within an account its queues: a long broadcast keeps nobody else waiting.

Losing any of it loses nothing: the ledger knows what is ready, and a sweep rings again. An entry
is acknowledged and deleted, in one transaction, as soon as the ledger has been asked; from then
on the ledger's lease says when somebody else may try.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from domain.broadcast import RANKS, Priority, Rank
from domain.ids import AccountId, BroadcastId
from storage.redis.scripts import asked

GROUP = "workers"
FIELD = b"b"
NOTICES = "notices"
SCORES: dict[Rank, float] = {"urgent": 0, "personal": 0.5, "bulk": 1}
STALE_MS = 5_000  # an entry read this long ago and not settled belonged to a worker that died
PATIENCE = 5.0
SLICE = 1_000

# what redis-py returns for a range of a stream when it does not decode
Rows = list[tuple[bytes, dict[bytes, bytes]]]
Item = TypeVar("Item")
Lane = tuple[AccountId, Rank]  # what is sent one after the other: an account's sends of one rank


@dataclass(frozen=True, slots=True)
class Ticket:
    """One entry that was read: look at this batch."""

    queue: str
    entry: bytes
    batch: str


def queue_of(account: AccountId, broadcast: BroadcastId) -> str:
    """Return the queue of a broadcast."""
    return f"{account}:{broadcast}"


def account_of(queue: str) -> AccountId:
    """Return whose queue it is."""
    return AccountId(queue.partition(":")[0])


def broadcast_of(queue: str) -> BroadcastId | None:
    """Return whose queue it is; None when many share it."""
    name = queue.partition(":")[2]
    return None if name.startswith(NOTICES) else BroadcastId(name)


def notices_queue(account: AccountId, priority: Priority = "normal") -> str:
    """Return the queue that all notices and digests of an account share; urgent ones their own."""
    return f"{account}:{NOTICES}" if priority == "normal" else f"{account}:{NOTICES}-{priority}"


def rank_of(queue: str, priority: Priority) -> Rank:
    """Return the rank of a queue."""
    if queue == notices_queue(account_of(queue)):
        return "personal"
    return "urgent" if priority == "urgent" else "bulk"


class Ring:
    """The active queues and their entries."""

    prefix = "wz:ring:"
    registry = "wz:ring-queues"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._turn = 0

    async def add(self, queue: str, priority: Priority, batches: Sequence[str]) -> None:
        """Ring for batches; the queue becomes active."""
        for start in range(0, len(batches), SLICE):
            async with asked(PATIENCE):
                pipe = self._redis.pipeline(transaction=False)
                for batch in batches[start : start + SLICE]:
                    pipe.xadd(self._key(queue), {FIELD: batch})
                pipe.zadd(self.registry, {queue: SCORES[rank_of(queue, priority)]})
                await pipe.execute()

    async def take(
        self,
        consumer: str,
        *,
        free: int,
        room: Callable[[Lane], int] | None = None,
        extra: int = 0,
        held: Collection[str] = (),
        resting: Collection[Lane] = (),
    ) -> list[Ticket]:
        """Read at most `free` entries of each rank, and of each lane what it has `room` for.

        A queue of which the caller holds nothing yet may give one entry more, up to `extra`:
        so a long broadcast cannot keep a new one waiting. The queues of `resting` lanes are left
        alone.
        """
        async with asked(PATIENCE):
            queues = await self._queues(resting)
            fresh = [queue for rank in RANKS for queue in queues[rank] if queue not in held]
            tickets = await self._read(consumer, dict.fromkeys(fresh[:extra], 1))
            for rank in RANKS:
                lanes: Counter[Lane] = Counter()
                for queue in queues[rank]:
                    lane = (account_of(queue), rank)
                    lanes[lane] = room(lane) if room is not None else free
                mine = [ticket for ticket in tickets if ticket.queue in queues[rank]]
                lanes.subtract((account_of(ticket.queue), rank) for ticket in mine)
                tickets += await self._take_rank(
                    consumer, queues[rank], free - len(mine), lanes, rank
                )
            return tickets

    async def _take_rank(
        self, consumer: str, queues: Sequence[str], free: int, lanes: Counter[Lane], rank: Rank
    ) -> list[Ticket]:
        tickets: list[Ticket] = []
        while free > 0:
            shares = _shares(queues, free, lanes, rank)
            if not shares:
                break
            found = await self._read(consumer, shares)
            lanes.subtract((account_of(ticket.queue), rank) for ticket in found)
            free -= len(found)
            tickets += found
            given = Counter(ticket.queue for ticket in found)
            queues = [queue for queue in queues if given[queue] == shares.get(queue, 0)]
        return tickets

    async def settle(self, tickets: Iterable[Ticket]) -> None:
        """Acknowledge and delete entries, in one transaction."""
        by_queue: dict[str, list[bytes]] = {}
        for ticket in tickets:
            by_queue.setdefault(ticket.queue, []).append(ticket.entry)
        if not by_queue:
            return
        async with asked(PATIENCE):
            pipe = self._redis.pipeline(transaction=True)
            for queue, entries in by_queue.items():
                pipe.xack(self._key(queue), GROUP, *entries)
                pipe.xdel(self._key(queue), *entries)
            await pipe.execute()

    async def silence(self, queue: str) -> None:
        """Stop reading a queue (pause); its entries stay."""
        async with asked(PATIENCE):
            await self._redis.zrem(self.registry, queue)

    async def activate(self, queue: str, priority: Priority) -> None:
        """Read it again (resume)."""
        async with asked(PATIENCE):
            await self._redis.zadd(self.registry, {queue: SCORES[rank_of(queue, priority)]})

    async def drop(self, queue: str) -> None:
        """Forget a queue with everything in it (cancelled or finished)."""
        async with asked(PATIENCE):
            pipe = self._redis.pipeline(transaction=True)
            pipe.zrem(self.registry, queue)
            pipe.delete(self._key(queue))
            await pipe.execute()

    async def active(self) -> list[str]:
        """Return the queues that are read."""
        async with asked(PATIENCE):
            names = cast(list[bytes], await self._redis.zrange(self.registry, 0, -1))
        return [name.decode() for name in names]

    async def needs(self, queue: str, wanted: int) -> bool:
        """Whether the queue is not read, or holds fewer entries than there are ready batches."""
        async with asked(PATIENCE):
            pipe = self._redis.pipeline(transaction=False)
            pipe.zscore(self.registry, queue)
            pipe.xlen(self._key(queue))
            score, length = await pipe.execute()
        return score is None or int(length) < wanted

    async def restore(self, queue: str, priority: Priority, ready: Sequence[str]) -> int:
        """Ring for those of the ready batches that the queue does not hold; returns how many."""
        present: set[str] = set()
        start = "-"
        while True:
            async with asked(PATIENCE):
                rows = cast(
                    Rows, await self._redis.xrange(self._key(queue), min=start, count=SLICE)
                )
            present.update(fields[FIELD].decode() for _, fields in rows if fields)
            if len(rows) < SLICE:
                break
            start = "(" + rows[-1][0].decode()
        missing = [batch for batch in ready if batch not in present]
        if missing:
            await self.add(queue, priority, missing)
        else:
            await self.activate(queue, priority)
        return len(missing)

    async def rescue(self, *, stale_ms: int = STALE_MS) -> int:
        """Put back entries that a worker read and died with; returns how many."""
        rescued = 0
        async with asked(PATIENCE):
            queues = await self._queues()
            for queue in [queue for rank in RANKS for queue in queues[rank]]:
                rescued += await self._rescue(queue, stale_ms)
        return rescued

    async def _rescue(self, queue: str, stale_ms: int) -> int:
        key = self._key(queue)
        try:
            pending = await self._redis.xpending_range(
                key, GROUP, min="-", max="+", count=SLICE, idle=stale_ms
            )
        except ResponseError as error:
            if _is_no_group(error):
                return 0
            raise
        entries = [row["message_id"] for row in pending]
        if not entries:
            return 0
        kept = cast(Rows, await self._redis.xrange(key, min=entries[0], max=entries[-1]))
        batches = {entry: fields[FIELD] for entry, fields in kept if fields}
        pipe = self._redis.pipeline(transaction=True)
        for entry in entries:
            pipe.xack(key, GROUP, entry)
            pipe.xdel(key, entry)
            if entry in batches:
                pipe.xadd(key, {FIELD: batches[entry]})
        await pipe.execute()
        return len(entries)

    async def _queues(self, resting: Collection[Lane] = ()) -> dict[Rank, list[str]]:
        """Return the active queues of each rank, those whose turn it is first."""
        rows = cast(
            list[tuple[bytes, float]],
            await self._redis.zrange(self.registry, 0, -1, withscores=True),
        )
        ranks: dict[float, Rank] = {score: rank for rank, score in SCORES.items()}
        queues: dict[Rank, list[str]] = {rank: [] for rank in RANKS}
        for name, score in rows:
            queue, rank = name.decode(), ranks.get(score, "bulk")
            if (account_of(queue), rank) not in resting:
                queues[rank].append(queue)
        self._turn += 1
        return {rank: _in_turn(names, self._turn) for rank, names in queues.items()}

    async def _read(self, consumer: str, shares: Mapping[str, int]) -> list[Ticket]:
        """Read from each queue as many entries as its share."""
        if not shares:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for queue, count in shares.items():
            pipe.xreadgroup(GROUP, consumer, {self._key(queue): ">"}, count=count)
        answers = await pipe.execute(raise_on_error=False)
        tickets: list[Ticket] = []
        for (queue, count), found in zip(shares.items(), answers, strict=True):
            answer = found
            if isinstance(answer, ResponseError) and _is_no_group(answer):
                await self._make_group(queue)
                answer = await self._redis.xreadgroup(
                    GROUP, consumer, {self._key(queue): ">"}, count=count
                )
            if isinstance(answer, Exception):
                raise answer
            tickets += _tickets(queue, answer)
        return tickets

    async def _make_group(self, queue: str) -> None:
        try:
            await self._redis.xgroup_create(self._key(queue), GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _key(self, queue: str) -> str:
        return self.prefix + queue


def _in_turn(queues: Sequence[str], turn: int) -> list[str]:
    """Put queues in order: one of each account, then a second one; each time another begins."""
    of_account: dict[AccountId, list[str]] = {}
    for queue in queues:
        of_account.setdefault(account_of(queue), []).append(queue)
    accounts = _from(list(of_account.values()), turn)
    rounds = turn // max(1, len(accounts))
    columns = zip_longest(*(_from(names, rounds) for names in accounts))
    return [queue for column in columns for queue in column if queue is not None]


def _from(items: list[Item], turn: int) -> list[Item]:
    start = turn % len(items) if items else 0
    return items[start:] + items[:start]


def _shares(
    queues: Sequence[str], free: int, lanes: Mapping[Lane, int], rank: Rank
) -> dict[str, int]:
    """Divide what is free: one entry for each account in turn, within it for each of its queues."""
    of_account: dict[AccountId, deque[str]] = {}
    for queue in queues:
        of_account.setdefault(account_of(queue), deque()).append(queue)
    left = {account: lanes[account, rank] for account in of_account}
    shares: Counter[str] = Counter()
    while free > 0 and any(number > 0 for number in left.values()):
        for account, names in of_account.items():
            if free > 0 and left[account] > 0:
                shares[names[0]] += 1
                names.rotate(-1)
                left[account] -= 1
                free -= 1
    return dict(shares)


def _tickets(queue: str, answer: Any) -> list[Ticket]:
    rows = [row for _, entries in answer or [] for row in entries]
    return [Ticket(queue, entry, fields[FIELD].decode()) for entry, fields in rows if fields]


def _is_no_group(error: ResponseError) -> bool:
    return "NOGROUP" in str(error)
