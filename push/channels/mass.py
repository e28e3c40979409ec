"""Mass sends (群发): one call for up to ten thousand people, once.

A batch is one call. Before it, everybody's slot of the month (four a follower) and the account's
slot of the day are taken, and the list is written down. The platform knows a call by its
clientmsgid for a day: after a crash, or without an answer, the same list is submitted again under
the same key, and the answer is the job that is there already.

The answer says only that the job was accepted; MASSSENDJOBFINISH tells how many it reached.
The audience is always a list of openids: a tag or "everybody" of the platform would go past those
who unsubscribed, and past the count of the month.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from domain import mass
from domain.channel import ChannelName
from domain.clock import Clock
from domain.delivery import Outcome, SendFailed
from domain.ids import AccountId, OpenId
from domain.ledger import Batch, Delivery
from domain.schedule import next_midnight
from push.channels.base import Leave
from push.jobs import Job
from push.ports import Gateway
from push.rounds import Round
from push.sender import DAY_QUOTA, NEXT_MINUTE, MayGoOn, Misconfigured
from storage.mongo.mass_jobs import MongoMassJobs
from storage.mongo.slots import MongoSlots

NONE_LEFT = 45028  # this month, for the account
TOO_SOON = 45066  # the same clientmsgid within a minute: the first one may be there
SYSTEM_ERROR = -1
SLOTS_KEPT = timedelta(days=62)
THIS_MONTH = f"had {mass.PER_MONTH} mass sends this month already"
TOO_FEW = f"a mass send needs at least {mass.FEWEST} people"


class MassChannel:
    """The account's mass sends."""

    name: ChannelName = "mass"
    guard: timedelta | None = mass.SAFE_TO_REPEAT
    receipt = "MASSSENDJOBFINISH"

    def __init__(
        self,
        gateways: Mapping[AccountId, Gateway],
        jobs: MongoMassJobs,
        slots: MongoSlots,
        clock: Clock,
    ) -> None:
        self._gateways = gateways
        self._jobs = jobs
        self._slots = slots
        self._clock = clock

    async def go(
        self, job: Job, batch: Batch, people: Sequence[OpenId], found: Round, leave: Leave
    ) -> None:
        """Submit a batch that was never submitted, or whose call came to nothing for certain."""
        now = self._clock.now()
        allowed = await self._take_month(batch, people, now)
        listed = self._only(allowed, people, found)
        if len(listed) < mass.FEWEST:
            await self._give_back(batch, listed, now)
            found.deliveries += self._all(listed, "skipped", TOO_FEW)
            return
        key = mass.day_key(batch.account, now)
        expire_at = now + SLOTS_KEPT
        if not await self._slots.take([key], batch.id, number=mass.PER_DAY, expire_at=expire_at):
            await self._give_back(batch, listed, now)
            found.put_off += listed
            found.put_off_until = next_midnight(now)
            return
        await self._jobs.drop(batch.id)  # an earlier list, of a call that came to nothing
        prepared = await self._jobs.prepare(
            batch.id, batch.account, batch.broadcast, job.broadcast.parent, listed, now
        )
        await self._call(job, batch, prepared.people, listed, found, leave, at_risk=False)

    async def repeat(
        self, job: Job, batch: Batch, people: Sequence[OpenId], found: Round, leave: Leave
    ) -> None:
        """Submit the list that was written down, under the same key, once more."""
        begun = await self._jobs.find(batch.id)
        if begun is None:
            await self.go(job, batch, people, found, leave)
            return
        listed = self._only(set(begun.people), people, found)
        if listed:
            await self._call(job, batch, begun.people, listed, found, leave, at_risk=True)

    async def was_called(self, batch: Batch) -> bool:
        """Whether a call may have been made for the batch."""
        return await self._jobs.find(batch.id) is not None

    async def release(self, batch: Batch, people: Collection[OpenId]) -> None:
        """Give back what was taken for people to whom nothing was sent, for certain."""
        await self._jobs.drop(batch.id)
        await self._give_back(batch, people, self._clock.now())

    # --- the call -------------------------------------------------------------------------

    async def _call(
        self,
        job: Job,
        batch: Batch,
        everybody: Sequence[OpenId],
        people: Sequence[OpenId],
        found: Round,
        leave: Leave,
        *,
        at_risk: bool,
    ) -> None:
        """Make one call for the whole list; outcomes are wanted for `people`."""
        called = False

        async def call(_: OpenId, __: MayGoOn) -> None:
            nonlocal called
            called = True
            try:
                msg_id = await self._gateways[batch.account].mass_send_openids(
                    openids=everybody,
                    text=job.content.text,
                    clientmsgid=mass.client_id(batch.id),
                )
            except SendFailed as error:
                await self._failed(batch, everybody, people, error, found, at_risk=at_risk)
                return
            await self._jobs.accepted(batch.id, batch.account, msg_id)
            found.deliveries += self._all(people, "sent")

        await leave(people[:1], call)
        if not called:  # the broadcast or the account stopped before it
            rest = people[1:]
            (found.at_risk if at_risk else found.afresh).extend(rest)
            if not at_risk:  # it may be cancelled before it is begun anew
                await self.release(batch, everybody)

    async def _failed(
        self,
        batch: Batch,
        everybody: Sequence[OpenId],
        people: Sequence[OpenId],
        error: SendFailed,
        found: Round,
        *,
        at_risk: bool,
    ) -> None:
        now = self._clock.now()
        in_doubt = error.failure == "unknown" or error.errcode in (SYSTEM_ERROR, TOO_SOON)
        is_final = error.errcode == NONE_LEFT or error.failure in (
            "drop",
            "config_message",
            "unreachable",
        )
        if in_doubt or (at_risk and not is_final):
            found.at_risk += people
            found.ask_again = max(mass.SOONEST_AGAIN, error.retry_after or mass.SOONEST_AGAIN)
        elif is_final:
            await self.release(batch, everybody)
            found.deliveries += [
                Delivery(
                    openid=openid,
                    state="failed",
                    at=now,
                    errcode=error.errcode,
                    reason=str(error),
                    channel=self.name,
                )
                for openid in people
            ]
        elif error.failure in ("config", "refresh_token"):
            await self.release(batch, everybody)
            found.afresh += people
            found.misconfigured = Misconfigured(error.errcode, str(error))
        else:
            await self.release(batch, everybody)
            found.put_off += people
            found.put_off_until = (
                next_midnight(now)
                if error.errcode == DAY_QUOTA
                else now + (error.retry_after or NEXT_MINUTE)
            )

    # --- slots ----------------------------------------------------------------------------

    async def _take_month(
        self, batch: Batch, people: Sequence[OpenId], now: datetime
    ) -> set[OpenId]:
        keys = {mass.month_key(batch.account, openid, now): openid for openid in people}
        held = await self._slots.take(
            list(keys), batch.broadcast, number=mass.PER_MONTH, expire_at=now + SLOTS_KEPT
        )
        return {keys[key] for key in held}

    async def _give_back(self, batch: Batch, people: Collection[OpenId], now: datetime) -> None:
        keys = [mass.month_key(batch.account, openid, now) for openid in people]
        await self._slots.give_back(keys, batch.broadcast)
        await self._slots.give_back([mass.day_key(batch.account, now)], batch.id)

    def _only(
        self, allowed: Collection[OpenId], people: Sequence[OpenId], found: Round
    ) -> list[OpenId]:
        """Return those who may get it; the others had their four this month."""
        over = [openid for openid in people if openid not in allowed]
        found.deliveries += self._all(over, "skipped", THIS_MONTH)
        return [openid for openid in people if openid in allowed]

    def _all(self, people: Sequence[OpenId], state: Outcome, reason: str = "") -> list[Delivery]:
        now = self._clock.now()
        return [
            Delivery(openid=openid, state=state, at=now, reason=reason, channel=self.name)
            for openid in people
        ]
