"""The ledger of a broadcast (发送台账): batches, their sub-chunks, and what became of each person.

A batch is a disjoint part of the audience, written once. It is worked off in sub-chunks. A
sub-chunk is closed exactly once, in one update that also adds its outcomes to the batch's
counters; whoever could not be concluded moves into a child of it in the same update:

- `…r`  known not to have been sent: they start anew, with an intent of their own;
- `…p`  the same, but refused for a reason of their own (too many messages to this person);
- `…u`  may have been sent (no answer came, or the process died): they keep the moment of
  the first intent, because the platform recognises a repeat for ten minutes from there.

When nobody of a sub-chunk was concluded and all wait alike, it needs no child: it is put back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from domain.broadcast import Priority, Rank
from domain.channel import TEMPLATE_ONLY, ChannelName, SubscriptionNotice
from domain.delivery import Outcome
from domain.ids import AccountId, BroadcastId, OpenId

# the platform forgets a client_msg_id ten minutes after it saw it first; one minute is kept
# for clocks that differ and for requests on their way
SAFE_TO_REPEAT = timedelta(minutes=9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is sent, frozen at scheduling: the account's template and its finished fields.

    `channels` are the ways to be tried, in this order; what the others than template send stands
    in `notice` (subscription) and `text` (custom, mass).
    """

    template_id: str
    fields: Mapping[str, str] = field(repr=False)  # WeChat key → value
    url: str | None = None
    channels: tuple[ChannelName, ...] = TEMPLATE_ONLY
    notice: SubscriptionNotice | None = None
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch about to be written. `cursor` is where fan-out goes on after it."""

    broadcast: BroadcastId
    account: AccountId
    seq: int
    people: tuple[OpenId, ...]
    cursor: str
    queue: str
    priority: Priority
    rank: Rank = "bulk"
    parent: BroadcastId | None = None
    due_at: datetime
    chunk_size: int | None = None  # None: as the ledger cuts all others

    @property
    def id(self) -> str:
        return batch_id(self.broadcast, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A sub-chunk: positions within its batch that are sent together."""

    id: str
    positions: tuple[int, ...]
    intended_at: datetime | None = None  # set: some of them may have been sent
    due_at: datetime | None = None
    tries: int = 0  # how often it was put off for a reason other than throttling


@dataclass(slots=True, kw_only=True)
class Batch:
    """A leased batch as its worker holds it. `attempt` fences every write."""

    id: str
    broadcast: BroadcastId
    account: AccountId
    seq: int
    queue: str
    owner: str
    attempt: int
    lease_until: datetime
    people: tuple[OpenId, ...] = field(repr=False)
    open: dict[str, Chunk]  # sub-chunks that are not closed yet
    rank: Rank = "bulk"
    leaving: bool = False  # its worker is being stopped: begin nobody else
    lost: bool = False  # somebody else has it now: write nothing, send nothing
    msgids: list[str] = field(default_factory=list)  # sent in this lease: receipts may be waiting
    nameless: list[str] = field(default_factory=list)  # the same, deliveries without a message id

    def is_held(self, now: datetime) -> bool:
        """Whether this worker may still act on the batch."""
        return not self.lost and now < self.lease_until


class Delivery(NamedTuple):
    """What became of one person (投递); a tuple, because a million of them are made."""

    openid: OpenId
    state: Outcome
    at: datetime
    errcode: int | None = None
    reason: str = ""
    msgid: str | None = None
    channel: ChannelName | None = None  # that it was sent over, or tried last


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A broadcast's sums over its batches."""

    people: int = 0
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0

    @property
    def concluded(self) -> int:
        """How many people an outcome is known for."""
        return self.sent + self.failed + self.skipped + self.unknown


def batch_id(broadcast: BroadcastId, seq: int) -> str:
    """Return the id that makes a batch unique on (broadcast, seq)."""
    return f"{broadcast}:{seq}"


def delivery_id(broadcast: BroadcastId, openid: OpenId) -> str:
    """Return the id that makes a delivery unique on (broadcast, recipient)."""
    return f"{broadcast}:{openid}"


def client_msg_id(broadcast: BroadcastId, openid: OpenId) -> str:
    """Return the platform's idempotency key: stable, and at most 32 characters."""
    return sha256(delivery_id(broadcast, openid).encode()).hexdigest()[:32]


def tally(outcomes: Iterable[Outcome]) -> Counter[Outcome]:
    """Count people per outcome."""
    return Counter(outcomes)


def first_chunks(size: int, chunk_size: int) -> dict[str, Chunk]:
    """Cut a batch into the sub-chunks it begins with."""
    return {
        str(number): Chunk(
            id=str(number),
            positions=tuple(range(start, min(start + chunk_size, size))),
        )
        for number, start in enumerate(range(0, size, chunk_size))
    }
