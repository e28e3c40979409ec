"""The preview (预览): what an order would do, before anything is kept or sent.

It composes and checks as ordering does, so it refuses what ordering would refuse, with every
fault named. What is merely unwise is a warning, with a stable code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from config.catalogue import Catalogue
from config.settings import AccountSettings
from domain.audience import digest
from domain.authors import name_of
from domain.broadcast import Audience, Broadcast
from domain.clock import Clock, in_beijing
from domain.content import content_digest
from domain.forecast import Forecast, Road, forecast
from domain.ids import AccountId, BroadcastId
from domain.ledger import Content
from domain.masking import mask_openid
from domain.sentence import Sentence
from push.composing import Fault
from push.headcounts import Heads
from push.orders import BroadcastOrder, OrderRefused, check_broadcast
from push.plans import begin_at
from push.ports import People
from push.quota import Day, Quotas
from push.recurrences import recurrence
from push.template_watch import TemplateWatch
from storage.mongo.doubles import MongoDoubles
from storage.redis.limiter import KEPT_BACK, Limiter
from storage.redis.scripts import StoreAway

SAMPLE = 5
LATELY = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """Something that is unwise and not forbidden."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an order would do. `ends_at` is None when that is more than two months away."""

    audience: int
    sample: tuple[str, ...]  # masked
    content: Content = field(repr=False)
    day: Day  # the day it begins on
    left: int | None
    starts_at: datetime
    ends_at: datetime | None
    cautions: tuple[Caution, ...]

    @property
    def fits(self) -> bool:
        """Whether what is left of the day is enough for everybody."""
        return self.left is None or self.audience <= self.left


class Previews:
    """Looks ahead (runtime: `ctx.previews`)."""

    def __init__(
        self,
        doubles: MongoDoubles,
        people: People,
        quotas: Quotas,
        limiter: Limiter,
        accounts: Mapping[AccountId, AccountSettings],
        catalogue: Catalogue,
        clock: Clock,
        *,
        per_second: int,
        quiet_hours: tuple[time, time] | None,
        templates: TemplateWatch | None = None,
    ) -> None:
        self._templates = templates
        self._doubles = doubles
        self._people = people
        self._quotas = quotas
        self._limiter = limiter
        self._accounts = accounts
        self._catalogue = catalogue
        self._clock = clock
        self._per_second = per_second
        self._quiet_hours = quiet_hours

    async def preview(
        self,
        order: BroadcastOrder,
        heads: Heads | None = None,
        *,
        edited: BroadcastId | None = None,
    ) -> Preview:
        """Look at an order, or raise `OrderRefused` with everything that is wrong.

        With `heads`, which somebody counted just before, nobody is counted again. `edited` is the
        broadcast that the order would take the place of: it is no double of itself.
        """
        account = self._accounts.get(order.account)
        if account is None:
            message = Sentence("没有账号 {account}", account=order.account)
            raise OrderRefused((Fault(field="account", code="unknown_account", message=message),))
        now = self._clock.now()
        content = check_broadcast(order, account, self._catalogue, now)
        heads = heads or await self._heads(order)
        audience = heads.people
        due = max(order.at, now) if order.at else now
        if order.cron:
            due = begin_at(recurrence(order.cron), order.at, now).due_at
        day = await self._quotas.day(order.account, due)
        ahead = await self._forecast(order, audience, day, now, due)
        left = day.left_for(order.priority)
        alike = await self._alike(order, content, now, edited)
        return Preview(
            audience=audience,
            sample=tuple(map(mask_openid, heads.some)),
            content=content,
            day=day,
            left=left,
            starts_at=ahead.starts,
            ends_at=ahead.ends,
            cautions=(
                *_cautions(order, audience, left, ahead, alike),
                *await self._template_cautions(order, content),
            ),
        )

    async def _heads(self, order: BroadcastOrder) -> Heads:
        people = await self._people.count(order.account, order.audience)
        some = await self._people.sample(order.account, order.audience, SAMPLE) if people else []
        return Heads(people=people, some=tuple(some))

    async def _template_cautions(
        self, order: BroadcastOrder, content: Content
    ) -> tuple[Caution, ...]:
        """Tell of templates that the platform changed or no longer has."""
        if self._templates is None:
            return ()
        found = await self._templates.troubles(
            order.account, order.template, channels=content.channels
        )
        return tuple(Caution(code=each.code, message=each.message) for each in found)

    async def _forecast(
        self, order: BroadcastOrder, audience: int, day: Day, now: datetime, due: datetime
    ) -> Forecast:
        try:
            pace = await self._limiter.pace(order.account)
            held_till, per_second = now + pace.held_for, pace.per_second
        except StoreAway:  # the order can be looked at all the same
            held_till, per_second = now, float(self._per_second)
        heeds = order.priority == "normal" and not order.ignore_quiet_hours
        road = Road(
            per_second=per_second * KEPT_BACK,
            quiet=self._quiet_hours if heeds else None,
            window=order.window,
            left_today=day.open_to(order.priority),
            per_day=_whole_day(day).open_to(order.priority),
        )
        # what is urgent waits for nobody; what is planned for another day for that day's own
        ahead = 0 if order.priority == "urgent" else day.reserved
        begin = due if due > now + timedelta(days=1) else now
        return forecast(audience, ahead, road, now=begin, due=max(due, held_till))

    async def _alike(
        self, order: BroadcastOrder, content: Content, now: datetime, edited: BroadcastId | None
    ) -> str:
        """Say when the same went, or will go, to the same people; nothing if it does not."""
        found = await self._doubles.list_alike(order.account, content_digest(content), now - LATELY)
        same = [each for each in found if _key(each.audience) == _key(order.audience)]
        if same:
            return _when(max(same, key=lambda each: each.started_at or each.created_at), now)
        for each in await self._doubles.list_in_review(order.account):
            is_same = _said(each) == _said(order) and _key(each.audience) == _key(order.audience)
            if is_same and each.id != edited:
                return Sentence(
                    "已由 {who} 提交审核，任务“{title}”",
                    who=name_of(each.author),
                    title=each.title,
                )
        return ""


def _whole_day(day: Day) -> Day:
    return Day(limit=day.limit, used=0, reserved=0)


def _said(what: BroadcastOrder | Broadcast) -> tuple[object, ...]:
    return (what.template, dict(what.data), what.url, what.channel)


def _when(broadcast: Broadcast, now: datetime) -> str:
    if broadcast.started_at is not None:
        return Sentence("已于 {at} 发给同样的发送对象", at=_told(broadcast.started_at))
    if broadcast.due_at is not None and broadcast.due_at > now:
        return Sentence("已定于 {at} 发给同样的发送对象", at=_told(broadcast.due_at))
    return Sentence("已于 {at} 提交给同样的发送对象", at=_told(broadcast.created_at))


def _key(audience: Audience) -> tuple[object, ...]:
    kinds = (audience.topics, audience.regions, audience.tags, audience.openids)
    rule = digest(audience.rule) if audience.rule is not None else None
    return (audience.all, rule, *(tuple(sorted(kind)) for kind in kinds))


def _cautions(
    order: BroadcastOrder,
    audience: int,
    left: int | None,
    ahead: Forecast,
    alike: str,
) -> tuple[Caution, ...]:
    found: list[tuple[str, str]] = []
    if not audience:
        found.append(("empty_audience", Sentence("目前没有符合条件的人，发送时也可能没有人收到。")))
    if left is not None and audience > left:
        found.append(
            (
                "quota_exceeded",
                Sentence(
                    "当天还可发送 {left} 条，不够发给 {audience} 人；其余的次日零点后继续发送。",
                    left=left,
                    audience=audience,
                ),
            )
        )
    if alike:
        found.append(
            ("same_content", Sentence("同样的内容{alike}，请确认不是重复发送。", alike=alike))
        )
    if ahead.shut:
        then = (
            Sentence("{at} 开始", at=_told(ahead.starts))
            if ahead.starts_late
            else Sentence("到时暂停，之后继续")
        )
        found.append(
            ("quiet_hours", Sentence("免打扰时段或发送时段之外不发送，{then}。", then=then))
        )
    expires = order.expires_at
    if expires is not None and audience and (ahead.ends is None or ahead.ends > expires):
        found.append(
            (
                "ends_after_expiry",
                Sentence("预计到 {at} 失效时还没有发完，其余的人不会收到。", at=_told(expires)),
            )
        )
    if ahead.ends is None:
        found.append(("too_long", Sentence("按目前的速度和配额，两个月内发不完。")))
    return tuple(Caution(code=code, message=message) for code, message in found)


def _told(moment: datetime) -> str:
    return f"{in_beijing(moment):%m-%d %H:%M}"
