"""Bus detours (公交改道, domain.md 3.2): new, changed and ended ones, in the regions concerned.

An open end ("until the road is passable") is said as such; it stays news until its `review_at`,
or for a week where the company names none.
"""

from datetime import datetime, timedelta
from hashlib import sha256

from connectors.news_feed import NewsFeed
from domain.broadcast import Audience
from domain.city_news import DIRECTIONS, Detour
from domain.clock import in_beijing
from domain.ids import AccountId, TopicId
from push.orders import BroadcastOrder
from push.triggers.bulletins import Bulletin, BulletinTrigger, Items, Phase
from push.triggers.wording import THING, clean, fit, listed

NAME = "bus_detour"
TOPIC = TopicId("bus.detour")
TEMPLATE = "reminder_notice"
OPEN_END = timedelta(days=7)
NEWS_OF_END = timedelta(hours=12)
_OPEN = "结束待定；"


def detour_trigger(feed: NewsFeed[Detour], items: Items) -> BulletinTrigger[Detour]:
    """Return the trigger of the company's feed."""
    return BulletinTrigger(NAME, feed, items, _bulletin)


def _bulletin(detour: Detour, now: datetime) -> Bulletin:
    is_over = detour.status in ("restored", "cancelled")
    stale_at = detour.end or max(detour.review_at or detour.start + OPEN_END, now)
    if is_over:
        stale_at = now + NEWS_OF_END

    def order(account: AccountId, phase: Phase) -> BroadcastOrder:
        return BroadcastOrder(
            account=account,
            title=matter(detour, phase),
            topic=TOPIC,
            audience=Audience(topics=(TOPIC,), regions=detour.regions),
            template=TEMPLATE,
            data={
                "matter": matter(detour, phase),
                "due": when(detour, now if is_over else None),
                "note": note(detour, phase),
            },
            url=detour.url,
            expires_at=stale_at,
        )

    return Bulletin(
        id=detour.id,
        revision=detour.revision,
        is_over=is_over,
        print_=print_of(detour),
        stale_at=stale_at,
        order=order,
    )


def matter(detour: Detour, phase: Phase) -> str:
    """Say which line and what: M392路（上行）改道."""
    name = detour.line if detour.line.endswith(("路", "线", "号")) else f"{detour.line}路"
    direction = DIRECTIONS[detour.direction]
    name = clean(name) + (f"（{direction}）" if direction else "")
    if phase == "ended":
        what = "恢复原线路" if detour.status == "restored" else "改道取消"
    else:
        what = "改道" if phase == "announced" else "改道有变"
    return fit(name, THING - len(what)) + what


def when(detour: Detour, ended_at: datetime | None) -> str:
    """Say from which day to which, or on which it ended."""
    if ended_at is not None:
        return _day(ended_at)
    if detour.end is None or _day(detour.end) == _day(detour.start):
        return _day(detour.start)
    return f"{_day(detour.start)} ~ {_day(detour.end)}"


def note(detour: Detour, phase: Phase) -> str:
    """Say what matters most to somebody at the stop: where it does not stop, else the way."""
    if phase == "ended":
        return fit(detour.reason, empty="按原线路和站点运行" if detour.status == "restored" else "")
    opening = _OPEN if detour.end is None else ""
    room = THING - len(opening)
    if detour.stops_skipped:
        text = _with("不停靠", detour.stops_skipped, room)
    elif detour.stops_moved:
        moved = detour.stops_moved[0]
        text = fit(f"{moved.old}站移至{moved.where or moved.new}", room)
    elif detour.path_after:
        text = _with("绕行", detour.path_after, room)
    else:
        text = fit(detour.hours_changed or detour.reason, room, empty="请留意站牌公告")
    return opening + text


def print_of(detour: Detour) -> str:
    """Return a fingerprint of what people must be told again when it changes."""
    told = (
        *(detour.line, detour.direction, detour.start, detour.end, detour.path_after),
        *(detour.stops_skipped, detour.stops_added, detour.stops_moved),
        *(detour.hours_changed, detour.regions),
    )
    return sha256(repr(told).encode()).hexdigest()[:32]


def _with(word: str, names: tuple[str, ...], room: int) -> str:
    return word + listed(names, room - len(word), empty="部分站点")


def _day(moment: datetime) -> str:
    local = in_beijing(moment)
    return f"{local.year}年{local.month}月{local.day}日"
