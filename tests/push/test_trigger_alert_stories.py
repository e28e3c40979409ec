"""Any story of one alert, its updates and its ends, dying anywhere, ends with the truth.

What stands around the desk is in memory; `test_trigger_alerts` runs the real things, and
`test_alert_plan` holds the rules of what comes late.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from config.catalogue import load_catalogue
from domain.alert import LEVELS, rank
from domain.alert_record import AlertRecord
from domain.audience import Got
from push.triggers.alerts import WAITING, AlertDesk
from tests.support.caps import cap, reference
from tests.support.stories import CITY, Fuse, Mortal, Said, Voice

CATALOGUE = load_catalogue()
DISTRICTS = ("440303", "440304", "440305")
MINUTE = timedelta(minutes=1)


class Records:
    """What was decided, as `MongoAlerts` keeps it."""

    def __init__(self, fuse: Fuse) -> None:
        self.kept: dict[str, AlertRecord] = {}
        self.fuse = fuse

    async def find(self, account: Any, digest: str) -> AlertRecord | None:
        return self.kept.get(digest)

    async def family(
        self, account: Any, digest: str, references: Sequence[str]
    ) -> list[AlertRecord]:
        named = {digest, *references}
        chains = {
            record.chain
            for record in self.kept.values()
            if record.id in references or named & set(record.references)
        }
        family = [record for record in self.kept.values() if record.chain in chains]
        return sorted(family, key=lambda record: record.sent)

    async def settle(
        self,
        account: Any,
        digest: str,
        references: Sequence[str],
        decide: Callable[[Sequence[AlertRecord]], AlertRecord],
        document: bytes,
    ) -> tuple[AlertRecord, bool]:
        family = await self.family(account, digest, references)
        self.fuse.burn()
        self.kept[digest] = record = decide(family)
        for each in family:
            self.kept[each.id] = replace(self.kept[each.id], chain=record.chain)
        return record, True

    async def done(self, account: Any, digest: str, *, failed: bool = False) -> None:
        self.fuse.burn()
        self.kept[digest] = replace(self.kept[digest], is_done=True)

    async def unfinished(self, account: Any, before: datetime) -> list[AlertRecord]:
        return [record for record in self.kept.values() if not record.is_done]


class Broadcasts:
    """What was said, as the desk looks it up; a broadcast's id is its key."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice

    async def find_first_answer(self, account: Any, key: str) -> Any:
        return SimpleNamespace(id=key) if key in self.voice.said else None

    async def find(self, key: str) -> Any:
        said = self.voice.said[key]
        going = "sending" if said.is_heard else "scheduled"
        return SimpleNamespace(
            id=key,
            state="cancelled" if said.is_stopped else going,
            started_at=self.voice.now if said.is_heard else None,
        )

    async def move(self, key: str, states: Any, to: str, **_: Any) -> Any:
        if (await self.find(key)).state not in WAITING:
            return None
        await self.voice.withdraw(key, reason="")
        return await self.find(key)


class Story(Mortal):
    """An issuer's messages about one storm, heard one after another."""

    @initialize(is_lost=st.booleans(), level=st.sampled_from(LEVELS[1:]))
    def begin(self, is_lost: bool, level: str) -> None:
        self.records = Records(self.fuse)
        self.names: list[tuple[str, datetime]] = []
        self.waiting: list[bytes] = []
        self.heard: list[bytes] = []
        self.tell("Alert", level, {"440304"}, "all")
        self.is_lost = is_lost  # the first message never comes to us
        if is_lost:
            self.waiting.clear()
            self.newest = ("Cancel", level, frozenset())

    @rule(
        level=st.sampled_from(LEVELS[1:]),
        regions=st.sets(st.sampled_from(DISTRICTS), min_size=1),
        refers=st.sampled_from(["all", "last", "first"]),
    )
    def update(self, level: str, regions: set[str], refers: str) -> None:
        self.tell("Update", level, regions, refers)

    @rule(refers=st.sampled_from(["all", "last", "first"]))
    def end(self, refers: str) -> None:
        self.tell("Cancel", "blue", {"440304"}, refers)

    def tell(self, kind: str, level: str, regions: set[str], refers: str) -> None:
        self.voice.now += MINUTE
        known = {"all": self.names, "last": self.names[-1:], "first": self.names[:1]}[refers]
        document = cap(
            f"m{len(self.names)}",
            self.voice.now,
            kind=kind,
            level=level,
            regions=tuple(sorted(regions)),
            references=" ".join(reference(*name) for name in known),
        )
        self.names.append((f"m{len(self.names)}", self.voice.now))
        self.waiting.append(document)
        self.newest = (kind, level, frozenset(regions))

    @rule()
    def begin_again(self) -> None:
        """The feed was reset: everything comes again."""
        self.waiting = self.heard + self.waiting
        self.heard = []

    def live(self) -> None:
        """Say what was left unsaid, then hear all that is new; dying leaves the rest."""
        asyncio.run(self.hear())

    async def hear(self) -> None:
        store = Broadcasts(self.voice)
        desk: Any = AlertDesk(
            self.records, None, None, store, None, {}, CATALOGUE, SimpleNamespace(now=self.now)
        )
        await desk.finish(CITY, self.voice)
        while self.waiting:
            await desk.hear(CITY, self.waiting[0], self.voice, via="test")
            self.heard.append(self.waiting.pop(0))

    def now(self) -> datetime:
        return self.voice.now

    # --- what always holds ----------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        return not self.waiting and all(record.is_done for record in self.records.kept.values())

    def since_the_end(self) -> list[Said]:
        said = list(self.voice.said.values())
        ends = [number for number, each in enumerate(said) if each.phase == "cancel"]
        return said[ends[-1] + 1 :] if ends else said

    @invariant()
    def what_holds_now_was_said(self) -> None:
        kind, level, regions = self.newest if hasattr(self, "newest") else ("Cancel", "", ())
        if kind == "Cancel" or not self.is_settled:
            return
        loud = [
            each
            for each in self.since_the_end()
            if (each.is_heard or not each.is_stopped) and rank(each.phase) >= rank(level)
        ]
        covered = {region for each in loud for region in each.order.audience.regions}
        assert regions <= covered

    @invariant()
    def what_is_over_does_not_go_out(self) -> None:
        if hasattr(self, "newest") and self.is_settled and self.newest[0] == "Cancel":
            assert all(
                each.is_stopped for each in self.voice.said.values() if each.phase != "cancel"
            )

    @invariant()
    def who_heard_an_alert_hears_of_its_end(self) -> None:
        if not hasattr(self, "newest") or not self.is_settled or self.newest[0] != "Cancel":
            return
        ended = {key for said in self.voice.said.values() for key in got(said)["cancel"]}
        heard = {
            key for key, said in self.voice.said.items() if said.is_heard and said.phase != "cancel"
        }
        assert heard <= ended

    @invariant()
    def nobody_hears_a_level_twice(self) -> None:
        before: dict[str, Said] = {}
        for key, said in self.voice.said.items():
            if said.phase == "cancel":
                before = {}
                continue
            for other, first in before.items():
                if first.is_heard and said.is_heard and first.phase == said.phase:
                    is_apart = not {*first.order.audience.regions} & {*said.order.audience.regions}
                    assert is_apart or other in got(said)[said.phase]
            before[key] = said


def got(said: Said) -> dict[str, set[str]]:
    """Return the keys of which an audience rule speaks, by phase."""
    found: dict[str, set[str]] = {phase: set() for phase in ("cancel", *LEVELS)}
    rule_ = said.order.audience.rule
    parts = getattr(getattr(rule_, "rule", rule_), "rules", ())
    found[said.phase] = {str(part.broadcast) for part in parts if isinstance(part, Got)}
    return found


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
