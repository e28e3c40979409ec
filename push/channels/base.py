"""What a channel is to the engine: whom it may carry, how it sends, what a repeat does."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from domain.channel import ChannelName
from domain.ids import OpenId
from domain.ledger import Batch
from push.jobs import Job
from push.sender import MayGoOn, NotThisWay, Result

One = Callable[[OpenId, MayGoOn], Awaitable[Result | None]]
# take people along at the account's pace while their broadcast may go on; who was not begun
# stands in the round's `afresh` afterwards
Leave = Callable[[Sequence[OpenId], One], Awaitable[None]]


@dataclass(slots=True)
class Admitted:
    """Whom a channel may carry, and why not the others. What was taken for them is reserved."""

    people: list[OpenId] = field(default_factory=list)
    refused: dict[OpenId, str] = field(default_factory=dict)


class Channel(Protocol):
    """One way to a citizen."""

    @property
    def name(self) -> ChannelName: ...

    @property
    def guard(self) -> timedelta | None:
        """How long repeating the very same send does no harm; None: never."""
        ...

    @property
    def receipt(self) -> str:
        """The event that tells the result; "" when none comes."""
        ...

    async def admit(self, job: Job, batch: Batch, people: Sequence[OpenId]) -> Admitted:
        """Reserve what a send to each of them needs. Repeating it reserves nothing twice."""
        ...

    async def send(self, job: Job, batch: Batch, openid: OpenId, may_go_on: MayGoOn) -> Result:
        """Send to one person who was admitted."""
        ...

    async def settle(
        self,
        job: Job,
        batch: Batch,
        *,
        spent: Collection[OpenId],
        unspent: Collection[OpenId],
        turned_away: Mapping[OpenId, NotThisWay],
    ) -> None:
        """Use up what was reserved for those sent to, and give back what was for the others.

        `spent` may have got it, `unspent` certainly did not; `turned_away` are among the latter.
        """
        ...
