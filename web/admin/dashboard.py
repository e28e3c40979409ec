"""The dashboard (总览): numbers, plots, what waits for me, and what went wrong."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from tornado.web import HTTPError

from console.dashboard import Point, Today, WaitKind
from domain.allowance import NORMAL_SHARE, URGENT_SHARE
from domain.authors import name_of
from domain.clock import in_beijing
from domain.figures import net_follows, quantile
from domain.incident import KINDS
from domain.sentence import Sentence
from push.outcomes import BLOCKED, why_failed
from push.quota import Day
from web.admin.base import AdminPage
from web.admin.table import ACCOUNT, route
from web.admin.words import mark

WAITING: dict[WaitKind, str] = {
    "returned": mark("被退回，请修改后再提交"),
    "review": mark("等待您审核"),
    "publish": mark("已通过，等待发布"),
    "paused": mark("已暂停，等待处理"),
    "unknown": mark("有结果不明的接收人"),
    "dead": mark("批次被搁置，处理办法见告警"),
}
_OTHER_SERVICES = mark("其他")
_BY_RECEIPT = {BLOCKED: mark("接收人拒收"), "": mark("微信系统原因，未送达")}
_NO_ANSWER = mark("微信没有答复，可能已送达")
_CALLS, _P95, _FAILED = mark("回调次数"), mark("95 分位耗时"), mark("处理失败")
_SENT, _DELIVERED, _NOT_SENT = mark("已发送"), mark("已送达"), mark("失败")
_FOLLOWERS, _COME, _GONE = mark("关注人数"), mark("新关注"), mark("取消关注")
_TIME, _DAY, _NET = mark("时间"), mark("日期"), mark("净增")
_SERVICE, _TIMES = mark("服务"), mark("次数")

Row = tuple[str, ...]
Json = dict[str, Any]


class DashboardPage(AdminPage):
    """Everything at a glance; every plot's figures stand in a table below it."""

    async def get(self) -> None:
        dashboards, account = self.ctx.dashboards, self.account_id
        today = await dashboards.today(account)
        waiting = await dashboards.waiting(account, self.operator.author, self.can)
        days = await dashboards.days(account)
        self.page(
            "admin/dashboard.html",
            **numbers_of(self, today, await dashboards.quota(account)),
            waiting=[
                {
                    "what": self.say(WAITING[each.kind]),
                    "title": each.title
                    or self.say(Sentence("{number} 个批次", number=each.number)),
                    "id": each.broadcast.id if each.broadcast else "",
                    "author": name_of(each.broadcast.author) if each.broadcast else "",
                    "reason": each.broadcast.reason if each.broadcast else "",
                }
                for each in waiting
            ],
            **await incidents_of(self),
            departments=await dashboards.departments() if self.can("departments.read") else None,
            callbacks=_table(
                self, (_TIME, _CALLS, _FAILED, _P95), [_minute_row(each) for each in today.minutes]
            ),
            notices=_table(
                self,
                (_TIME, _SENT, _DELIVERED, _NOT_SENT),
                [_hour_row(each) for each in today.hours],
            ),
            services=_table(
                self,
                (_SERVICE, _TIMES),
                [(title, f"{number:,}") for title, number in services_of(self, today)],
            ),
            followers=_table(
                self,
                (_DAY, _FOLLOWERS, _COME, _GONE, _NET),
                [
                    (
                        f"{in_beijing(day.day):%m-%d}",
                        "—" if day.followers is None else f"{day.followers:,}",
                        f"{day.counts.get('follow', 0):,}",
                        f"{day.counts.get('unfollow', 0):,}",
                        f"{net_follows(day.counts):+,}",
                    )
                    for day in days
                ],
            ),
        )


class NumbersPart(AdminPage):
    """The numbers at the top, asked for again every twenty seconds."""

    is_polled = asks_by_itself = True

    async def get(self) -> None:
        today = await self.ctx.dashboards.today(self.account_id)
        quota = await self.ctx.dashboards.quota(self.account_id)
        self.fragment("admin/_dashboard_numbers.html", **numbers_of(self, today, quota))


class PlotData(AdminPage):
    """One plot's figures as `static/admin/charts.js` draws them."""

    async def get(self, name: str) -> None:
        plot = PLOTS.get(name)
        if plot is None:
            raise HTTPError(404)
        content = await plot(self)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(orjson.dumps(content))


class Acknowledgement(AdminPage):
    """Say that one knows of an incident."""

    async def post(self, incident: str) -> None:
        done = await self.ctx.incidents.acknowledge(
            incident, self.account_id, self.operator.author, self.ctx.clock.now()
        )
        if not done:
            raise HTTPError(404)
        await self.note("incident.acknowledge", incident)
        self.flash(mark("已记录您知道这件事。"))
        self.go("dashboard")


# --- what the templates show --------------------------------------------------------------------


def numbers_of(page: AdminPage, today: Today, quota: Day) -> dict[str, Any]:
    """Return what `_dashboard_numbers.html` shows."""
    return {
        "today": today,
        "at": f"{in_beijing(today.at):%H:%M:%S}",
        "p95": None if today.p95_ms is None else round(today.p95_ms),
        "net": net_follows(today.counts),
        "reasons": reasons_of(page, today),
        "quota": quota,
        "left": quota.left_for("normal"),
        "kept_share": round(100 * (URGENT_SHARE - NORMAL_SHARE)),
        "used_share": round(100 * quota.used / quota.limit) if quota.limit else 0,
    }


def reasons_of(page: AdminPage, today: Today) -> list[tuple[str, int]]:
    """Return why messages did not arrive, in words, the most frequent first."""
    found = [
        (page.say(why_failed(int(code) if code.lstrip("-").isdigit() else None)), number)
        for code, number in today.refused.items()
    ]
    found += [
        (page.say(_BY_RECEIPT.get(status, _BY_RECEIPT[""])), number)
        for status, number in today.undelivered.items()
    ]
    if unanswered := today.counts.get("unanswered", 0):
        found.append((page.say(_NO_ANSWER), unanswered))
    return sorted(found, key=lambda each: -each[1])


def services_of(page: AdminPage, today: Today) -> list[tuple[str, int]]:
    """Return how often each service was asked; what is no service is put together."""
    titles, other, found = page.ctx.service_titles, 0, []
    for name, number in today.queries.items():
        if title := titles.get(name):
            found.append((page.say(title), number))
        else:
            other += number
    return [*found, (page.say(_OTHER_SERVICES), other)] if other else found


async def incidents_of(page: AdminPage) -> dict[str, Any]:
    """Return the incidents: unread or open ones, then what is over."""
    incidents = await page.ctx.incidents.list_(page.account_id, limit=20)
    rows = [
        {
            "id": each.id,
            "what": page.say(KINDS[each.condition.kind]),
            "subject": each.condition.subject,
            "detail": each.condition.detail,
            "link": each.condition.link,
            "began": f"{in_beijing(each.noticed_at):%m-%d %H:%M}",
            "over": f"{in_beijing(each.over_at):%m-%d %H:%M}" if each.over_at else "",
            "by": name_of(each.acknowledged_by) if each.acknowledged_by else "",
            "is_unread": each.is_unread,
        }
        for each in incidents
    ]
    return {"incidents": rows, "unread": sum(bool(row["is_unread"]) for row in rows)}


def _table(page: AdminPage, heads: Sequence[str], rows: Sequence[Row]) -> dict[str, Any]:
    return {"heads": [page.say(head) for head in heads], "rows": rows}


def _minute_row(point: Point) -> Row:
    p95 = quantile(point.counts, 0.95)
    return (
        f"{in_beijing(point.at):%H:%M}",
        f"{point.counts.get('calls', 0):,}",
        f"{point.counts.get('failed', 0):,}",
        "—" if p95 is None else f"{p95:,.0f} ms",
    )


def _hour_row(point: Point) -> Row:
    sent, delivered, failed = _fates(point)
    return (f"{in_beijing(point.at):%H:%M}", f"{sent:,}", f"{delivered:,}", f"{failed:,}")


def _fates(point: Point) -> tuple[int, int, int]:
    """Return how many messages were taken, reached a phone, and did not."""
    counts = point.counts
    failed = sum(number for name, number in counts.items() if name.startswith(("e:", "r:")))
    return counts.get("sent", 0), counts.get("delivered", 0), failed


# --- the plots ----------------------------------------------------------------------------------


async def _callbacks(page: AdminPage) -> Json:
    today = await page.ctx.dashboards.today(page.account_id)
    calls = [point.counts.get("calls", 0) for point in today.minutes]
    return _plot("line", _times(today.minutes), {page.say(_CALLS): calls})


async def _p95(page: AdminPage) -> Json:
    today = await page.ctx.dashboards.today(page.account_id)
    values = [quantile(point.counts, 0.95) for point in today.minutes]
    rounded = [None if value is None else round(value) for value in values]
    return _plot("line", _times(today.minutes), {page.say(_P95): rounded}, unit=" ms")


async def _notices(page: AdminPage) -> Json:
    today = await page.ctx.dashboards.today(page.account_id)
    fates = [_fates(point) for point in today.hours]
    names = (_SENT, _DELIVERED, _NOT_SENT)
    series = {page.say(name): [each[place] for each in fates] for place, name in enumerate(names)}
    return _plot("bar", _times(today.hours), series)


async def _services(page: AdminPage) -> Json:
    today = await page.ctx.dashboards.today(page.account_id)
    found = services_of(page, today)
    return _plot(
        "bar", [title for title, _ in found], {page.say(_TIMES): [number for _, number in found]}
    )


async def _followers(page: AdminPage) -> Json:
    days = await page.ctx.dashboards.days(page.account_id)
    x = [f"{in_beijing(day.day):%m-%d}" for day in days]
    plot = _plot("line", x, {page.say(_FOLLOWERS): [day.followers for day in days]})
    return {**plot, "scale": True}


async def _follows(page: AdminPage) -> Json:
    days = await page.ctx.dashboards.days(page.account_id)
    x = [f"{in_beijing(day.day):%m-%d}" for day in days]
    come = [day.counts.get("follow", 0) for day in days]
    gone = [-day.counts.get("unfollow", 0) for day in days]
    return _plot("stacked", x, {page.say(_COME): come, page.say(_GONE): gone})


def _times(points: Sequence[Point]) -> list[str]:
    return [f"{in_beijing(point.at):%H:%M}" for point in points]


def _plot(
    kind: str, x: Sequence[str], series: Mapping[str, Sequence[int | None]], *, unit: str = ""
) -> Json:
    named = [{"name": name, "values": values} for name, values in series.items()]
    return {"kind": kind, "title": "", "x": x, "series": named, "unit": unit}


PLOTS: Mapping[str, Callable[[AdminPage], Awaitable[Json]]] = {
    "callbacks": _callbacks,
    "p95": _p95,
    "notices": _notices,
    "services": _services,
    "followers": _followers,
    "follows": _follows,
}
routes = (
    route(ACCOUNT, DashboardPage, "dashboard", get="dashboard.read", nav=mark("总览")),
    route(ACCOUNT + "dashboard/numbers", NumbersPart, "dashboard-numbers", get="dashboard.read"),
    route(ACCOUNT + r"dashboard/(\w+)\.json", PlotData, "dashboard-plot", get="dashboard.read"),
    route(
        ACCOUNT + r"incidents/(\w+)/acknowledgement",
        Acknowledgement,
        "incident-acknowledge",
        post=("broadcasts.publish", "departments.write"),  # those who can do something about it
    ),
)
