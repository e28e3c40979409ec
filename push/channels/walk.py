"""The walk (渠道选择): each recipient along the topic's channels, to the first that may carry.

- A channel refuses before anything leaves (no consent, no open window) or in its answer (43101,
  45015 …): the person goes on to the next one in the same pass.
- What can only be sent once is written down per person before it leaves (`storage.mongo.attempts`).
  So after a crash those and only those become unknown; everybody else is taken along again.
- Whoever no channel may carry is skipped, with what each channel said.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from domain.channel import TITLES, ChannelName
from domain.clock import Clock
from domain.delivery import Outcome
from domain.ids import OpenId
from domain.ledger import Batch, Delivery
from push.channels.base import Channel, Leave
from push.jobs import Job
from push.rounds import Round
from push.sender import MayGoOn, Result
from storage.mongo.attempts import MongoAttempts
from storage.mongo.ledger import LeaseLost
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

NO_CHANNEL = "no channel may carry it"
STORE_BACK = timedelta(seconds=1)


class Walk:
    """Takes people along several channels."""

    def __init__(
        self, channels: Mapping[ChannelName, Channel], attempts: MongoAttempts, clock: Clock
    ) -> None:
        self._channels = channels
        self._attempts = attempts
        self._clock = clock

    async def go(
        self, job: Job, batch: Batch, people: Sequence[OpenId], found: Round, leave: Leave
    ) -> None:
        """Take people of whom nobody was sent anything yet along all channels."""
        waiting = list(people)
        said: dict[OpenId, list[str]] = {openid: [] for openid in people}
        for name in job.content.channels:
            if not waiting:
                return
            if found.must_stop:
                found.afresh += waiting
                return
            waiting = await self._one(self._channels[name], job, batch, waiting, found, leave, said)
        if found.must_stop:
            found.afresh += waiting
            return
        found.deliveries += [
            self._delivery(openid, "skipped", f"{NO_CHANNEL}: {'; '.join(said[openid])}")
            for openid in waiting
        ]

    async def split(self, batch: Batch, people: Sequence[OpenId], found: Round) -> list[OpenId]:
        """Record as unknown whom an unrepeatable send was begun for; return the others."""
        begun = await self._attempts.begun(batch.broadcast, people)
        found.deliveries += [
            self._delivery(
                openid,
                "unknown",
                f"may have been sent as {TITLES[channel]}, which must not be repeated",
                channel,
            )
            for openid, channel in begun.items()
        ]
        return [openid for openid in people if openid not in begun]

    async def release(self, job: Job, batch: Batch, people: Sequence[OpenId]) -> None:
        """Give back what was reserved for people who certainly were not sent anything."""
        for name in job.content.channels:
            await self._channels[name].settle(job, batch, spent=(), unspent=people, turned_away={})

    async def _one(
        self,
        channel: Channel,
        job: Job,
        batch: Batch,
        people: Sequence[OpenId],
        found: Round,
        leave: Leave,
        said: Mapping[OpenId, list[str]],
    ) -> list[OpenId]:
        """Take people to one channel and return whom it did not carry."""
        try:
            admitted = await channel.admit(job, batch, people)
        except StoreAway as error:
            log.warning("channel.away", extra={"channel": channel.name, "reason": f"{error}"})
            found.halted_until = self._clock.now() + STORE_BACK
            found.afresh += people
            return []
        for openid, reason in admitted.refused.items():
            said[openid].append(f"{TITLES[channel.name]}: {reason}")
        carried = set(admitted.people)
        begun_before = [o for o in people if o not in carried and o not in admitted.refused]
        await self.split(batch, begun_before, found)

        async def one(openid: OpenId, may_go_on: MayGoOn) -> Result:
            return await channel.send(job, batch, openid, may_go_on)

        if carried:
            try:
                await leave(admitted.people, one)
            except LeaseLost:  # what we hold is ours to give back all the same
                await self._settle(channel, job, batch, carried, found)
                raise
            await self._settle(channel, job, batch, carried, found)
        away, found.turned_away = found.turned_away, {}
        for openid, answer in away.items():
            said[openid].append(f"{TITLES[channel.name]}: {answer.reason}")
        return [openid for openid in people if openid in admitted.refused or openid in away]

    async def _settle(
        self, channel: Channel, job: Job, batch: Batch, carried: set[OpenId], found: Round
    ) -> None:
        spent = {
            delivery.openid
            for delivery in found.deliveries
            if delivery.openid in carried and delivery.state in ("sent", "unknown")
        }
        spent |= carried.intersection(found.at_risk)
        await channel.settle(
            job, batch, spent=spent, unspent=carried - spent, turned_away=found.turned_away
        )

    def _delivery(
        self, openid: OpenId, state: Outcome, reason: str, channel: ChannelName | None = None
    ) -> Delivery:
        return Delivery(
            openid=openid, state=state, at=self._clock.now(), reason=reason, channel=channel
        )
