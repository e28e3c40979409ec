"""Dead batches (死信): batches of the ledger that kept killing their worker."""

from dataclasses import dataclass
from datetime import datetime

from domain.ids import AccountId, BroadcastId


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadBatch:
    """A batch that waits for a person to decide."""

    id: str
    broadcast: BroadcastId
    account: AccountId
    seq: int
    size: int  # people in it
    concluded: int  # of these, how many an outcome is known for
    attempts: int
    died_at: datetime | None  # None: buried by an older version
