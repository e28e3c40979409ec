"""The audit log for the auditor (审计): looked through, exported, and checked link by link.

A search by openid never stands in an address: the form is posted, and the person's keyed name in
the log takes the openid's place.
"""

import asyncio
import csv
import io
import re
from datetime import datetime
from urllib.parse import urlencode

from pydantic import BaseModel, Field
from tornado.web import HTTPError

from domain.audit import Entry, Wanted
from domain.audit_check import Place, Walk
from domain.clock import BEIJING, in_beijing
from domain.errors import InvalidInput
from domain.ids import AccountId, OpenId
from domain.sentence import Sentence
from push.audit_rows import COLUMNS, cells, ticket, walk_of
from web.admin.audit_words import choices, described
from web.admin.base import AdminPage
from web.admin.download import READ_SECONDS, Download
from web.admin.forms import EARLIEST, LATEST, BeijingTime, FormRefused
from web.admin.table import route
from web.admin.words import mark

PAGE = 50
MOST_EXPORTED = 100_000
STEP = 4_000  # entries that one answer checks: an eighth of a second
CHUNK = 500  # rows that leave together
FIELDS = ("who", "action", "object", "account", "since", "until")
_OPENID = re.compile(r"o[\w-]{27}", re.ASCII)
_WHICH_ACCOUNT = mark("按 openid 查找时，请选择账号。")
_ORDER = mark("结束时间应晚于开始时间。")
_MORE = mark("只导出了最新的 {number} 条，更早的请缩小时间范围另行导出。")
OUTCOME_WORDS = {
    "intended": mark("已开始"),
    "done": mark("已完成"),
    "refused": mark("被拒绝"),
    "failed": mark("失败"),
}


class Search(BaseModel):
    """What the form asks; everything may be left out."""

    who: str = Field("", max_length=80)
    action: str = Field("", max_length=80)
    object: str = Field("", max_length=120)
    account: str = Field("", max_length=32)
    since: BeijingTime | None = None
    until: BeijingTime | None = None


class Check(BaseModel):
    """A check to begin, perhaps against a place noted elsewhere, or one to go on with."""

    noted: str = Field("", max_length=100)
    ticket: str = Field("", max_length=20_000)


class AuditPage(AdminPage):
    """`/admin/audit`: the log, the newest first."""

    async def get(self) -> None:
        await self.show({name: self.get_query_argument(name, "")[:120] for name in FIELDS})

    async def post(self) -> None:
        search = self.form(Search)
        if search.since and search.until and search.until <= search.since:
            raise FormRefused({"until": self.say(_ORDER)}, self.typed())
        asked = {
            "who": search.who,
            "action": search.action,
            "object": self._object(search),
            "account": search.account,
            "since": _local(search.since),
            "until": _local(search.until),
        }
        self.go("audit", query=urlencode({name: text for name, text in asked.items() if text}))

    async def again(self, refused: FormRefused) -> None:
        """Show the form once more."""
        self.page(
            "admin/audit.html",
            **self.choices(),
            entries=[],
            next="",
            first="",
            export="",
            is_asked=True,
            values={**dict.fromkeys(FIELDS, ""), **refused.values},
            errors=refused.errors,
        )

    async def show(self, asked: dict[str, str]) -> None:
        """Show a page of what is asked for."""
        before = self.get_query_argument("before", "")
        entries, older = await self.ctx.audit.search(
            wanted(asked), before=number(before) if before else None, limit=PAGE
        )
        query = {name: text for name, text in asked.items() if text}
        here = self.address("audit")
        self.page(
            "admin/audit.html",
            **self.choices(),
            entries=entries,
            values=asked,
            next=f"{here}?{urlencode(query | {'before': older})}" if older else "",
            first=f"{here}?{urlencode(query)}" if before else "",
            export=f"{self.address('audit-export')}?{urlencode(query)}",
            is_asked=bool(query),
        )

    def choices(self) -> dict[str, object]:
        """Return what the search form offers."""
        accounts = [(name, one.name or name) for name, one in self.ctx.accounts.items()]
        return {
            "exactly": lambda entry: in_beijing(entry.at).isoformat(" ", "milliseconds")[:-6],
            "accounts": accounts,
            "outcomes": {name: self.say(text) for name, text in OUTCOME_WORDS.items()},
            "actions": choices(self.say),
            "described": lambda entry: described(entry.action, self.say),
        }

    def typed(self) -> dict[str, str | list[str]]:
        """Return the form as it came."""
        return {name: self.get_body_argument(name, "")[:120] for name in FIELDS}

    def _object(self, search: Search) -> str:
        if not _OPENID.fullmatch(search.object):
            return search.object
        if search.account not in self.ctx.accounts:
            raise FormRefused({"account": self.say(_WHICH_ACCOUNT)}, self.typed())
        return self.ctx.followers.audit_object(AccountId(search.account), OpenId(search.object))


class AuditExport(Download):
    """`/admin/audit/export`: what was looked for, as CSV; the export itself is in the log."""

    async def get(self) -> None:
        asked = {name: self.get_query_argument(name, "")[:120] for name in FIELDS}
        sought = wanted(asked)
        await self.note("audit.export", "audit", after={k: v for k, v in asked.items() if v})
        day = in_beijing(self.ctx.clock.now()).strftime("%Y%m%d-%H%M")
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="audit-{day}.csv"')
        async with self.sending():
            head = tuple(map(self.say, COLUMNS))
            await self.send("\ufeff" + _lines([head]))  # by which spreadsheets know UTF-8
            left, before = MOST_EXPORTED, None
            while left:
                async with asyncio.timeout(READ_SECONDS):
                    entries, before = await self.ctx.audit.search(
                        sought, before=before, limit=min(CHUNK, left)
                    )
                await self.send(_lines([self._row(entry) for entry in entries]))
                left -= len(entries)
                if before is None:
                    return
            more = self.say(_MORE).format(number=MOST_EXPORTED)
            await self.send(_lines([(more,)]))

    def _row(self, entry: Entry) -> tuple[str, ...]:
        found = cells(entry)
        return tuple(self.say(cell) if isinstance(cell, Sentence) else cell for cell in found)


class AuditCheck(AdminPage):
    """`/admin/audit/check`: follow the chain, a part with each answer."""

    async def get(self) -> None:
        self.page("admin/audit_check.html", walk=None, ticket="")

    async def post(self) -> None:
        form = self.form(Check)
        audit = self.ctx.audit
        if form.ticket:
            walk = walk_of(form.ticket, audit.ticket_key)
        else:
            walk = await audit.begin_check(_noted(form.noted))
        walk = await audit.check(walk, STEP)
        if walk.is_over:
            await self.note("audit.check", "audit", after=_result(walk))
        given = {"walk": walk, "ticket": ticket(walk, audit.ticket_key)}
        if self.is_htmx:
            self.fragment("admin/_audit_walk.html", **given)
        else:
            self.page("admin/audit_check.html", **given)

    async def again(self, refused: FormRefused) -> None:
        """Show the form once more."""
        self.page(
            "admin/audit_check.html",
            walk=None,
            ticket="",
            values=refused.values,
            errors=refused.errors,
        )


def wanted(asked: dict[str, str]) -> Wanted:
    """Read a search from an address."""
    return Wanted(
        who=asked["who"],
        action=asked["action"],
        object=asked["object"],
        account=asked["account"],
        since=_moment(asked["since"]),
        until=_moment(asked["until"]),
    )


def number(text: str) -> int:
    """Read the number of an entry from an address."""
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise HTTPError(400)
    return int(text)


def _noted(text: str) -> Place | None:
    try:
        return Place.parse(text) if text else None
    except InvalidInput as error:
        raise InvalidInput(error.say, field="noted") from error


def _result(walk: Walk) -> dict[str, object]:
    found: dict[str, object] = {"checked": walk.checked, "is_whole": walk.is_good}
    return found | ({"broken_at": walk.broken_at} if walk.broken_at is not None else {})


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise HTTPError(400) from error
    if not EARLIEST <= moment.year <= LATEST:
        raise HTTPError(400)
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


def _local(moment: datetime | None) -> str:
    return in_beijing(moment).strftime("%Y-%m-%dT%H:%M") if moment else ""


def _lines(rows: list[tuple[str, ...]]) -> str:
    sink = io.StringIO()
    csv.writer(sink).writerows(rows)
    return sink.getvalue()


routes = (
    route(
        r"/admin/audit", AuditPage, "audit", get="audit.read", post="audit.read", nav=mark("审计")
    ),
    route(r"/admin/audit/export", AuditExport, "audit-export", get="audit.read"),
    route(r"/admin/audit/check", AuditCheck, "audit-check", get="audit.read", post="audit.read"),
)
