"""The departments' systems (委办局): health of each connector, and maintenance notices."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

from console.departments import DepartmentView
from domain.clock import in_beijing
from domain.errors import NotFound
from domain.maintenance import LONGEST, Maintenance
from domain.sentence import Sentence
from push.triggers.topics import TITLES
from web.admin.base import AdminPage
from web.admin.forms import BeijingTime, FormRefused
from web.admin.table import ACCOUNT, route
from web.admin.words import mark

_STATES = {
    "well": ("good", mark("正常")),
    "failing": ("note", mark("时有失败")),
    "down": ("bad", mark("已暂停访问")),
    "silent": ("off", mark("最近一小时没有请求")),
    "not_set_up": ("off", mark("没有配置")),
}
_BREAKERS = {
    "closed": mark("关闭（正常访问）"),
    "open": mark("打开（暂停访问）"),
    "probing": mark("试探恢复中"),
}
_LANES = {"query": mark("市民查询"), "feed": mark("动态读取")}
_TROUBLES = {
    "timeout": mark("没有按时回答，或连接失败"),
    "refused": mark("拒绝回答"),
    "broken": mark("回答与约定的格式不符"),
    "left_alone": mark("熔断期间没有访问"),
}
_REASONS = {
    "": "",
    "not_authorised": mark("没有授权"),
    "busy": mark("繁忙"),
    "maintenance": mark("对方维护中"),
    "other": mark("其他原因"),
}
_NOTICES = {"planned": mark("还没开始"), "on": mark("正在生效"), "over": mark("已结束")}
_MEDIAN, _P95 = mark("中位数"), mark("95 分位")
_TITLE = mark("最近一小时的回答时间")


class NoticeForm(BaseModel):
    """From when to when, and what citizens read."""

    starts_at: BeijingTime | None = None
    ends_at: BeijingTime
    sentence: Annotated[str, Field(min_length=1, max_length=LONGEST)]


class DepartmentBase(AdminPage):
    """What the pages of the departments share."""

    async def view(self, key: str) -> tuple[int, DepartmentView]:
        """Return how many processes say something, and one department."""
        processes, views = await self.ctx.department_desk.overview(self.account_id)
        found = next((view for view in views if view.key == key), None)
        if found is None:
            raise NotFound(Sentence("没有这个委办局。"))
        return processes, found

    def words(self) -> dict[str, Any]:
        """Return what states are called."""
        tables: dict[str, Mapping[Any, str]] = {
            "breakers": _BREAKERS,
            "lanes": _LANES,
            "troubles": _TROUBLES,
            "reasons": _REASONS,
            "notice_states": _NOTICES,
        }
        words: dict[str, Any] = {
            name: {key: self.say(text) for key, text in table.items()}
            for name, table in tables.items()
        }
        words["say"] = self.say
        words["triggers"] = {name: self.say(title) for name, title in TITLES.items()}
        words["states"] = {state: (kind, self.say(text)) for state, (kind, text) in _STATES.items()}
        return words

    async def show(self, key: str, **data: Any) -> None:
        """Show one department."""
        processes, view = await self.view(key)
        latency = await self.ctx.department_desk.latency(key)
        rows = [
            (f"{in_beijing(at):%H:%M}", calls, errors, milliseconds(median), milliseconds(p95))
            for at, calls, errors, median, p95 in zip(
                latency.minutes,
                latency.calls,
                latency.errors,
                latency.median,
                latency.p95,
                strict=True,
            )
            if calls or errors
        ]
        notices = await self.ctx.maintenance.of(self.account_id)
        self.page(
            "admin/department.html",
            **{
                "view": view,
                "processes": processes,
                "rows": rows,
                "notice": notices.get(key),
                "ms": milliseconds,
                **self.words(),
                **data,
            },
        )

    async def again(self, refused: FormRefused, key: str, *_: str) -> None:
        """Show the notice's form again with what is wrong."""
        await self.show(key, errors=refused.errors, values=refused.values)


class DepartmentsPage(DepartmentBase):
    """All departments at a glance."""

    async def get(self) -> None:
        processes, views = await self.ctx.department_desk.overview(self.account_id)
        self.page(
            "admin/departments.html",
            views=views,
            processes=processes,
            notices=await self.ctx.maintenance.of(self.account_id),
            ms=milliseconds,
            **self.words(),
        )


class DepartmentPage(DepartmentBase):
    """One department: its doors, its last errors, its plot, its notice."""

    async def get(self, key: str) -> None:
        await self.show(key)


class LatencyData(DepartmentBase):
    """The figures of a department's plot."""

    async def get(self, key: str) -> None:
        await self.view(key)
        latency = await self.ctx.department_desk.latency(key)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(
            orjson.dumps(
                {
                    "kind": "bar",  # a single minute shows too
                    "title": self.say(_TITLE),
                    "x": [f"{in_beijing(at):%H:%M}" for at in latency.minutes],
                    "series": [
                        {"name": self.say(_MEDIAN), "values": whole(latency.median)},
                        {"name": self.say(_P95), "values": whole(latency.p95)},
                    ],
                    "unit": " ms",
                }
            )
        )


class NoticePage(DepartmentBase):
    """Put up a maintenance notice in the place of the one there is."""

    async def post(self, key: str) -> None:
        await self.view(key)
        form = self.form(NoticeForm)
        standing = (await self.ctx.maintenance.of(self.account_id)).get(key)
        async with self.noting(
            "maintenance.put", f"department:{key}", before=_said(standing) if standing else None
        ) as act:
            _, notice = await self.ctx.maintenance.put(
                self.account_id,
                key,
                starts_at=form.starts_at,
                ends_at=form.ends_at,
                sentence=form.sentence,
                by=self.operator.id,
            )
            act.after |= _said(notice)
        self.flash(mark("维护公告已保存，市民查询时会立即看到。"))
        self.go("department", key)


class NoticeEndPage(DepartmentBase):
    """Take a notice down before its time."""

    async def post(self, key: str) -> None:
        standing = (await self.ctx.maintenance.of(self.account_id)).get(key)
        async with self.noting(
            "maintenance.end", f"department:{key}", before=_said(standing) if standing else None
        ):
            if await self.ctx.maintenance.end(self.account_id, key) is None:
                raise NotFound(Sentence("没有正在生效或将要生效的维护公告。"))
        self.flash(mark("维护公告已结束，查询恢复正常。"))
        self.go("department", key)


def milliseconds(seconds: float | None) -> str:
    """Write a duration for a table."""
    return "—" if seconds is None else f"{seconds * 1000:,.0f} ms"


def whole(values: Sequence[float | None]) -> list[int | None]:
    """Return milliseconds for a plot, with gaps where nobody asked."""
    return [None if value is None else round(value * 1000) for value in values]


def _said(notice: Maintenance) -> dict[str, str | datetime]:
    return {
        "starts_at": notice.starts_at,
        "ends_at": notice.ends_at,
        "sentence": notice.sentence,
    }


_ONE = r"departments/([a-z_]{1,32})"
routes = (
    route(
        ACCOUNT + "departments",
        DepartmentsPage,
        "departments",
        get="departments.read",
        nav=mark("委办局"),
    ),
    route(ACCOUNT + _ONE, DepartmentPage, "department", get="departments.read"),
    route(ACCOUNT + _ONE + r"/latency\.json", LatencyData, "latency", get="departments.read"),
    route(ACCOUNT + _ONE + "/notice", NoticePage, "maintenance", post="departments.write"),
    route(
        ACCOUNT + _ONE + "/notice/end", NoticeEndPage, "maintenance-end", post="departments.write"
    ),
)
