"""Fuel prices (油价调整, domain.md 3.3): each decision is told once, on its day, 17:00 to 20:00.

A decision not to change anything ("本次不作调整") is published and told like the others: people
wait for it with a full or an empty tank. One that becomes known after 20:00 goes out at once; after
24:00, when the new prices apply, it is no news. There is one push per window, never two: a
correction takes its place as long as nobody has received it, and is only written to the log later.
"""

import logging
from dataclasses import replace
from datetime import datetime, time, timedelta
from hashlib import sha256

from connectors.news_feed import NewsFeed, NewsPage
from domain.broadcast import Audience
from domain.city_news import FuelDecision
from domain.clock import BEIJING, in_beijing
from domain.ids import AccountId, TopicId
from domain.workdays import Provisional, Workdays, add_working_days
from push.orders import BroadcastOrder
from push.triggers.bulletins import Items
from push.triggers.ports import Outcome, Visit
from push.triggers.reading import read_pages
from push.triggers.wording import fit
from storage.mongo.triggers import Item

log = logging.getLogger(__name__)

NAME = "fuel_price"
TOPIC = TopicId("fuel.price")
TEMPLATE = "reminder_notice"
WINDOW = (time(17), time(20))
PERIOD = 10  # working days between two windows
KEPT = timedelta(days=120)
PAGES = 5
GRADES = ("92", "95", "0")  # what citizens mean
_WHY = "发布单位已更正本次油价信息，旧消息停止发送"


class FuelTrigger:
    """The pricing office's feed, told to those who follow fuel.price."""

    name = NAME
    every = timedelta(minutes=5)

    def __init__(
        self, feed: NewsFeed[FuelDecision], items: Items, calendar: Workdays, *, pages: int = PAGES
    ) -> None:
        self._feed = feed
        self._items = items
        self._calendar = Provisional(calendar)
        self._pages = pages

    async def run(self, visit: Visit) -> Outcome:
        """Read what is new and tell what was decided for today."""

        async def ask(since: str, etag: str) -> NewsPage[FuelDecision]:
            return await self._feed.changes(since=since, etag=etag)

        async def hear(page: NewsPage[FuelDecision], _: bool) -> int:
            for decision in page.news:
                await self._hear(visit, decision)
            return len(page.news)

        return await read_pages(visit, ask, hear, trigger=NAME, pages=self._pages)

    async def _hear(self, visit: Visit, decision: FuelDecision) -> None:
        event = f"{decision.province}/{decision.zone}/{decision.window_date}"
        found = await self._items.find(visit.account, NAME, [event])
        until = decision.effective_at + KEPT
        new = Item(id=event, revision=0, state={"key": "", "print": ""}, expires_at=until)
        known = found.get(event, new)
        if decision.revision <= known.revision:
            return
        if decision.effective_at <= visit.now:
            return  # it applies already
        before = known.state["key"] or ""  # of what was said, or was about to be
        key = visit.emit.key(event, decision.revision, "decided")
        print_ = _print_of(decision)
        if known.state["print"] == print_:
            key = before
        elif before not in ("", key) and not await self._take_back(visit, known, before):
            log.warning(
                "trigger.fuel_corrected",
                extra={
                    "account": visit.account,
                    "event": event,
                    "reason": "it was told already; one push per window",
                },
            )
            key = before
        else:
            await self._keep_uncertain(visit, known, key)
            await visit.emit.broadcast(
                self._order(visit.account, decision, visit.now),
                event=event,
                revision=decision.revision,
                phase="decided",
            )
        state = {"key": key, "print": print_}
        news = replace(new, revision=decision.revision, state=state)
        await self._items.put(visit.account, NAME, news)

    async def _take_back(self, visit: Visit, known: Item, key: str) -> bool:
        """Withdraw what nobody has received; False when somebody may have, and it goes on."""
        await self._keep_uncertain(visit, known, key)
        if await visit.emit.was_heard(key):
            return False
        return not await visit.emit.withdraw(key, reason=_WHY)

    async def _keep_uncertain(self, visit: Visit, known: Item, key: str) -> None:
        """Keep what is about to be said or withdrawn: after a crash any correction is news."""
        uncertain = replace(known, state={"key": key, "print": ""})
        await self._items.put(visit.account, NAME, uncertain)

    def _order(self, account: AccountId, decision: FuelDecision, now: datetime) -> BroadcastOrder:
        opens, closes = (datetime.combine(decision.window_date, at, BEIJING) for at in WINDOW)
        following = add_working_days(decision.window_date, PERIOD, self._calendar)
        text = matter(decision)
        return BroadcastOrder(
            account=account,
            title=text,
            topic=TOPIC,
            audience=Audience(topics=(TOPIC,)),
            template=TEMPLATE,
            data={
                "matter": text,
                "due": _moment(decision),
                "note": note(decision) or f"下次调价窗口：{following.month}月{following.day}日",
            },
            at=opens,
            window=WINDOW if now < closes else None,
            late_by=timedelta(hours=7),
            expires_at=decision.effective_at,
        )


def matter(decision: FuelDecision) -> str:
    """Say what was decided: 今晚24时油价上调，92号涨0.21元."""
    where = decision.zone
    if decision.decision == "hold":
        return fit(f"{where}本次油价不作调整")
    word, short = ("上调", "涨") if decision.decision == "up" else ("下调", "降")
    by_grade = {price.grade: price for price in decision.prices}
    price = by_grade.get("92")
    change = f"，92号{short}{_yuan(abs(price.new - price.old))}元" if price else ""
    return fit(f"{where}今晚24时油价{word}{change}")


def note(decision: FuelDecision) -> str:
    """Say the new ceilings of what people buy, as many as fit: 92号7.35元，95号7.96元."""
    by_grade = {price.grade: price for price in decision.prices}
    found = [f"{grade}号{_yuan(by_grade[grade].new)}元" for grade in GRADES if grade in by_grade]
    while found and decision.decision != "hold":
        text = "，".join(found)
        if len(text) <= 20:
            return text
        found.pop()
    return ""


def _moment(decision: FuelDecision) -> str:
    local = in_beijing(decision.effective_at)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


def _print_of(decision: FuelDecision) -> str:
    told = (decision.decision, decision.prices, decision.effective_at)
    return sha256(repr(told).encode()).hexdigest()[:32]


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02}"
