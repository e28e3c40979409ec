"""All ways out of a sub-chunk that is not sent over template messages alone."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Self

from domain import mass
from domain.channel import ChannelName
from domain.clock import Clock
from domain.delivery import Outcome
from domain.ids import AccountId, OpenId
from domain.ledger import SAFE_TO_REPEAT, Batch, Delivery
from push.channels.base import Channel, Leave
from push.channels.mass import MassChannel
from push.channels.one_by_one import CustomChannel, SubscriptionChannel, TemplateChannel
from push.channels.walk import Walk
from push.jobs import Job
from push.ports import Gateway
from push.rounds import Round
from push.sender import Sender
from storage.mongo.attempts import MongoAttempts
from storage.mongo.consents import MongoConsents
from storage.mongo.mass_jobs import MongoMassJobs
from storage.mongo.slots import MongoSlots
from storage.redis.windows import Windows


class Ways:
    """What `push.chunks` asks when a message may go another way than as a template message."""

    def __init__(self, walk: Walk, mass_channel: MassChannel, clock: Clock) -> None:
        self._walk = walk
        self._mass = mass_channel
        self._clock = clock

    @classmethod
    def over(
        cls,
        gateways: Mapping[AccountId, Gateway],
        sender: Sender,
        *,
        consents: MongoConsents,
        attempts: MongoAttempts,
        slots: MongoSlots,
        mass_jobs: MongoMassJobs,
        windows: Windows,
        clock: Clock,
    ) -> Self:
        """Put the channels together."""
        channels: dict[ChannelName, Channel] = {
            "template": TemplateChannel(sender),
            "subscription": SubscriptionChannel(gateways, consents, attempts, sender, clock),
            "custom": CustomChannel(gateways, windows, attempts, sender, clock),
        }
        walk = Walk(channels, attempts, clock)
        return cls(walk, MassChannel(gateways, mass_jobs, slots, clock), clock)

    @staticmethod
    def is_mass(job: Job) -> bool:
        return "mass" in job.content.channels

    def may_repeat(self, job: Job) -> bool:
        """Whether a send of this job that may have been carried out may be made once more."""
        return self.is_mass(job) or "template" in job.content.channels

    def safe_to_repeat(self, job: Job) -> timedelta:
        """How long after the first intent that does no harm."""
        return mass.SAFE_TO_REPEAT if self.is_mass(job) else SAFE_TO_REPEAT

    async def go(
        self, job: Job, batch: Batch, people: Sequence[OpenId], found: Round, leave: Leave
    ) -> None:
        """Send to people of whom nobody was sent anything yet."""
        way = self._mass if self.is_mass(job) else self._walk
        await way.go(job, batch, people, found, leave)

    async def repeat(
        self, job: Job, batch: Batch, people: Sequence[OpenId], found: Round, leave: Leave
    ) -> None:
        """Make a mass send again of which nobody knows what became."""
        await self._mass.repeat(job, batch, people, found, leave)

    async def split(
        self, job: Job, batch: Batch, people: Sequence[OpenId], found: Round
    ) -> list[OpenId]:
        """Set those aside, as unknown, to whom an unrepeatable send was begun before a crash.

        The others are sent a template message when it is among the channels, so what was reserved
        for them on another one is given back.
        """
        if self.is_mass(job):
            return list(people)
        rest = await self._walk.split(batch, people, found)
        if rest and self.may_repeat(job):
            await self._walk.release(job, batch, rest)
        return rest

    async def write_off(
        self, job: Job, batch: Batch, people: Sequence[OpenId], reason: str
    ) -> list[Delivery]:
        """Conclude people of a cancelled batch that was begun, as exactly as can be told."""
        if self.is_mass(job):
            if await self._mass.was_called(batch):
                return self._all(people, "unknown", f"{reason} while it was being sent")
            await self._mass.release(batch, people)
            return self._all(people, "skipped", reason)
        found = Round()
        rest = await self._walk.split(batch, people, found)
        await self._walk.release(job, batch, rest)
        doubt: Outcome = "unknown" if self.may_repeat(job) else "skipped"
        return [*found.deliveries, *self._all(rest, doubt, f"{reason} while it was being sent")]

    def _all(self, people: Sequence[OpenId], state: Outcome, reason: str) -> list[Delivery]:
        now = self._clock.now()
        return [Delivery(openid=openid, state=state, at=now, reason=reason) for openid in people]
