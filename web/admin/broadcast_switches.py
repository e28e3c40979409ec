"""Publish, pause, resume, cancel, resend, replay (发布与控制): first a page that says what happens.

The page names how many people it is about; only its form does anything. Each of them is safe to
send twice: the engine answers with what there is, or says that the state has changed.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from domain.broadcast import TRANSITIONS, Broadcast
from domain.errors import NotAllowed, StateError
from domain.ids import BroadcastId
from domain.sentence import Sentence
from push.dead import OVER
from push.drafts import DISCARDABLE
from push.live import Progress
from push.orders import OrderRefused
from web.admin.broadcast_page import ONE, BroadcastPart
from web.admin.compose_form import sentences
from web.admin.table import route
from web.admin.words import mark

Verb = Literal["publish", "pause", "resume", "cancel", "resend", "replay"]
DONE: dict[str, str] = {
    "publish": mark("已发布，到时间会自动开始发送。"),
    "pause": mark("已暂停，一秒之内不再有新的发送。"),
    "resume": mark("已继续发送。"),
    "cancel": mark("已取消。"),
    "discard": mark("已放弃，这个任务不会发送。"),
    "resend": mark("已开始向失败的人重发。"),
    "replay": mark("已重新安排这些批次。"),
}

_NOTHING_DEAD = mark("没有搁置的批次，不需要重新安排。")


class SwitchForm(BaseModel):
    """Which revision the page was about; publishing checks it."""

    revision: Annotated[int, Field(ge=1, le=1_000_000)] = 1


class SwitchPage(BroadcastPart):
    """One switch: what it would do, and doing it."""

    async def get(self, broadcast_id: str, verb: str) -> None:
        progress = await self.look(broadcast_id)
        data = await self.about(progress)
        possible = is_possible(progress, verb, has_dead=bool(data["dead"]))
        self.page("admin/broadcast_switch.html", **data, verb=verb, is_possible=possible)

    async def post(self, broadcast_id: str, verb: str) -> None:
        form = self.form(SwitchForm)
        before = (await self.look(broadcast_id)).broadcast
        try:
            async with self.noting(
                f"broadcast.{verb}", f"broadcast:{broadcast_id}", before={"state": before.state}
            ) as act:
                shown, after = await self._switch(before, verb, form.revision)
                act.after |= after
        except (StateError, NotAllowed, OrderRefused) as error:
            self.flash(_why(error), "danger")
            self.go("broadcast", broadcast_id)
            return
        if after.get("batches") == 0:
            self.flash(_NOTHING_DEAD, "info")
        else:
            self.flash(DONE[verb])
        self.go("broadcast", shown)

    async def _switch(
        self, broadcast: Broadcast, verb: str, revision: int
    ) -> tuple[BroadcastId, dict[str, Any]]:
        """Do it; returns the broadcast to look at next, and what it has become."""
        ctx, account, author = self.ctx, self.account_id, self.operator.author
        match verb:
            case "publish":
                done = await ctx.approvals.publish(
                    broadcast.id, account, by=author, revision=revision
                )
            case "pause":
                done = await ctx.broadcasts.pause(
                    broadcast.id, account, reason=Sentence("{name}：暂停", name=self.operator.name)
                )
            case "resume":
                done = await ctx.broadcasts.resume(broadcast.id, account)
            case "cancel":
                done = await ctx.broadcasts.cancel(
                    broadcast.id, account, reason=Sentence("{name}：取消", name=self.operator.name)
                )
            case "resend":
                accepted = await ctx.resends.resend(broadcast.id, account, author=author)
                return accepted.id, {"resend": accepted.id}
            case _:
                replayed = await ctx.dead.replay(broadcast.id, account, author=author)
                return broadcast.id, {"batches": replayed.batches, "state": replayed.state}
        return done.id, {"state": done.state, "revision": done.revision}


class DiscardPage(BroadcastPart):
    """Give up a draft or what was returned: a question first, then the end of it."""

    async def get(self, broadcast_id: str) -> None:
        progress = await self.look(broadcast_id)
        self.page(
            "admin/broadcast_switch.html",
            **await self.about(progress),
            verb="discard",
            is_possible=is_possible(progress, "discard"),
        )

    async def post(self, broadcast_id: str) -> None:
        form = self.form(SwitchForm)
        before = (await self.look(broadcast_id)).broadcast
        try:
            async with self.noting(
                "broadcast.discard", f"broadcast:{broadcast_id}", before={"state": before.state}
            ) as act:
                await self.ctx.drafts.discard(
                    before.id, self.account_id, author=self.operator.author, revision=form.revision
                )
                act.after |= {"state": "cancelled", "revision": form.revision}
        except StateError as error:
            self.flash(error.say, "danger")
            self.go("broadcast", broadcast_id)
            return
        self.flash(DONE["discard"])
        self.go("broadcasts")


def _why(error: StateError | NotAllowed | OrderRefused) -> str:
    """Return why something was refused, an order as the form of it says it."""
    if isinstance(error, OrderRefused):
        said = "".join(sentences(error.faults).values())
        return Sentence("现在不能发布：{said}请修改后重新提交审核。", said=said)
    return error.say


def is_possible(progress: Progress, verb: str, *, has_dead: bool = False) -> bool:
    """Whether a switch makes sense now; the engine decides, this only shows less."""
    broadcast = progress.broadcast
    state = broadcast.state
    return {
        "publish": state == "in_review",
        "pause": state in {"scheduled", "sending"},
        "resume": state == "paused",
        "cancel": "cancelled" in TRANSITIONS[state],
        "discard": state in DISCARDABLE,
        "resend": state == "finished" and not broadcast.cron and progress.totals.failed > 0,
        "replay": has_dead and state not in OVER,
    }[verb]


routes = (
    route(
        f"{ONE}/(publish|pause|resume|cancel|resend|replay)",
        SwitchPage,
        "broadcast-switch",
        get="broadcasts.publish",
        post="broadcasts.publish",
    ),
    route(
        f"{ONE}/discard",
        DiscardPage,
        "broadcast-discard",
        get="broadcasts.write",
        post="broadcasts.write",
    ),
)
