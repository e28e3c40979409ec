"""What is wrong just now (异常情况): each look asks one part of the service and is bounded.

A look that fails says nothing: what it would have found neither begins nor ends.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.clock import Clock
from domain.figures import day_of, minute_of
from domain.ids import AccountId
from domain.incident import Condition, IncidentKind
from domain.sentence import Sentence
from domain.stops import stop_in_words
from push.overview import Overviews
from storage.mongo.triggers import MongoTriggers
from storage.mongo.troubles import MongoTroubles
from storage.redis.department_health import DepartmentHealth

FAILED_FOR = timedelta(hours=24)  # then a failure is history
QUOTA_SHARE = 0.8
SILENT = timedelta(minutes=15)  # a feed that has failed since then
FAILING_FOR = timedelta(minutes=5)  # a department, before somebody is told
UNTRIED = timedelta(minutes=10)  # nobody has asked it since: how it is now nobody knows
SHOWN_TITLE = 60

Shut = Callable[[datetime], Awaitable[Mapping[str, datetime]]]


async def shut_departments(health: DepartmentHealth, now: datetime) -> dict[str, datetime]:
    """Return the departments that some process leaves alone just now (熔断), by name.

    With each goes when it was last asked in vain. A breaker stays half open until somebody asks
    again, which may be never: after a while it says nothing any more.
    """
    _, found = await health.open_breakers(now)
    last: dict[str, datetime] = {}
    for connector, seen in found.items():
        title = connector.rpartition("|")[2]
        tried = [each.since for each in seen if each.since and now - each.since < UNTRIED]
        if tried:
            last[title] = max(*tried, last.get(title, tried[0]))
    return dict(sorted(last.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One question, and the kinds of conditions that it alone finds."""

    name: str
    kinds: tuple[IncidentKind, ...]
    ask: Callable[[], Awaitable[Sequence[Condition]]]


class Conditions:
    """Every look there is. `shut` gives the departments whose breaker is open in some process.

    A breaker that is tried in vain begins anew, so since when a department fails is noted here; a
    process that starts begins to count then.
    """

    def __init__(
        self,
        troubles: MongoTroubles,
        overviews: Overviews,
        triggers: MongoTriggers,
        accounts: Collection[AccountId],
        watched: Collection[tuple[AccountId, str]],
        clock: Clock,
        *,
        shut: Shut,
    ) -> None:
        self._troubles = troubles
        self._overviews = overviews
        self._triggers = triggers
        self._accounts = accounts
        self._watched = frozenset(watched)
        self._clock = clock
        self._shut = shut
        self._shut_since: dict[str, datetime] = {}

    def looks(self) -> tuple[Look, ...]:
        """Return the looks of one round."""
        return (
            Look(name="failed", kinds=("broadcast.failed",), ask=self.failed),
            Look(name="paused", kinds=("broadcast.paused",), ask=self.paused),
            Look(name="paused notices", kinds=("notices.paused",), ask=self.paused_notices),
            Look(name="engine", kinds=("quota.high",), ask=self.engine),
            Look(name="dead", kinds=("batches.dead",), ask=self.dead),
            Look(name="feeds", kinds=("feed.silent",), ask=self.feeds),
            Look(name="departments", kinds=("department.down",), ask=self.departments),
        )

    async def failed(self) -> list[Condition]:
        """Broadcasts that failed within the last day."""
        now = self._clock.now()
        return [
            Condition(
                kind="broadcast.failed",
                what=f"broadcast.failed|{found.id}",
                subject=found.title[:SHOWN_TITLE],
                detail=stop_in_words(found.reason),
                account=account,
                link=f"broadcasts/{found.id}",
            )
            for account in self._accounts
            for found in await self._troubles.failed(account, now, now - FAILED_FOR)
        ]

    async def paused(self) -> list[Condition]:
        """Broadcasts that the engine paused."""
        return [
            Condition(
                kind="broadcast.paused",
                what=f"broadcast.paused|{found.id}",
                subject=found.title[:SHOWN_TITLE],
                detail=stop_in_words(found.reason),
                account=account,
                link=f"broadcasts/{found.id}",
            )
            for account in self._accounts
            for found in await self._troubles.paused_by_itself(account)
        ]

    async def paused_notices(self) -> list[Condition]:
        """Personal notices and digests that the engine paused, those of an account as one."""
        return [
            Condition(
                kind="notices.paused",
                what=f"notices.paused|{account}",
                subject=Sentence("个人通知：{number} 条", number=found.number),
                detail=stop_in_words(found.reason),
                account=account,
            )
            for account in self._accounts
            if (found := await self._troubles.paused_personal(account)) is not None
        ]

    async def engine(self) -> list[Condition]:
        """Accounts that have used most of the day, which is the day the overview was taken on."""
        overview = await self._overviews.cached()
        day = minute_of(day_of(overview.at))
        return [
            Condition(
                kind="quota.high",
                what=f"quota.high|{view.account}|{day}",
                subject=Sentence("已用 {used}%", used=used * 100 // quota),
                detail=f"{used:,} / {quota:,}",
                account=view.account,
            )
            for view in overview.accounts
            if (quota := view.quota) and (used := view.used_today or 0) >= QUOTA_SHARE * quota
        ]

    async def dead(self) -> list[Condition]:
        """Broadcasts with dead batches, each by itself; notices and digests of an account as one.

        A person's own notice has no page, and there may be thousands.
        """
        found = []
        for account in self._accounts:
            dead = await self._troubles.with_dead(account)
            others = sum(each.number for each in dead if each.kind != "broadcast")
            found += [
                Condition(
                    kind="batches.dead",
                    what=f"batches.dead|{each.id}",
                    subject=each.title[:SHOWN_TITLE],
                    detail=Sentence("{number} 个批次", number=each.number),
                    account=account,
                    link=f"broadcasts/{each.id}",
                )
                for each in dead
                if each.kind == "broadcast"
            ]
            if others:
                found.append(
                    Condition(
                        kind="batches.dead",
                        what=f"batches.dead|{account}",
                        subject=Sentence("个人通知：{others} 个批次", others=others),
                        detail="python run.py push dead",
                        account=account,
                    )
                )
        return found

    async def feeds(self) -> list[Condition]:
        """Feeds that could not be read for a while."""
        now = self._clock.now()
        return [
            Condition(
                kind="feed.silent",
                what=f"feed.silent|{row.account}|{row.trigger}",
                subject=row.trigger,
                detail=row.last_error,
                account=row.account,
            )
            for row in await self._triggers.rows()
            if (row.account, row.trigger) in self._watched
            and row.failures > 0
            and (row.last_ok is None or now - row.last_ok >= SILENT)
        ]

    async def departments(self) -> list[Condition]:
        """Departments that have been asked in vain for some minutes."""
        now = self._clock.now()
        before, shut = self._shut_since, await self._shut(now)
        self._shut_since = {title: before.get(title, now) for title in shut}
        return [
            Condition(kind="department.down", what=f"department.down|{title}", subject=title)
            for title, since in self._shut_since.items()
            if shut[title] - since >= FAILING_FOR
        ]
