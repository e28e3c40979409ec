"""The page of one broadcast (群发任务): how it is getting on, who decided what, what to do."""

from typing import Any

from domain.authors import name_of
from domain.broadcast import Broadcast, BroadcastState
from domain.errors import NotFound, TooSlow
from domain.ids import BroadcastId
from domain.personal import Known, values_of
from domain.schedule_words import recurring_in_words
from domain.sentence import Sentence
from push.approvals import standing_of, why_not
from push.broadcasts import order_of
from push.dead import OVER
from push.differences import lines_of
from push.live import Progress
from web.admin import compose_view
from web.admin.base import AdminPage
from web.admin.broadcast_words import FATES, FIELDS, PARTS, REVIEWS
from web.admin.compose_words import DATA
from web.admin.table import route
from web.admin.words import mark

ONE = r"/admin/a/{account}/broadcasts/(bc_[A-Za-z0-9_]{1,61})"
MOVING: tuple[BroadcastState, ...] = ("scheduled", "sending", "paused")


def recurrences(page: AdminPage) -> dict[str, Any]:
    """Return what templates need to say recurring times in words."""
    now = page.ctx.clock.now()
    return {"recurring": lambda cron: recurring_in_words(cron, compose_view.tax_titles(now))}


class BroadcastPart(AdminPage):
    """What pages about one broadcast share. Notices and digests have none."""

    async def look(self, broadcast_id: str) -> Progress:
        """Return the broadcast as it is now, if it is one of the account."""
        progress = await self.ctx.live.read(BroadcastId(broadcast_id), self.account_id)
        if progress.broadcast.kind != "broadcast":
            raise NotFound(Sentence("没有这个群发任务。"))
        return progress

    async def about(self, progress: Progress) -> dict[str, Any]:
        """Return what the progress and the actions of a broadcast are drawn from."""
        broadcast = progress.broadcast
        records = await self.ctx.approvals.records(broadcast.id)
        waits = broadcast.started_at is None and broadcast.state not in OVER
        dead = [] if broadcast.started_at is None else await self.ctx.dead.list_of(broadcast.id)
        return {
            "broadcast": broadcast,
            "progress": progress,
            "records": records,
            "standing": standing_of(broadcast, records),
            "dead": dead,
            "troubles": await self.ctx.template_watch.troubles_of(broadcast) if waits else [],
            "is_own": why_not(broadcast, self.operator.author) is not None,
            "is_moving": self.is_moving(progress),
            "who": name_of,
            "say": self.say,
            **recurrences(self),
            "fates": FATES,
            "review_words": REVIEWS,
        }

    async def content(self, broadcast: Broadcast) -> dict[str, Any]:
        """Return everything a broadcast says, and the card as an ordinary citizen sees it."""
        order = order_of(broadcast)
        watch = self.ctx.template_watch
        title, labels = await watch.words_of(self.account_id, order.template)
        blanks = compose_view.blanks(self.account, order, self.say, labels)
        name = compose_view.template_title(order.template, self.say)
        return {
            "shown": broadcast,
            "lines": lines_of(broadcast, self.ctx.catalogue),
            "named": self.named,
            "rows": compose_view.rows(blanks, values_of(Known(), {})),
            "template_name": name,
            "template_title": title or name,
            "has_url": bool(order.url),
            "reader": None,
        }

    def named(self, name: str, part: str) -> str:
        """Return what a field, or a part of one, is called."""
        field = self.say(FIELDS[name])
        if not part:
            return field
        words = PARTS if name == "audience" else DATA
        return f"{field} · {self.say(words[part]) if part in words else part}"

    @staticmethod
    def is_moving(progress: Progress) -> bool:
        """Whether its numbers may still change: it waits, is sent, or people are written off."""
        state, has_begun = progress.broadcast.state, progress.broadcast.started_at is not None
        return state in MOVING or (state in OVER and has_begun and not progress.is_over)


class BroadcastPage(BroadcastPart):
    """One broadcast, with its live progress."""

    async def get(self, broadcast_id: str) -> None:
        progress = await self.look(broadcast_id)
        broadcast = progress.broadcast
        occurrences = await self.ctx.lists.occurrences(broadcast.id) if broadcast.cron else []
        self.page(
            "admin/broadcast.html",
            **await self.about(progress),
            occurrences=occurrences,
            **await self.content(broadcast),
        )


_COUNTED_LATER = mark("上一次失败的人，开始发送时统计")


class BroadcastAudience(BroadcastPart):
    """How many people a broadcast means now: loaded after the page, and counted beside it."""

    async def get(self, broadcast_id: str) -> None:
        progress = await self.look(broadcast_id)
        broadcast = progress.broadcast
        if broadcast.resend_of is not None:  # its people are those it failed for
            self._tell(progress.people, self.say(_COUNTED_LATER))
            return
        try:
            heads = await self.ctx.headcounts.soon(broadcast.account, broadcast.audience)
        except TooSlow as error:
            self._tell(None, self.say(error.say))
            return
        self._tell(heads.people if heads else None, "")

    def _tell(self, number: int | None, sentence: str) -> None:
        self.fragment(
            "admin/_broadcast_audience.html",
            number=number,
            sentence=sentence,
            here=self.request.path,
        )


routes = (
    route(ONE, BroadcastPage, "broadcast", get="broadcasts.read"),
    route(f"{ONE}/audience", BroadcastAudience, "broadcast-audience", get="broadcasts.read"),
)
