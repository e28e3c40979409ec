"""When a broadcast will have reached everybody (预计完成时间), if nothing changes until then.

Whoever was ordered before goes first, the pace stays what it is, quiet hours and the broadcast's
own window shut at their times, and each day takes no more than its quota.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from domain.schedule import next_midnight, next_time_of_day, open_at

FURTHEST = timedelta(days=60)  # nobody needs to know more exactly than "later than that"

Hours = tuple[time, time]


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """What stands between an order and its last recipient."""

    per_second: float
    quiet: Hours | None = None  # None also when the broadcast does not heed them
    window: Hours | None = None
    left_today: int | None = None  # None: the day has no quota
    per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When it begins and ends. `ends` is None when that lies beyond the horizon."""

    starts: datetime
    ends: datetime | None
    over_days: bool  # one day's quota is not enough
    shut: bool  # quiet hours or the window delay its beginning or its end
    starts_late: bool  # its beginning


def forecast(people: int, ahead: int, road: Road, *, now: datetime, due: datetime) -> Forecast:
    """Follow the road; `ahead` people of others are sent to first, from now on."""
    opens = open_at(due, road.quiet, road.window)
    starts = opens or due
    moment, left, over_days = max(now, starts if not ahead else now), people + ahead, False
    shut = opens is not None
    late = shut
    today = next_midnight(now)
    quota = road.left_today
    while left > 0:
        if moment - now > FURTHEST:
            break
        waiting = open_at(moment, road.quiet, road.window)
        if waiting is not None and waiting > moment:
            shut, moment = True, waiting
            continue
        if left <= people:  # those of others are done: ours begin when they are due
            moment = max(moment, starts)
        if moment >= today:
            today, quota = next_midnight(moment), road.per_day
        if quota is not None and quota <= 0:
            over_days, moment = True, today
            continue
        most = left if left <= people else left - people
        until = _next_change(moment, road, today)
        could = max(1, int((until - moment).total_seconds() * road.per_second))
        sent = min(most, could, most if quota is None else quota)
        quota = None if quota is None else quota - sent
        left -= sent
        moment += timedelta(seconds=sent / road.per_second)
    return Forecast(
        starts=starts,
        ends=None if left > 0 else max(moment, starts),
        over_days=over_days,
        shut=shut,
        starts_late=late,
    )


def _next_change(moment: datetime, road: Road, midnight: datetime) -> datetime:
    """Return when quiet hours begin, the window closes or the day ends, whichever is first."""
    changes = [midnight]
    if road.quiet is not None:
        changes.append(next_time_of_day(moment, road.quiet[0]))
    if road.window is not None:
        changes.append(next_time_of_day(moment, road.window[1]))
    return min(changes)
