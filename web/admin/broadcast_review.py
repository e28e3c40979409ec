"""Review (审核): what changed since an earlier revision, what was said, and the decision."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from domain.authors import name_of
from domain.errors import NotFound, StateError
from domain.ids import BroadcastId
from domain.review import Review, Revision
from domain.sentence import Sentence
from push.approvals import LONGEST
from push.differences import differences
from web.admin.broadcast_page import ONE, BroadcastPart, recurrences
from web.admin.forms import FormRefused
from web.admin.table import route
from web.admin.words import mark

_NUMBER = re.compile("[0-9]{1,9}")
Said = Annotated[str, Field(max_length=LONGEST)]
Number = Annotated[int, Field(ge=1, le=1_000_000)]


class ApprovalForm(BaseModel):
    """Which revision was read, and what is said about it if anything."""

    revision: Number
    text: Said = ""


class RejectionForm(BaseModel):
    """Which revision was read, and why it goes back."""

    revision: Number
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST)]


class CommentForm(BaseModel):
    """What somebody says."""

    comment: Annotated[str, Field(min_length=1, max_length=LONGEST)]


class Reviewing(BroadcastPart):
    """What a reviewer reads before deciding; a refused form shows it again."""

    async def again(self, refused: FormRefused, broadcast_id: str) -> None:
        await self._show(broadcast_id, refused)

    async def too_late(self, broadcast_id: str, error: StateError, field: str, typed: str) -> None:
        """Show what there is now, and what was typed: in its field, or as a comment to keep."""
        progress = await self.look(broadcast_id)
        place = field if progress.broadcast.state == "in_review" else "comment"
        self.set_status(409)
        await self._show(broadcast_id, FormRefused({"": error.say}, {place: typed}))

    async def _show(self, broadcast_id: str, refused: FormRefused | None = None) -> None:
        progress = await self.look(broadcast_id)
        data = await self.about(progress)
        revisions = await self.ctx.approvals.revisions(progress.broadcast.id)
        base = self._base(revisions, data["records"])
        changes = (
            differences(base.broadcast, progress.broadcast, self.ctx.catalogue) if base else []
        )
        if refused is not None:
            data |= {"errors": refused.errors, "values": refused.values}
        self.page(
            "admin/broadcast_review.html",
            **data,
            revisions=revisions,
            base=base,
            changes=changes,
            **await self.content(progress.broadcast),
        )

    def _base(self, revisions: Sequence[Revision], records: Sequence[Review]) -> Revision | None:
        """Return what the current content is compared with.

        The one asked for, else the last one that somebody decided on, else the one before.
        """
        earlier = {each.number: each for each in revisions[1:]}
        asked = self.get_query_argument("from", "")
        if _NUMBER.fullmatch(asked) and int(asked) in earlier:
            return earlier[int(asked)]
        decided = [each.revision for each in records if each.kind in {"approval", "rejection"}]
        for number in reversed(decided):
            if number in earlier:
                return earlier[number]
        return next(iter(earlier.values()), None)


class ReviewPage(Reviewing):
    """What changed, what was said, and the forms of the decision."""

    async def get(self, broadcast_id: str) -> None:
        await self._show(broadcast_id)


class Approve(Reviewing):
    """Approve the revision that was read; whoever wrote or edited it may not."""

    async def post(self, broadcast_id: str) -> None:
        form = self.form(ApprovalForm)
        try:
            async with self.noting("broadcast.approve", f"broadcast:{broadcast_id}") as act:
                review = await self.ctx.approvals.approve(
                    BroadcastId(broadcast_id),
                    self.account_id,
                    by=self.operator.author,
                    revision=form.revision,
                    text=form.text,
                )
                act.after["revision"] = review.revision
        except StateError as error:
            await self.too_late(broadcast_id, error, "text", form.text)
            return
        self.flash(mark("已通过审核。有发布权限的人现在可以发布。"))
        self.go("broadcast", broadcast_id)


class Reject(Reviewing):
    """Send it back with a reason."""

    async def post(self, broadcast_id: str) -> None:
        form = self.form(RejectionForm)
        try:
            async with self.noting(
                "broadcast.reject", f"broadcast:{broadcast_id}", before={"state": "in_review"}
            ) as act:
                await self.ctx.approvals.reject(
                    BroadcastId(broadcast_id),
                    self.account_id,
                    by=self.operator.author,
                    revision=form.revision,
                    reason=form.reason,
                )
                act.after |= {"state": "rejected", "revision": form.revision}
        except StateError as error:
            await self.too_late(broadcast_id, error, "reason", form.reason)
            return
        self.flash(mark("已退回给拟稿人。"))
        self.go("broadcast", broadcast_id)


class Comment(Reviewing):
    """Say something about it without deciding."""

    async def post(self, broadcast_id: str) -> None:
        form = self.form(CommentForm)
        await self.ctx.approvals.comment(
            BroadcastId(broadcast_id), self.account_id, by=self.operator.author, text=form.comment
        )
        await self.note("broadcast.comment", f"broadcast:{broadcast_id}")
        self.flash(mark("意见已保存。"))
        self.go("broadcast-review", broadcast_id)


class RevisionPage(BroadcastPart):
    """An earlier revision as it stood."""

    async def get(self, broadcast_id: str, number: str) -> None:
        progress = await self.look(broadcast_id)
        found = await self.ctx.approvals.revision(progress.broadcast.id, int(number))
        if found is None:
            raise NotFound(Sentence("没有这一版。"))
        self.page(
            "admin/broadcast_revision.html",
            broadcast=progress.broadcast,
            revision=found,
            **await self.content(found.broadcast),
            **recurrences(self),
            who=name_of,
            say=self.say,
        )


routes = (
    route(f"{ONE}/review", ReviewPage, "broadcast-review", get="broadcasts.read"),
    route(
        f"{ONE}/revisions/([0-9]{{1,6}})", RevisionPage, "broadcast-revision", get="broadcasts.read"
    ),
    route(f"{ONE}/approval", Approve, "broadcast-approve", post="broadcasts.review"),
    route(f"{ONE}/rejection", Reject, "broadcast-reject", post="broadcasts.review"),
    route(
        f"{ONE}/comments",
        Comment,
        "broadcast-comment",
        post=("broadcasts.review", "broadcasts.write", "broadcasts.publish"),
    ),
)
