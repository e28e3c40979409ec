"""Watching (值守): makes a record of what goes wrong, ends it when it is over, tells the group.

Both ticks belong to the scheduler role and may run in several processes: a record is made once,
and a message is claimed before it is sent. It is sent at least once: whoever dies between the
robot's answer and our writing is followed by one who sends it again.
"""

import asyncio
import logging
from datetime import timedelta

from connectors.robot import PER_MINUTE, NotTold, Robot
from console.conditions import Conditions, Look
from domain.clock import Clock, in_beijing
from domain.ids import AccountId
from domain.incident import GONE_AFTER, KINDS, Incident
from storage.mongo.incidents import MongoIncidents

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
STORE_SECONDS = 5.0
APART = timedelta(minutes=1) / PER_MINUTE
LEASE = timedelta(seconds=30)
BACKOFF = (10, 30, 60, 300, 900, 3600)  # seconds
TELL_WITHIN = timedelta(days=1)


class Watch:
    """Looks at everything and keeps the records."""

    def __init__(
        self, conditions: Conditions, store: MongoIncidents, clock: Clock, *, tells: bool
    ) -> None:
        self._conditions = conditions
        self._store = store
        self._clock = clock
        self._tells = tells

    async def tick(self) -> None:
        """Take one look at each thing."""
        for look in self._conditions.looks():
            await self._take(look)

    async def _take(self, look: Look) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                found = await look.ask()
        except Exception:  # outermost: the other looks are taken all the same
            log.exception("incident.not_looked", extra={"look": look.name})
            return
        now = self._clock.now()
        async with asyncio.timeout(STORE_SECONDS):
            for condition in found:
                if await self._store.see(condition, now, tell=self._tells):
                    log.warning(
                        "incident.began",
                        extra={
                            "kind": condition.kind,
                            "what": condition.what,
                            "account": condition.account or "",
                        },
                    )
            ended = await self._store.end(look.kinds, unseen_since=now - GONE_AFTER, now=now)
        if ended:
            log.info("incident.over", extra={"look": look.name, "number": ended})


class Teller:
    """Tells the group, one message at a time. `names` are the accounts' names for people."""

    def __init__(
        self,
        store: MongoIncidents,
        robot: Robot,
        clock: Clock,
        *,
        names: dict[AccountId, str],
        console: str,
    ) -> None:
        self._store = store
        self._robot = robot
        self._clock = clock
        self._names = names
        self._console = console

    async def tick(self) -> None:
        """Tell what is due, as far as the robot may be called."""
        now = self._clock.now()
        async with asyncio.timeout(STORE_SECONDS):
            if not await self._store.is_any_due(now):
                return
            if not await self._store.take_turn(now, APART):
                return
            incident = await self._store.claim(now, LEASE)
        if incident is not None:
            await self._tell(incident)

    async def _tell(self, incident: Incident) -> None:
        fields = {"incident": incident.id, "kind": incident.condition.kind}
        try:
            await self._robot.say(self.words(incident))
        except NotTold as error:
            await self._later(incident, error)
            log.warning("incident.not_told", extra={**fields, "reason": str(error)})
            return
        async with asyncio.timeout(STORE_SECONDS):
            await self._store.told(incident, self._clock.now())
        log.info("incident.told", extra={**fields, "tries": incident.tries})

    async def _later(self, incident: Incident, error: NotTold) -> None:
        now = self._clock.now()
        pause = timedelta(seconds=BACKOFF[min(incident.tries, len(BACKOFF)) - 1])
        again = now + max(pause, error.wait or pause)
        async with asyncio.timeout(STORE_SECONDS):
            if error.wait is not None:
                await self._store.hold(now + error.wait)
            is_old = again - incident.noticed_at > TELL_WITHIN
            await self._store.tell_again(incident, None if is_old else again)

    def words(self, incident: Incident) -> str:
        """Return the message, in the robot's markdown."""
        condition = incident.condition
        lines = [f"**微政提醒：{KINDS[condition.kind]}**"]
        if condition.account is not None:
            name = self._names.get(condition.account) or condition.account
            lines.append(f"> 账号：{plain(name)}")
        lines.append(f"> 对象：{plain(condition.subject)}")
        if condition.detail:
            lines.append(f"> 说明：{plain(condition.detail)}")
        lines.append(f"> 时间：{in_beijing(incident.noticed_at):%m-%d %H:%M}")
        lines.append(f"[打开管理台]({self._console}{_path(incident)})")
        return "\n".join(lines)


def plain(text: str, longest: int = 300) -> str:
    """Return a text in one line, without what the robot would take for markdown or mentions."""
    line = " ".join(text.split())
    return line.translate({ord(mark): "·" for mark in "<>[]()*`#@_~\\|"})[:longest]


def _path(incident: Incident) -> str:
    account = incident.condition.account
    return f"/admin/a/{account}/" if account else "/admin/"
