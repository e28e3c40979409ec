"""One line in the log for every change of state of a broadcast or a batch (状态变化).

It is written where the change is made, by the store, right after the write that succeeded: so
there is exactly one, whoever asked for it, and none for a write that found its guard unmet.
A crash between the two costs the line and nothing else. Alarms that call a person are lines of
their own, at a higher level.
"""

import logging
from typing import Any

from domain.broadcast import BroadcastState
from domain.ids import BroadcastId

log = logging.getLogger(__name__)

BROADCAST, BATCH = "broadcast.state", "batch.state"  # the events


def broadcast_became(broadcast: BroadcastId, to: BroadcastState, **fields: Any) -> None:
    """Note that a broadcast is in another state now."""
    log.info(BROADCAST, extra={"broadcast": broadcast, "to": to, **_said(fields)})


def batch_became(batch: str, to: str, **fields: Any) -> None:
    """Note that a batch is in another state now: ready, leased, done or dead."""
    log.info(BATCH, extra={"batch": batch, "to": to, **_said(fields)})


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}
