"""The dead list (死信) and its replay: batches that killed their worker again and again.

When a batch dies its broadcast pauses itself (`push.recovery`). A person looks at the list, puts
right what was wrong, and replays. Replaying twice, or a batch that is not dead any more, changes
nothing. Who was already concluded is not sent to again: the ledger knows them.
"""

import logging
from dataclasses import dataclass

from domain.broadcast import STATE_WORDS, BroadcastState
from domain.clock import Clock
from domain.dead import DeadBatch
from domain.errors import StateError
from domain.ids import AccountId, BroadcastId
from domain.sentence import Sentence
from push.broadcasts import Broadcasts
from push.finding import find_for
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.dead import MongoDead
from storage.mongo.ledger import MongoLedger

log = logging.getLogger(__name__)

REASON = "dead batch"  # how a broadcast's reason begins when it paused itself for one
OVER: tuple[BroadcastState, ...] = ("finished", "cancelled", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay did; `state` is the broadcast's afterwards."""

    batches: int
    state: BroadcastState


def reason_of(batch: str) -> str:
    """Return why a broadcast pauses itself for a dead batch."""
    return f"{REASON} {batch}: begun again and again without progress"


class DeadBatches:
    """Looks at dead batches and replays them (runtime: `ctx.dead`)."""

    def __init__(
        self,
        dead: MongoDead,
        ledger: MongoLedger,
        store: MongoBroadcasts,
        broadcasts: Broadcasts,
        clock: Clock,
    ) -> None:
        self._dead = dead
        self._ledger = ledger
        self._store = store
        self._broadcasts = broadcasts
        self._clock = clock

    async def list_all(self, account: AccountId | None = None) -> list[DeadBatch]:
        """Return the dead batches of one account, or of all."""
        return await self._dead.list_(account=account)

    async def list_of(
        self, broadcast_id: BroadcastId, account: AccountId | None = None
    ) -> list[DeadBatch]:
        """Return a broadcast's dead batches; another account's is `NotFound`."""
        broadcast = await find_for(self._store, broadcast_id, account)
        return await self._dead.list_(broadcast=broadcast.id)

    async def replay(
        self,
        broadcast_id: BroadcastId,
        account: AccountId | None = None,
        *,
        batch: str | None = None,
        author: str = "",
    ) -> Replayed:
        """Give dead batches another chance, and go on if the broadcast paused itself for one.

        A broadcast that a person paused stays paused; its batches go when it is resumed.
        """
        broadcast = await find_for(self._store, broadcast_id, account)
        if broadcast.state in OVER:
            raise StateError(
                Sentence(
                    "群发任务{state}，已经结束，不能重放。",
                    state=STATE_WORDS[broadcast.state],
                )
            )
        number = await self._ledger.revive(broadcast_id, self._clock.now(), batch=batch)
        state = broadcast.state
        if state == "paused" and broadcast.reason.startswith(REASON):
            state = (await self._broadcasts.resume(broadcast_id, revive=False)).state
        log.info(
            "batch.replayed",
            extra={
                "broadcast": broadcast_id,
                "batches": number,
                "state": state,
                "author": author,
            },
        )
        return Replayed(batches=number, state=state)

    async def replay_named(self, name: str, *, author: str = "") -> Replayed:
        """Replay by the name a person read in the list: a batch's or a broadcast's."""
        broadcast, colon, _ = name.partition(":")
        batch = name if colon else None
        return await self.replay(BroadcastId(broadcast), batch=batch, author=author)
