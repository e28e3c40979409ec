"""Who did what, and who looked at whose data (审计): the chain, and a line in the log `audit`.

`Audit` writes to the hash-chained log (domain.audit). Every entry leaves a log line with its
number and hash as well, so that wherever logs are shipped, a copy of the chain's places lies
beyond the reach of whoever can change the database.

A change and its entry are two writes. For what matters (publishing, roles, keys, looking at an
unmasked value) use `around`: the intention is written before, the outcome after. Killed between
the two, the intention stands without an outcome, and `audit verify` counts it. If even the
intention cannot be written, nothing is done. For everything else `record` after the change is
enough: killed between the two, the change itself, its author and time still stand in the object.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from domain.audit import AuditUnavailable, Entry, Named, Outcome, Wanted, draft
from domain.audit_check import Place, Walk, begin, follow
from domain.clock import Clock
from domain.errors import CitizenError, StateError
from domain.ids import AccountId
from storage.mongo.audit import MongoAudit

audit = logging.getLogger("audit")
PART = 2_000  # entries read at once


def note_access(*, actor: str, account: AccountId, what: str, purpose: str, unmasked: bool) -> None:
    """Leave the line of a look. `what` names the thing looked at, never anybody's whole openid."""
    audit.info(
        "audit.read",
        extra={
            "actor": actor,
            "account": account,
            "object": what,
            "purpose": purpose,
            "unmasked": unmasked,
        },
    )


@dataclass(slots=True)
class Act:
    """An act under way; what is put into `after` goes into its outcome."""

    intent: int
    after: dict[str, Any] = field(default_factory=dict)


class Audit:
    """The audit log (runtime: `ctx.audit`)."""

    def __init__(self, store: MongoAudit, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def record(
        self,
        actor: Named,
        action: str,
        object_: str,
        *,
        account: str | None = None,
        remote: str = "",
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        outcome: Outcome = "done",
        intent: int = 0,
    ) -> Entry:
        """Add an entry; `AuditUnavailable` when it cannot be written in time.

        Values are masked ones: a `Masked` shows its masked form by itself. Repeated, it is a
        second entry.
        """
        entry = await self._store.append(
            draft(
                actor,
                action,
                object_,
                account=account,
                remote=remote,
                before=before,
                after=after,
                outcome=outcome,
                intent=intent,
            ),
            self._clock.now(),
        )
        audit.info(
            "audit.entry",
            extra={
                "place": f"{entry.seq}:{entry.hash}",
                "actor": entry.actor,
                "account": entry.account,
                "action": entry.action,
                "object": entry.object,
                "outcome": entry.outcome,
            },
        )
        return entry

    @asynccontextmanager
    async def around(
        self,
        actor: Named,
        action: str,
        object_: str,
        *,
        account: str | None = None,
        remote: str = "",
        before: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Act]:
        """Write the intention, let the block act, and write what came of it.

        The block does not begin when the intention cannot be written. An outcome that cannot be
        written is an error in the log: the act itself is done and is not undone.
        """
        whose: dict[str, Any] = {"account": account, "remote": remote}
        first = await self.record(
            actor, action, object_, **whose, before=before, outcome="intended"
        )
        act = Act(first.seq)

        async def conclude(outcome: Outcome) -> None:
            try:
                await self.record(
                    actor, action, object_, **whose,
                    before=before, after=act.after, outcome=outcome, intent=act.intent,
                )  # fmt: skip
            except AuditUnavailable:
                audit.exception(
                    "audit.outcome_lost",
                    extra={"intent": act.intent, "action": action, "outcome": outcome},
                )

        try:
            yield act
        except (CitizenError, StateError) as error:
            act.after["reason"] = error.say
            await conclude("refused")
            raise
        except Exception as error:
            act.after["reason"] = type(error).__name__
            await conclude("failed")
            raise
        await conclude("done")

    # --- reading --------------------------------------------------------------------------

    async def search(
        self, wanted: Wanted, *, before: int | None = None, limit: int = 50
    ) -> tuple[list[Entry], int | None]:
        """Return a page, the newest first, and the number before which the next one begins."""
        found = await self._store.search(wanted, before=before, limit=limit + 1)
        if len(found) <= limit:
            return found, None
        return found[:limit], found[limit - 1].seq

    async def find(self, seq: int) -> Entry | None:
        """Return one entry."""
        return await self._store.find(seq)

    async def entries(self, wanted: Wanted, *, most: int | None = None) -> AsyncIterator[Entry]:
        """Yield what is wanted, the newest first, at most so many."""
        before: int | None = None
        left = most
        while left is None or left > 0:
            size = PART if left is None else min(PART, left)
            page, before = await self.search(wanted, before=before, limit=size)
            for entry in page:
                yield entry
            if before is None:
                return
            left = None if left is None else left - len(page)

    async def chain(self) -> AsyncIterator[Entry]:
        """Yield the whole chain in order."""
        after = -1
        while page := await self._store.read(after, PART):
            for entry in page:
                yield entry
            after = page[-1].seq

    # --- proving --------------------------------------------------------------------------

    async def begin_check(self, noted: Place | None = None) -> Walk:
        """Begin to follow the chain; `noted` is a place somebody kept elsewhere."""
        head, checkpoint = await self._store.anchor("head"), await self._store.anchor("checkpoint")
        is_empty = not await self._store.read(-1, 1)
        return begin(self._store.anchor_key, head, checkpoint, is_empty=is_empty, noted=noted)

    @property
    def ticket_key(self) -> bytes:
        """What signs a check that goes on from page to page."""
        return self._store.anchor_key

    async def check(self, walk: Walk, limit: int = PART) -> Walk:
        """Follow it for at most so many entries more."""
        if walk.is_over:
            return walk
        return follow(walk, await self._store.read(walk.place.seq, limit), self._store.key)
