"""Which interruptions matter now, and whom they hit."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.outage import Area, Outage, Outages, Phase
from domain.records import Source

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("utility", "kind", "hours"),
    [
        ("power", "planned", 7 * 24),
        ("power", "temporary", 24),
        ("water", "planned", 24),
        ("water", "temporary", 24),
        ("gas", "planned", 48),
        ("gas", "temporary", 48),
        ("power", "fault", 0),
        ("water", "rationing", 0),
    ],
)
def test_each_utility_has_its_own_time_in_which_it_must_announce(utility, kind, hours):
    def missing(before: timedelta) -> timedelta:
        facts = {"utility": utility, "kind": kind, "announced_at": NOW - before}
        return outage(start=NOW, **facts).missing_notice

    assert missing(hours * HOUR) == timedelta(0)
    assert missing(hours * HOUR - HOUR) == (HOUR if hours else timedelta(0))


def outage(id_: str = "W1", *, start: datetime = NOW - HOUR, hours: int = 3, **more) -> Outage:
    facts = {
        "id": id_,
        "revision": 1,
        "utility": "water",
        "kind": "planned",
        "status": "announced",
        "phases": (Phase("off", start, start + hours * HOUR),),
        "areas": (Area("440304", "园岭街道", "百花二路、长城花园"),),
        "reason": "检修",
        "announced_at": NOW,
        "planned_end": start + hours * HOUR,
        "issuer": "水务集团",
        "hotline": "12345",
    }
    return Outage(**(facts | more))


def outages(*found: Outage) -> Outages:
    source = Source(department="水务", hotline="12345", as_of=NOW)
    return Outages(source=source, outages=found)


def names(found: Outages) -> list[str]:
    return [f"{outage.id}.{outage.revision}" for outage in found.outages]


def test_what_is_on_comes_before_what_is_to_come():
    later, current = outage("later", start=NOW + HOUR), outage("current")

    assert names(outages(later, current).relevant(NOW)) == ["current.1", "later.1"]


def test_what_is_over_restored_or_cancelled_is_left_out():
    found = outages(
        outage("over", start=NOW - 9 * HOUR),
        outage("restored", status="restored"),
        outage("cancelled", status="cancelled"),
    )

    assert names(found.relevant(NOW)) == []


def test_a_delayed_one_is_late_and_not_over():
    assert names(outages(outage(start=NOW - 9 * HOUR, status="delayed")).relevant(NOW)) == ["W1.1"]


def test_only_the_latest_revision_is_told():
    found = outages(outage(revision=2, status="changed"), outage(revision=1))

    assert names(found.relevant(NOW)) == ["W1.2"]


def test_a_superseded_notice_is_not_told():
    assert names(outages(outage("old"), outage("new", supersedes="old")).relevant(NOW)) == ["new.1"]


def test_off_and_low_pressure_are_two_phases_of_one_event():
    night = outage(
        phases=(
            Phase("off", NOW, NOW + 5 * HOUR),
            Phase("low", NOW + 5 * HOUR, NOW + 12 * HOUR),
        )
    )

    assert night.is_current(NOW + 6 * HOUR)
    assert night.end == NOW + 12 * HOUR


@pytest.mark.parametrize(
    ("region", "place", "match"),
    [
        ("440304", "", "area"),
        ("440300", "", "area"),  # a region means all below it
        ("440305", "", None),
        ("440304", "园岭街道", "street"),
        ("440304", "园岭", "street"),
        ("440304", "园岭街道 百花二路", "named"),
        ("440304", "园岭街道百花二路", "named"),
        ("440304", "长城花园", "named"),
        ("440304", "园岭街道 红荔社区", "street"),
        ("440304", "梅林街道", None),
        ("440305", "园岭街道", None),
    ],
)
def test_a_place_is_hit_surely_when_named_and_possibly_on_the_same_street(region, place, match):
    assert outage().match(region, place) == match


@pytest.mark.parametrize("area", [Area("440304"), Area("440304", "园岭街道")])
def test_a_whole_region_or_street_is_hit_surely(area):
    assert outage(areas=(area,)).match("440304", "园岭街道") == "area"
