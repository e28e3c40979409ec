"""Putting up and taking down maintenance notices (停机维护公告).

Every process keeps those that stand in memory and looks again every few seconds: asking a
department must not first ask a database. A notice begins and ends by the clock, not by a look.
"""

import logging
from collections.abc import Mapping
from datetime import datetime

from domain.clock import Clock
from domain.ids import AccountId
from domain.maintenance import Maintenance, check_notice
from storage.mongo.maintenance import MongoMaintenance

log = logging.getLogger(__name__)


class MaintenanceDesk:
    """The notices of all accounts, as this process knows them."""

    def __init__(self, store: MongoMaintenance, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: Mapping[tuple[AccountId, str], Maintenance] = {}

    async def refresh(self) -> None:
        """Look which notices stand; called every few seconds."""
        standing = await self._store.standing(self._clock.now())
        self._known = {(each.account, each.department): each for each in standing}

    def notice_for(self, account: AccountId, department: str) -> str | None:
        """Return what citizens of this account read instead of an answer, None: nothing."""
        notice = self._known.get((account, department)) if self._known else None
        if notice is None or notice.state(self._clock.now()) != "on":
            return None
        return notice.say()

    async def of(self, account: AccountId) -> dict[str, Maintenance]:
        """Return an account's notices that are in force or to come, by department."""
        standing = await self._store.standing(self._clock.now())
        return {each.department: each for each in standing if each.account == account}

    async def put(
        self,
        account: AccountId,
        department: str,
        *,
        starts_at: datetime | None,
        ends_at: datetime,
        sentence: str,
        by: str,
    ) -> tuple[Maintenance | None, Maintenance]:
        """Put a notice up, from now on without a beginning; return the one before, and it.

        Raises `InvalidInput` for one that nobody would understand.
        """
        now = self._clock.now()
        starts_at = starts_at or now
        sentence = " ".join(sentence.split())
        check_notice(starts_at=starts_at, ends_at=ends_at, sentence=sentence, now=now)
        notice = Maintenance(
            account=account,
            department=department,
            starts_at=starts_at,
            ends_at=ends_at,
            sentence=sentence,
            by=by,
            made_at=now,
        )
        before = await self._store.put(notice)
        await self.refresh()
        log.info("maintenance.announced", extra={"account": account, "department": department})
        if before is not None and before.state(now) == "over":
            before = None
        return before, notice

    async def end(self, account: AccountId, department: str) -> Maintenance | None:
        """Take a notice down before its time; None when there was none."""
        ended = await self._store.end(account, department, now=self._clock.now())
        await self.refresh()
        if ended is not None:
            log.info("maintenance.ended", extra={"account": account, "department": department})
        return ended
