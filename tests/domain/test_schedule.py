"""Quiet hours and recurring times."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import BEIJING, in_beijing
from domain.schedule import Cron, next_midnight, next_time_of_day, quiet_until

NIGHT = (time(22), time(7))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


@pytest.mark.parametrize(
    ("now", "hours", "end"),
    [
        ("2026-11-24 21:59:59", NIGHT, None),
        ("2026-11-24 22:00", NIGHT, "2026-11-25 07:00"),
        ("2026-11-25 00:30", NIGHT, "2026-11-25 07:00"),
        ("2026-11-25 07:00", NIGHT, None),
        ("2026-11-24 12:30", (time(12), time(14)), "2026-11-24 14:00"),
        ("2026-11-24 14:00", (time(12), time(14)), None),
        ("2026-11-24 03:00", (time(5), time(5)), None),
        ("2026-11-24 03:00", None, None),
    ],
)
def test_quiet_hours_end_when_people_get_up(now: str, hours, end: str | None):
    assert quiet_until(_at(now), hours) == (_at(end) if end else None)


def test_the_day_begins_at_midnight_in_china():
    assert next_midnight(_at("2026-11-24 23:59:59")) == _at("2026-11-25 00:00")
    assert next_time_of_day(_at("2026-11-24 08:00"), time(8)) == _at("2026-11-25 08:00")


@pytest.mark.parametrize(
    ("cron", "now", "then"),
    [
        ("0 9 * * *", "2026-11-24 08:00", "2026-11-24 09:00"),
        ("0 9 * * *", "2026-11-24 09:00", "2026-11-25 09:00"),
        ("*/15 8-17 * * 1-5", "2026-11-27 17:45", "2026-11-30 08:00"),  # Friday to Monday
        ("0 8 1,15 * *", "2026-11-15 08:00", "2026-12-01 08:00"),
        ("0 0 29 2 *", "2026-03-01 00:00", "2028-02-29 00:00"),
        ("30 7 * * sun", "2026-11-24 00:00", "2026-11-29 07:30"),
        ("30 7 * * 7", "2026-11-24 00:00", "2026-11-29 07:30"),
        ("0 8 13 * fri", "2026-11-24 00:00", "2026-11-27 08:00"),  # the 13th or a Friday
        ("0 8 1 jan,jul *", "2026-11-24 00:00", "2027-01-01 08:00"),
        ("59 23 31 12 *", "2026-12-31 23:59", "2027-12-31 23:59"),
        ("5/20 * * * *", "2026-11-24 08:26", "2026-11-24 08:45"),
    ],
)
def test_the_next_time_is_read_as_people_in_china_read_the_clock(cron: str, now: str, then: str):
    assert Cron(cron).next_after(_at(now)) == _at(then)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*/0 * * * *",
        "a * * * *",
        "1,,2 * * * *",
        "-1 * * * *",
        "0 0 31 2 *",
        "0 0 30 2 *",
        "@daily",
        "０ 9 * * *",
    ],
)
def test_a_time_that_cannot_be_is_refused_with_a_sentence(text: str):
    with pytest.raises(ValueError, match="cron"):
        Cron(text)


_FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "10-20/3", "5,50"]),
    st.sampled_from(["*", "0", "9-17", "*/5", "3,23"]),
    st.sampled_from(["*", "1", "31", "*/10", "13,28"]),
    st.sampled_from(["*", "2", "1-6", "*/4"]),
    st.sampled_from(["*", "0", "1-5", "6,7"]),
)


@given(fields=_FIELDS, minutes=st.integers(0, 2 * 365 * 24 * 60))
def test_no_minute_between_now_and_the_next_time_fits(fields: tuple[str, ...], minutes: int):
    text = " ".join(fields)
    if fields[2] == "31" and fields[3] == "2":
        return
    cron = Cron(text)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)

    then = cron.next_after(now)

    assert then > now
    assert _fits(fields, in_beijing(then))
    checked = min(then, now + timedelta(days=2))
    moment = (now + timedelta(minutes=1)).replace(second=0, microsecond=0)
    while moment < checked:
        assert not _fits(fields, in_beijing(moment))
        moment += timedelta(minutes=17)


def _fits(fields: tuple[str, ...], moment: datetime) -> bool:
    """Say the same again in the plainest way."""
    values = (
        moment.minute,
        moment.hour,
        moment.day,
        moment.month,
        moment.isoweekday() % 7,
    )
    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    fit = []
    for text, value, (low, high) in zip(fields, values, ranges, strict=True):
        allowed: set[int] = set()
        for part in text.split(","):
            span, _, step = part.partition("/")
            first, _, last = span.partition("-")
            start, end = (low, high) if span == "*" else (int(first), int(last or first))
            allowed |= set(range(start, end + 1, int(step or 1)))
        fit.append(value in allowed or (high == 7 and value == 0 and 7 in allowed))
    days_restricted = not fields[2].startswith("*") and not fields[4].startswith("*")
    day = (fit[2] or fit[4]) if days_restricted else (fit[2] and fit[4])
    return fit[0] and fit[1] and fit[3] and day
