"""The violation watch (违法提醒, domain.md 2.4): new records of bound vehicles, once a day each.

A run does two bounded things. The sweep walks through the followers of the topic and makes a row
for every vehicle they proved by its digits; the look asks the traffic police about the vehicles
whose time has come, each once per `period`, at a place in the day that its hash decides. When
the department fails three times the look ends and goes on later where it stopped.

The first answer about a vehicle is its baseline. After that, new records that still want
something done become one notice per vehicle and Beijing day; what comes later that day is told
with the next day's. What is about to be told is written down first, so that a crash between
telling and noting neither doubles nor loses it. Plates and record numbers are only kept hashed.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from connectors.traffic import TrafficPolice
from domain.broadcast import Audience
from domain.clock import in_beijing
from domain.errors import DepartmentError, InvalidInput
from domain.ids import AccountId, OpenId, TopicId
from domain.people import Bindings, Vehicle
from domain.violation import Violation
from push.notices import NoticeOrder
from push.ports import People
from push.triggers.ports import Cursor, Outcome, Visit
from push.triggers.spread import next_on_grid
from push.triggers.together import each
from push.triggers.wording import THING, fit, listed
from storage.mongo.triggers import Item, MongoTriggerItems
from storage.mongo.vehicle_watch import MongoVehicleWatch, Pending, Watch

log = logging.getLogger(__name__)

NAME = "violation"
TOPIC = TopicId("traffic.violation")
TEMPLATE = "violation_notice"
EVERY = timedelta(seconds=30)  # between two slices
PERIOD = timedelta(days=1)
CLAIM = timedelta(minutes=10)  # an unfinished look is repeated after this
SLICE = 200  # followers per sweep
LOOKS = 60  # vehicles per run
AT_ONCE = 4
SECONDS = 12.0  # no new look after this: a run ends at 20
PATIENCE = 3  # failures before the department is left alone
SWEEP = "sweep"


class BindingsOf(Protocol):
    """Where a citizen's vehicles are read, decrypted (`storage.mongo.people`)."""

    async def bindings(self, account: AccountId, openid: OpenId) -> Bindings: ...


@dataclass(slots=True)
class _Look:
    """What the looks of one run share."""

    left: int
    until: float
    seen: int = 0
    failures: int = 0
    error: DepartmentError | None = None

    @property
    def goes_on(self) -> bool:
        return self.left > 0 and self.failures < PATIENCE and time.monotonic() < self.until


class ViolationTrigger:
    """Watches the vehicles of those who follow traffic violations."""

    name = NAME

    def __init__(
        self,
        traffic: TrafficPolice,
        watch: MongoVehicleWatch,
        items: MongoTriggerItems,
        people: People,
        bindings: BindingsOf,
        *,
        period: timedelta = PERIOD,
        slice_: int = SLICE,
        looks: int = LOOKS,
    ) -> None:
        self._traffic = traffic
        self._watch = watch
        self._items = items
        self._people = people
        self._bindings = bindings
        self.every = min(EVERY, period)
        self._period = period
        self._slice = slice_
        self._looks = looks

    async def run(self, visit: Visit) -> Outcome:
        """Sweep a slice of the followers, then look after the vehicles whose time has come."""
        await self._sweep(visit)
        look = _Look(left=self._looks, until=time.monotonic() + SECONDS)

        async def keep_looking(_: int) -> None:
            await self._keep_looking(visit, look)

        await each(range(AT_ONCE), keep_looking, at_once=AT_ONCE)
        if look.failures >= PATIENCE and look.error is not None:
            raise look.error
        return Outcome(cursor=Cursor(), seen=look.seen, more=look.left <= 0)

    # --- who is watched -------------------------------------------------------------------

    async def _sweep(self, visit: Visit) -> None:
        """Go on where the last sweep stopped; at the end, begin again.

        Where it stopped is somebody's openid: it is kept with the items, encrypted, not in the
        cursor, which people see.
        """
        account, audience = visit.account, Audience(topics=(TOPIC,))
        found = await self._items.find(account, NAME, [SWEEP])
        place = found[SWEEP].state["place"] if SWEEP in found else None
        after = await self._watch.unseal(place) if place else None
        up_to = await self._people.upper_bound(account, audience)
        if up_to is None:
            return
        page = await self._people.page(
            account, audience, after=after, up_to=up_to, size=self._slice
        )
        first: dict[str, datetime] = {}
        for _, openid in page:
            for vehicle in (await self._bindings.bindings(account, openid)).vehicles:
                hash_ = self._hash(vehicle)
                first[hash_] = next_on_grid(hash_, self._period, visit.now)
        await self._watch.ensure(account, first)
        place = await self._watch.seal(page[-1][0]) if len(page) == self._slice else None
        await self._items.put(account, NAME, Item(id=SWEEP, revision=0, state={"place": place}))

    # --- looking --------------------------------------------------------------------------

    async def _keep_looking(self, visit: Visit, look: _Look) -> None:
        while look.goes_on:
            look.left -= 1
            watch = await self._watch.claim(visit.account, now=visit.now, until=visit.now + CLAIM)
            if watch is None:
                look.left += 1
                return
            vehicle = await self._find_vehicle(visit.account, watch.vehicle)
            if vehicle is None:
                await self._watch.drop(visit.account, watch)
                continue
            try:
                await self._look_at(visit, watch, vehicle)
                look.seen += 1
            except InvalidInput:  # plate and digits do not belong together any more
                log.info("trigger.vehicle_unknown", extra={"account": visit.account})
                await self._watch.postpone(visit.account, watch, self._later(watch, visit))
            except DepartmentError as error:
                look.failures += 1
                look.error = error

    async def _find_vehicle(self, account: AccountId, hash_: str) -> Vehicle | None:
        """Return the vehicle as one of its holders bound it; imported ones have no digits."""
        for openid in await self._watch.holders(account, TOPIC, hash_):
            for vehicle in (await self._bindings.bindings(account, openid)).vehicles:
                if self._hash(vehicle) == hash_:
                    return vehicle
        return None

    async def _look_at(self, visit: Visit, watch: Watch, vehicle: Vehicle) -> None:
        found = await self._traffic.violations(vehicle.plate, vehicle.plate_type, vehicle.digits)
        records = {self._watch.record_hash(record.seq): record for record in found.records}
        today = f"{in_beijing(visit.now):%Y-%m-%d}"
        pending = watch.pending
        event = self._event(watch, pending) if pending else ""
        was_told = bool(event) and await visit.emit.was_announced(TOPIC, event)
        if watch.seen is not None and pending is None and watch.announced_on != today:
            pending = _news(watch.seen, records, today)
            if pending and not await self._watch.note(visit.account, watch, pending):
                return  # this process slept, and another one has the vehicle
        told: tuple[str, ...] = ()
        announced_on = watch.announced_on
        if pending is not None and was_told:
            told, announced_on = pending.records, pending.day
        elif pending is not None:
            # a record that is not there any more may come again: it was told to nobody
            told = tuple(hash_ for hash_ in pending.records if hash_ in records)
            new = [records[hash_] for hash_ in told if records[hash_].is_open]
            if new:
                await visit.emit.notice(self._order(visit.account, watch, vehicle, new, pending))
                announced_on = pending.day
        await self._watch.done(
            visit.account,
            watch,
            seen=_seen(watch.seen, records, told),
            announced_on=announced_on,
            next_at=self._later(watch, visit),
        )

    def _order(
        self,
        account: AccountId,
        watch: Watch,
        vehicle: Vehicle,
        new: Sequence[Violation],
        pending: Pending,
    ) -> NoticeOrder:
        return NoticeOrder(
            account=account,
            topic=TOPIC,
            subject_kind="vehicle",
            subject_value=vehicle.plate.plain,
            plate_type=vehicle.plate_type,
            template=TEMPLATE,
            data=card(new),
            event_id=self._event(watch, pending),
        )

    @staticmethod
    def _event(watch: Watch, pending: Pending) -> str:
        return f"trigger:{NAME}:{watch.vehicle}:{pending.day}"

    def _later(self, watch: Watch, visit: Visit) -> datetime:
        return next_on_grid(watch.vehicle, self._period, visit.now)

    def _hash(self, vehicle: Vehicle) -> str:
        return self._watch.vehicle_hash(vehicle.plate.plain, vehicle.plate_type)


def card(new: Sequence[Violation]) -> dict[str, str]:
    """Return the data of `violation_notice` for one day's new records; the plate comes later."""
    latest = max(new, key=lambda record: record.at)
    fine = sum(record.fine for record in new)
    note = f"新增{len(new)}条："
    return {
        "time": latest.at.isoformat(),
        "place": listed([record.place for record in sorted(new, key=_newest_first)]),
        "act": note + fit(latest.act, THING - len(note)),
        "fine": f"{fine // 100}元" if fine % 100 == 0 else f"{fine // 100}.{fine % 100:02d}元",
    }


def _newest_first(record: Violation) -> float:
    return -record.at.timestamp()


def _news(before: Sequence[str], records: Mapping[str, Violation], today: str) -> Pending | None:
    """Return the records nobody has been told of that still want something done."""
    new = [hash_ for hash_, record in records.items() if hash_ not in before and record.is_open]
    return Pending(day=today, records=tuple(new)) if new else None


def _seen(
    before: Sequence[str] | None, records: Mapping[str, Violation], told: Sequence[str]
) -> list[str]:
    """Return what counts as seen: all of a baseline, else what was told or wants nothing done.

    What was seen once stays, so that an answer that is empty by mistake makes no old news new.
    """
    if before is None:
        return list(records)
    now_seen = [hash_ for hash_, record in records.items() if not record.is_open]
    still = [hash_ for hash_ in (*now_seen, *told) if hash_ not in before]
    gone = [hash_ for hash_ in before if hash_ not in records]
    here = [hash_ for hash_ in before if hash_ in records]
    return list(dict.fromkeys([*gone, *here, *still]))
