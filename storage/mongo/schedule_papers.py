"""Between a broadcast's document and its schedule: windows, late policy, revisions.

Only what differs from the usual is written, so documents of before these fields existed read as
what they always meant.
"""

from datetime import time, timedelta
from typing import Any, TypedDict

from domain.broadcast import LATE_BY, Broadcast
from domain.clock import parse_hours
from domain.ids import BroadcastId

Document = dict[str, Any]


class ScheduleFields(TypedDict):
    """The part of a `Broadcast` that this module reads."""

    window: tuple[time, time] | None
    late_by: timedelta
    since: Any
    revision: int
    edited_by: tuple[str, ...]
    resend_of: BroadcastId | None


def schedule_document(broadcast: Broadcast) -> Document:
    """Return the fields to write."""
    document: Document = {"revision": broadcast.revision}
    if broadcast.window is not None:
        document["window"] = "-".join(f"{end:%H:%M}" for end in broadcast.window)
    if broadcast.late_by != LATE_BY:
        document["late_by"] = int(broadcast.late_by.total_seconds())
    if broadcast.since is not None:
        document["since"] = broadcast.since
    if broadcast.edited_by:
        document["edited_by"] = list(broadcast.edited_by)
    if broadcast.resend_of is not None:
        document["resend_of"] = broadcast.resend_of
    return document


def schedule_fields(document: Document) -> ScheduleFields:
    """Read them."""
    late_by = document.get("late_by")
    resend_of = document.get("resend_of")
    return ScheduleFields(
        window=parse_hours(document.get("window", "")),
        late_by=LATE_BY if late_by is None else timedelta(seconds=late_by),
        since=document.get("since"),
        revision=document.get("revision", 1),
        edited_by=tuple(document.get("edited_by", ())),
        resend_of=BroadcastId(resend_of) if resend_of else None,
    )


def of_revision(revision: int) -> Document:
    """Return the condition that a broadcast has this revision; the oldest ones do not say it."""
    return {"revision": {"$in": [1, None]} if revision == 1 else revision}
