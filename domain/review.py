"""Review (审核) of a broadcast: what was decided about which revision, and what it is worth.

An approval is a record of (broadcast, revision, who, when). It is worth something as long as the
broadcast is in review with exactly the order that was read: any edit makes it void, and so does a
later rejection of the same revision. Records are only ever added.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.broadcast import Broadcast
from domain.ids import AccountId, BroadcastId

ReviewKind = Literal["comment", "approval", "rejection", "publication"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One record. `digest` is of the order that was read."""

    id: str
    broadcast: BroadcastId
    account: AccountId
    revision: int
    kind: ReviewKind
    by: str
    at: datetime
    text: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A content a broadcast has or had, with who wrote it and when."""

    broadcast: Broadcast
    by: str
    at: datetime

    @property
    def number(self) -> int:
        return self.broadcast.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a broadcast stands in its review."""

    approval: Review | None = None  # that counts now
    void: tuple[Review, ...] = ()  # approvals that an edit or a rejection has made void


def standing(reviews: Iterable[Review], *, revision: int, digest: str) -> Standing:
    """Return which approval counts for the order as it is now; records in the order of time."""
    counts: Review | None = None
    void: list[Review] = []
    for review in reviews:
        if review.kind == "approval":
            if review.revision == revision and review.digest == digest:
                counts = counts or review
            else:
                void.append(review)
        elif review.kind == "rejection" and review.revision == revision and counts is not None:
            void.append(counts)
            counts = None
    return Standing(approval=counts, void=tuple(void))
