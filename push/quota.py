"""The day's quota (每日配额): learnt from the platform, and what is left of it.

What broadcasts will still use today is *reserved*: those that were scheduled to begin before
midnight, by the number of people they had then, and those being sent, by whom they have not
reached yet. A reservation is shown to whoever orders the next one; it locks nothing: what is due
is sent in the order of rank, until the day is used up, and goes on after midnight.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.allowance import (
    NORMAL_SHARE,
    URGENT_SHARE,
    PlatformQuota,
    day_number,
    quota_of_the_day,
)
from domain.broadcast import Priority
from domain.clock import Clock
from domain.delivery import SendFailed
from domain.ids import AccountId
from domain.schedule import next_midnight
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.ledger import MongoLedger
from storage.mongo.quotas import MongoQuotas
from storage.redis.limiter import Limiter
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)  # between two questions to the platform, over all processes


class QuotaSource(Protocol):
    """The platform's answer about one of its calls (`connectors.wechat.api`)."""

    async def quota(self) -> PlatformQuota:
        """Return what it says, or raise `SendFailed`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """An account's day. `limit` is None when no quota is known."""

    limit: int | None
    used: int
    reserved: int

    def open_to(self, priority: Priority) -> int | None:
        """Return what this priority may still use; some of the day is kept back for urgent."""
        if self.limit is None:
            return None
        share = URGENT_SHARE if priority == "urgent" else NORMAL_SHARE
        return max(0, int(self.limit * share) - self.used)

    def left_for(self, priority: Priority) -> int | None:
        """Return what of that is not reserved."""
        still_open = self.open_to(priority)
        return None if still_open is None else max(0, still_open - self.reserved)


class Quotas:
    """The quotas of all accounts (runtime: `ctx.quotas`)."""

    def __init__(
        self,
        store: MongoQuotas,
        limiter: Limiter,
        broadcasts: MongoBroadcasts,
        ledger: MongoLedger,
        sources: Mapping[AccountId, QuotaSource],
        clock: Clock,
    ) -> None:
        self._store = store
        self._limiter = limiter
        self._broadcasts = broadcasts
        self._ledger = ledger
        self._sources = sources
        self._clock = clock
        self._look_at: dict[AccountId, float] = {}
        self._now: Callable[[], float] = time.monotonic

    async def tick(self) -> None:
        """Ask the platform for the quotas that nobody has asked for lately."""
        for account in self._sources:
            if self._now() < self._look_at.get(account, 0.0):
                continue
            self._look_at[account] = self._now() + EVERY.total_seconds() / 2
            if await self._store.take_turn(account, EVERY):
                await self.learn(account)

    async def learn(self, account: AccountId) -> None:
        """Ask now. An account that may not ask, or gets no answer, keeps what it knew."""
        try:
            said = await self._sources[account].quota()
        except SendFailed as error:
            log.warning("quota.unknown", extra={"account": account, "reason": str(error)})
            return
        day = day_number(self._clock.now())
        # without Redis we only know what was granted, and that says nothing about what was sent
        counted = await self._counted(account)
        quota = quota_of_the_day(said, said.used if counted is None else counted)
        await self._store.learn(account, day, said, quota=quota)
        own = await self._store.quota(account, day)
        try:
            await self._limiter.learn(
                account, used=said.used, quota=own, per_second=said.per_second
            )
        except StoreAway as error:
            log.warning("quota.unheeded", extra={"account": account, "reason": str(error)})
        log.info(
            "quota.learnt",
            extra={"account": account, "quota": own, "used": said.used, "rate": said.per_second},
        )

    async def day(self, account: AccountId, moment: datetime) -> Day:
        """Return the account's day in which that moment lies, today's as far as it has come."""
        now = self._clock.now()
        is_today = moment < next_midnight(now)
        number = day_number(now if is_today else moment)
        return Day(
            limit=await self._store.quota(account, number),
            used=await self._used(account, number) if is_today else 0,
            reserved=await self._reserved(account, None if is_today else moment),
        )

    async def _used(self, account: AccountId, day: int) -> int:
        """Return what was used today; when Redis cannot tell, all that was granted."""
        granted = await self._store.granted(account, day)
        counted = await self._counted(account)
        return granted if counted is None else min(granted, counted)

    async def _counted(self, account: AccountId) -> int | None:
        try:
            return (await self._limiter.pace(account)).used
        except StoreAway:
            return None

    async def _reserved(self, account: AccountId, moment: datetime | None) -> int:
        """Count whom broadcasts will still reach: today, or on the day of that moment."""
        before = next_midnight(moment or self._clock.now())
        since = before - timedelta(days=1) if moment else None
        reserved = 0
        for plan in await self._broadcasts.list_reserving(account, since=since, before=before):
            done = (await self._ledger.totals(plan.id)).concluded if plan.has_begun else 0
            reserved += max(0, plan.people - done)
        return reserved
