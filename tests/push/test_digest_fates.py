"""Whatever happens between the answer and the phone: one fate for everything accepted."""

import itertools
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.ids import OpenId, TopicId
from domain.people import Subscription
from domain.topic import Mode
from subscriptions.bindings import BindingService
from tests.push.test_digests import all_done, die_once
from tests.support.notices import FUND, VIOLATION, violation
from tests.support.platform import Platform
from tests.support.push import CITY, Engine, FlowingClock

WRITES = (
    "notice_store.fix_over",
    "digest_items.keep",
    "notice_store.add_digests",
    "digest_items.take",
    "ledger.add",
    "store.end_fanout",
    "notice_store.end_fanouts",
)
NUMBERS = itertools.count(10_000)

Fate = Literal["arrived", "skipped"]


@dataclass(frozen=True)
class Announce:
    """An event; the process may end at one of its writes, and the department asks again."""

    topic: TopicId
    urgent: bool = False
    short: bool = False  # expires before the next morning
    dies_at: str | None = None
    after: bool = False


@dataclass(frozen=True)
class Choose:
    mode: Mode


@dataclass(frozen=True)
class Leave:
    topic: TopicId


@dataclass(frozen=True)
class Morning:
    """The next 08:01; the process that makes digests may end at one of its writes."""

    dies_at: str | None = None
    after: bool = False


TOPICS = st.sampled_from([VIOLATION, FUND])
DEATHS = st.none() | st.sampled_from(WRITES)
STEPS = st.one_of(
    st.builds(Announce, TOPICS, st.booleans(), st.booleans(), DEATHS, st.booleans()),
    st.builds(Announce, st.just(VIOLATION)),
    st.builds(Choose, st.sampled_from(["immediate", "daily", "weekly"])),
    st.builds(Leave, TOPICS),
    st.builds(Morning, DEATHS, st.booleans()),
)


@dataclass
class Story:
    """One citizen's days."""

    engine: Engine
    clock: FlowingClock
    openid: OpenId
    plate: str
    accepted: dict[str, int] = field(default_factory=dict)  # event → matched

    async def begin(self, mode: Mode) -> None:
        bindings = BindingService(self.engine.people, self.clock)
        await bindings.bind_vehicle(CITY, self.openid, self.plate, "02", "1234")
        for topic in (VIOLATION, FUND):
            item = Subscription(topic=topic, subject="vehicle", mode=mode)
            await self.engine.subscriptions.subscribe(CITY, self.openid, item)

    async def live(self, step: Any) -> None:
        match step:
            case Announce():
                await self._announce(step)
            case Choose(mode=mode):
                person = await self.engine.subscriptions.find(CITY, self.openid)
                for item in person.subscriptions if person else ():
                    await self.engine.subscriptions.set_mode(
                        CITY, self.openid, item.topic, None, mode
                    )
            case Leave(topic=topic):
                await self.engine.subscriptions.unsubscribe(CITY, self.openid, topic)
            case Morning():
                self.clock.advance(timedelta(days=1))
                restore = die_once(self.engine, step.dies_at, after=step.after)
                with suppress(ConnectionError):
                    await self.engine.digests.tick()
                restore()

    async def _announce(self, step: Announce) -> None:
        event = f"{self.openid}-{len(self.accepted)}"
        expires = self.clock.now() + timedelta(hours=1) if step.short else None
        order = violation(
            event,
            self.plate,
            topic=step.topic,
            priority="urgent" if step.urgent else "normal",
            expires_at=expires,
        )
        restore = die_once(self.engine, step.dies_at, after=step.after)
        try:
            await self.engine.notices.announce(order, author="test")
        except ConnectionError:
            self.clock.advance(20)
        restore()
        self.accepted[event] = await self.engine.notices.announce(order, author="test")

    async def fates(self, event: str) -> list[Fate]:
        """Every trace of what became of an event."""
        database, found = self.engine.database, list[Fate]()
        notice = await database["broadcasts"].find_one({"notice.event_id": event})
        assert notice is not None
        direct = await database["deliveries"].find_one(
            {"broadcast": notice["_id"], "openid": self.openid}
        )
        if direct:
            found.append("arrived" if direct["state"] == "sent" else "skipped")
        async for item in database["digest_items"].find({"notice": notice["_id"]}):
            message = await database["deliveries"].find_one({"broadcast": item["digest"]})
            assert message is not None
            arrived = message["state"] == "sent" and "left_out" not in item
            found.append("arrived" if arrived else "skipped")
        return found


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    mode=st.sampled_from(["immediate", "daily", "weekly"]),
    steps=st.lists(STEPS, min_size=3, max_size=10),
)
async def test_everything_accepted_arrives_once_or_is_recorded_as_skipped(
    engine: Engine, platform: Platform, clock: FlowingClock, mode: Mode, steps: list[Any]
):
    number = next(NUMBERS)
    story = Story(engine, clock, OpenId(f"oFate{number:022d}"), f"粤B{number}")
    await story.begin(mode)

    for step in steps:
        await story.live(step)
    async with engine.working():
        clock.advance(timedelta(days=8))
        await all_done(engine)
        clock.advance(timedelta(days=2))  # what came too late for one digest is in the next
        await all_done(engine)

    for event, matched in story.accepted.items():
        assert len(await story.fates(event)) == matched
    sent = await engine.database["deliveries"].count_documents(
        {"openid": story.openid, "state": "sent"}
    )
    assert platform.cards_per_person[story.openid] == sent
