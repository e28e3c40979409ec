"""What an alert gives to say (domain.md 3.5): the rules alone."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alert import (
    LEVELS,
    Alert,
    AlertArea,
    AlertId,
    AlertInfo,
    Level,
    MessageType,
    rank,
    regions_of,
)
from domain.alert_plan import Setting, decide, replaced_by
from domain.alert_record import REASONS, AlertRecord
from domain.ids import RegionCode
from domain.topic import ancestors

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = {"福田区": RegionCode("440304"), "深圳市": RegionCode("440300")}
SEVERITIES = dict(zip(LEVELS, ["Unknown", "Minor", "Moderate", "Severe", "Extreme"], strict=True))


def setting(now: datetime = NOW) -> Setting:
    return Setting(
        now=now,
        via="test",
        find_region=NAMES.get,
        key=lambda digest, phase: f"{digest[:6]}:{phase}",
    )


def area(*codes: str, text: str = "某地", name: str = "GB/T 2260") -> AlertArea:
    return AlertArea(text=text, geocodes=tuple((name, code) for code in codes))


def info(level: Level = "orange", *areas: AlertArea, **changes) -> AlertInfo:
    plain = {
        "language": "zh-CN",
        "categories": ("Met",),
        "event": "暴雨",
        "urgency": "Immediate",
        "severity": SEVERITIES[level],
        "certainty": "Likely",
        "areas": areas or (area("440304"),),
    }
    return AlertInfo(**plain | changes)


def alert(
    name: str,
    *infos: AlertInfo,
    kind: MessageType = "Alert",
    after: int = 0,
    refers: tuple[AlertId, ...] = (),
    **changes,
) -> Alert:
    return Alert(
        id=AlertId(identifier=name, sender="s", sent=NOW + timedelta(minutes=after)),
        status=changes.pop("status", "Actual"),
        message_type=kind,
        scope=changes.pop("scope", "Public"),
        references=refers,
        infos=infos,
        **changes,
    )


class Desk:
    """Hears one alert after another, as the real one does."""

    def __init__(self) -> None:
        self.records: list[AlertRecord] = []
        self.unheard: set[str] = set()

    def hear(self, message: Alert, now: datetime = NOW) -> AlertRecord:
        refers = {reference.digest for reference in message.references}
        linked = {
            record.chain
            for record in self.records
            if record.id in refers or {message.id.digest, *refers} & set(record.references)
        }
        family = [record for record in self.records if record.chain in linked]
        record = decide(message, family, frozenset(self.unheard), setting(now))
        self.records.append(record)
        return record


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- what never goes out ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "Exercise"}, "exercise"),
        ({"status": "Test"}, "test"),
        ({"status": "System"}, "system"),
        ({"status": "Draft"}, "draft"),
        ({"scope": "Private"}, "not_public"),
        ({"scope": "Restricted"}, "not_public"),
        ({"kind": "Ack"}, "acknowledgement"),
        ({"kind": "Error"}, "acknowledgement"),
    ],
)
def test_what_is_not_in_earnest_or_not_public_never_goes_out(desk, changes, reason):
    record = desk.hear(alert("a", info("red"), **changes))

    assert (record.action, record.reason, record.says) == ("ignored", reason, ())
    assert REASONS[reason]


def test_what_has_expired_or_says_nothing_is_not_relayed(desk):
    old = alert("a", info(expires=NOW - HOUR))
    assert desk.hear(old).reason == "expired"
    assert desk.hear(alert("b")).reason == "no_info"
    assert desk.hear(alert("c", info()), NOW + 25 * HOUR).reason == "expired"


def test_a_part_that_has_expired_does_not_silence_the_other(desk):
    gone = info("orange", area("440304"), expires=NOW - HOUR, headline="旧")
    [say] = desk.hear(alert("a", gone, info("orange", area("440305"), headline="新"))).says

    assert (say.regions, say.headline) == (("440305",), "新")


# --- levels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_is_told_once(desk, level):
    a = alert("a", info(level))
    [say] = desk.hear(a).says
    assert (say.phase, say.regions) == (level, ("440304",))

    again = desk.hear(alert("b", info(level), kind="Update", after=1, refers=(a.id,)))
    assert (again.action, again.reason) == ("ignored", "same_level")


def test_an_upgrade_pushes_and_takes_the_place_of_the_lower_one(desk):
    a = alert("a", info("yellow"))
    first = desk.hear(a).says[0]
    [say] = desk.hear(alert("b", info("red"), kind="Update", after=1, refers=(a.id,))).says

    assert say.phase == "red"
    assert say.stops == (first.key,)
    assert say.before == ()  # who got yellow must get red


def test_a_downgrade_does_not_push_and_neither_does_going_back_up(desk):
    a = alert("a", info("red"))
    b = alert("b", info("yellow"), kind="Update", after=1, refers=(a.id,))
    c = alert("c", info("red"), kind="Update", after=2, refers=(a.id, b.id))
    desk.hear(a)

    assert desk.hear(b).reason == "downgrade"
    assert desk.hear(c).reason == "same_level"


def test_an_update_tells_new_regions_but_not_those_who_know(desk):
    a = alert("a", info("orange", area("440304")))
    first = desk.hear(a).says[0]
    wider = info("orange", area("440304"), area("440305"))
    [say] = desk.hear(alert("b", wider, kind="Update", after=1, refers=(a.id,))).says

    assert say.regions == ("440305",)
    assert say.before == (first.key,)


def test_the_city_after_its_district_leaves_out_those_who_got_it(desk):
    a = alert("a", info("orange", area("440304")))
    first = desk.hear(a).says[0]
    city = info("orange", area("440300"))
    [say] = desk.hear(alert("b", city, kind="Update", after=1, refers=(a.id,))).says

    assert (say.regions, say.before) == (("440300",), (first.key,))


def test_a_district_after_its_city_is_told_already(desk):
    a = alert("a", info("orange", area("440300")))
    desk.hear(a)

    assert (
        desk.hear(alert("b", info(), kind="Update", after=1, refers=(a.id,))).reason == "same_level"
    )


def test_a_push_that_never_began_counts_for_nothing(desk):
    a = alert("a", info("yellow"))
    desk.unheard.add(desk.hear(a).says[0].key)
    [say] = desk.hear(alert("b", info("blue"), kind="Update", after=1, refers=(a.id,))).says

    assert say.phase == "blue"


def test_several_levels_in_one_message_are_one_push_each_the_highest_first(desk):
    record = desk.hear(
        alert(
            "a",
            info("yellow", area("440304"), area("440305")),
            info("red", area("440304")),
        )
    )

    assert [(say.phase, say.regions) for say in record.says] == [
        ("red", ("440304",)),
        ("yellow", ("440305",)),
    ]
    assert record.says[1].before == (record.says[0].key,)
    assert record.level == "red"


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({"event": "暴雨红色预警"}, "red"),
        ({"headline": "市气象台将暴雨黄色预警升级为橙色预警"}, "orange"),
        ({"headline": "暴雨黄色、雷电橙色预警生效中"}, "blue"),  # two colours: severity decides
        ({"parameters": (("预警级别", "红色"),), "event": "暴雨黄色预警"}, "red"),
        ({"parameters": (("awareness_level", "3; orange; Severe"),)}, "orange"),
        ({"parameters": (("colour", "RED"),)}, "red"),
        ({"parameters": (("VTEC", "red"),)}, "blue"),
        ({"event": "Red Flag Warning"}, "blue"),
    ],
)
def test_the_colour_that_is_named_goes_before_the_severity(changes, level):
    assert info("blue", **changes).level == level


# --- where ------------------------------------------------------------------------------------


def test_a_headline_without_an_end_is_judged_quickly(desk):
    began = time.process_time()
    record = desk.hear(alert("a", info("red", headline="升级为" * 60_000)))

    assert record.level == "red"
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("geocodes", "regions"),
    [
        ((("GB/T 2260-2007", "440304"),), ("440304",)),
        ((("行政区划代码", "440304000000"), ("adcode", "440305")), ("440304", "440305")),
        ((("areaCode", "440304001002"),), ("440304",)),  # a village: its district
        ((("GBT2260", "440304,440305 440306"),), ("440304", "440305", "440306")),
        ((("SAME", "440304"), ("ARS", "110000000000")), ()),
        ((("adcode", "990101"), ("adcode", "44030"), ("adcode", "福田")), ()),
    ],
)
def test_codes_are_known_under_the_names_that_publishers_use(geocodes, regions):
    assert regions_of(AlertArea(text="", geocodes=geocodes)) == regions


@pytest.mark.parametrize(
    ("areas", "regions"),
    [
        ((area(text="福田区"),), ("440304",)),
        ((area(text="福田区、某岛"),), ()),  # one that we do not know: everybody
        ((area("440305"), area(text="海面")), ()),
        ((area("CAC037", name="UGC"),), ()),
        ((area("440300"), area("440304")), ("440300",)),
        ((area(*(str(code) for code in range(440_000, 440_600))),), ()),  # a code for everything
    ],
)
def test_an_area_without_a_code_means_its_name_and_else_the_whole_account(desk, areas, regions):
    [say] = desk.hear(alert("a", info("orange", *areas))).says

    assert say.regions == regions


def test_the_whole_account_knows_what_every_region_is_told_later(desk):
    a = alert("a", info("orange", area(text="海面")))
    desk.hear(a)

    assert (
        desk.hear(alert("b", info(), kind="Update", after=1, refers=(a.id,))).reason == "same_level"
    )


# --- the end, and messages out of order -------------------------------------------------------


def test_the_end_goes_to_those_who_got_one_of_the_pushes(desk):
    a = alert("a", info("yellow", headline="黄色"))
    b = alert("b", info("red", headline="红色"), kind="Update", after=1, refers=(a.id,))
    keys = tuple(desk.hear(each).says[0].key for each in (a, b))
    [say] = desk.hear(alert("c", kind="Cancel", after=2, refers=(b.id,))).says

    assert say.is_end
    assert say.before == say.stops == keys
    assert (say.level, say.headline) == ("已解除", "红色")


def test_an_end_that_nobody_waits_for_is_not_told(desk):
    a = alert("a", info("yellow"))
    desk.unheard.add(desk.hear(a).says[0].key)
    assert desk.hear(alert("c", kind="Cancel", after=2, refers=(a.id,))).reason == "nobody_told"

    b = alert("b", info("red"))
    desk.hear(b)
    desk.hear(alert("d", kind="Cancel", after=2, refers=(b.id,)))
    again = desk.hear(alert("e", kind="Cancel", after=3, refers=(b.id,)))
    assert again.reason == "nobody_told"


def test_what_is_announced_again_after_its_end_is_news_again(desk):
    a = alert("a", info("red"))
    desk.hear(a)
    desk.hear(alert("b", kind="Cancel", after=1, refers=(a.id,)))
    [say] = desk.hear(alert("c", info("blue"), kind="Update", after=2, refers=(a.id,))).says

    assert say.phase == "blue"


def test_an_update_of_an_unknown_alert_is_an_orphan_and_told(desk):
    unknown = AlertId(identifier="x", sender="s", sent=NOW)
    record = desk.hear(alert("b", info(), kind="Update", refers=(unknown,)))

    assert record.is_orphan
    assert record.action == "sent"


def test_the_end_of_an_unknown_alert_is_kept_as_an_orphan(desk):
    unknown = AlertId(identifier="x", sender="s", sent=NOW)
    record = desk.hear(alert("b", info(), kind="Cancel", refers=(unknown,)))

    assert (record.action, record.reason, record.is_orphan) == ("orphan", "orphan_cancel", True)


def test_updates_of_one_unknown_alert_belong_together_and_so_does_its_end(desk):
    unknown = AlertId(identifier="x", sender="s", sent=NOW)
    first = desk.hear(alert("b", info("red"), kind="Update", after=1, refers=(unknown,)))
    again = desk.hear(alert("c", info("red"), kind="Update", after=2, refers=(unknown,)))
    end = desk.hear(alert("d", info("red"), kind="Cancel", after=3, refers=(unknown,)))

    assert (again.action, again.reason, again.is_orphan) == ("ignored", "same_level", True)
    assert [say.before for say in end.says] == [(first.says[0].key,)]


@pytest.mark.parametrize("kind", ["Update", "Cancel"])
def test_an_alert_that_comes_after_its_successor_is_not_told(desk, kind):
    a = alert("a", info("red"))
    desk.hear(alert("b", info("blue"), kind=kind, after=1, refers=(a.id,)))

    assert desk.hear(a).reason == "superseded"


def test_an_update_without_information_silences_nothing(desk):
    a = alert("a", info("red"))
    empty = alert("b", kind="Update", after=1, refers=(a.id,))
    assert desk.hear(empty).reason == "no_info"
    heard = desk.hear(a)

    assert heard.action == "sent"
    assert replaced_by(empty, [heard]) == []
    assert replaced_by(alert("c", kind="Cancel", after=2, refers=(a.id,)), [heard]) == [heard]


def test_an_end_that_comes_late_does_not_end_what_was_announced_after_it(desk):
    a = alert("a", info("yellow"))
    desk.hear(a)
    again = alert("c", info("red"), kind="Update", after=2, refers=(a.id,))
    key = desk.hear(again).says[0].key
    [say] = desk.hear(alert("b", kind="Cancel", after=1, refers=(a.id,))).says

    assert key not in (*say.before, *say.stops)


def test_an_end_ends_what_it_names_whatever_the_clocks_say(desk):
    a = alert("a", info("yellow"), after=5)
    key = desk.hear(a).says[0].key
    [say] = desk.hear(alert("b", kind="Cancel", after=1, refers=(a.id,))).says

    assert say.before == (key,)


def test_an_update_that_comes_after_the_end_is_not_told(desk):
    a = alert("a", info("yellow"))
    desk.hear(a)
    desk.hear(alert("c", kind="Cancel", after=2, refers=(a.id,)))
    late = desk.hear(alert("b", info("red"), kind="Update", after=1, refers=(a.id,)))

    assert (late.says, late.reason) == ((), "superseded")


def test_an_acknowledgement_before_its_alert_does_not_silence_it(desk):
    a = alert("a", info("red"))
    desk.hear(alert("b", kind="Ack", after=1, refers=(a.id,)))

    assert desk.hear(a).action == "sent"


def test_a_message_that_refers_to_itself_is_no_trouble(desk):
    own = AlertId(identifier="a", sender="s", sent=NOW)

    assert desk.hear(alert("a", info(), kind="Update", refers=(own,))).is_orphan


# --- any story --------------------------------------------------------------------------------

CODES = ("440304", "440305", "440300", "440000")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["Alert", "Update", "Update", "Update", "Cancel", "Ack"]),
        st.sampled_from(LEVELS),
        st.sets(st.sampled_from(CODES), min_size=1, max_size=3),
        st.sets(st.integers(0, 9), max_size=3),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_nobody_is_told_of_a_level_twice_nor_of_a_lower_one_until_the_end(steps):
    desk = Desk()
    messages: list[Alert] = []
    told: dict[tuple[str, str], int] = {}  # (chain's first, person's region) → highest
    for number, (kind, level, codes, refers) in enumerate(steps):
        known = tuple(messages[n].id for n in sorted(refers) if n < len(messages))
        if kind != "Alert" and not known:
            continue
        message = alert(
            f"m{number}",
            info(level, *(area(code) for code in sorted(codes))),
            kind=kind,
            after=number,
            refers=known if kind != "Alert" else (),
        )
        before = {record.id: record.chain for record in desk.records}
        record = desk.hear(message)
        messages.append(message)
        chains = {before[each.digest] for each in known if each.digest in before}
        if kind != "Alert" and len(chains) > 1:
            return  # two alerts become one: told together from here
        for say in record.says:
            for person in ("440304", "440305"):
                if say.is_end:
                    told.pop((record.chain, person), None)
                elif set(say.regions) & set(ancestors(person)):
                    key = (record.chain, person)
                    is_left_out = any(
                        other.key in say.before and set(other.regions) & set(ancestors(person))
                        for earlier in desk.records
                        for other in earlier.says
                        if not other.is_end
                    )
                    if not is_left_out:
                        assert rank(say.phase) > told.get(key, -1)
                        told[key] = rank(say.phase)
