"""Receipts (回执): what the platform says after it accepted a message (wechat-platform.md 2.3).

They come before the delivery is written, twice, out of order, or never. A receipt is kept first
and joined to its delivery from whichever side comes second; joining twice changes nothing, so
`delivered` counts a person once.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.clock import Clock
from domain.ids import AccountId
from push.ports import Reachability
from storage.mongo.deliveries import MongoDeliveries, MongoReceipts, Receipt
from storage.mongo.unknowns import MongoUnknowns

log = logging.getLogger(__name__)

SUCCESS = "success"
BLOCKED = "failed:userblock"
WAIT_BEFORE_SWEEP = timedelta(seconds=10)  # by then a batch has looked for its own
GIVE_UP_AFTER = timedelta(days=1)  # messages that other systems sent leave receipts too


class Receipts:
    """Joins receipts and deliveries (bot `Services.receipts`)."""

    def __init__(
        self,
        deliveries: MongoDeliveries,
        receipts: MongoReceipts,
        people: Reachability,
        clock: Clock,
        unknowns: MongoUnknowns | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._receipts = receipts
        self._people = people
        self._clock = clock
        self._unknowns = unknowns

    async def record(
        self, account: AccountId, message_id: str, status: str, *, delivery: str | None = None
    ) -> None:
        """Keep what the platform said of a message, and join it if its delivery is known.

        `delivery` is given where the answer to the send did not tell the message's id.
        """
        receipt = Receipt(
            account=account,
            msgid=message_id.strip(),
            status=normalised(status),
            at=self._clock.now(),
            delivery=delivery,
        )
        await self._receipts.keep(receipt)
        await self._join(receipt)

    async def catch_up(self, account: AccountId, msgids: Sequence[str]) -> None:
        """Join receipts that came before these deliveries were written."""
        if not msgids:
            return
        for receipt in await self._receipts.list_for(account, msgids):
            await self._join(receipt)

    async def catch_up_nameless(self, deliveries: Sequence[str]) -> None:
        """The same for sends whose answer told no message id."""
        if not deliveries:
            return
        for receipt in await self._receipts.list_named(deliveries):
            await self._join(receipt)

    async def sweep(self, now: datetime) -> int:
        """Join what a crash between writing and catching up has left; returns how many."""
        joined = 0
        for receipt in await self._receipts.list_waiting(
            after=now - GIVE_UP_AFTER, before=now - WAIT_BEFORE_SWEEP
        ):
            joined += int(await self._join(receipt))
        return joined

    async def _is_named(self, receipt: Receipt) -> bool:
        """Give the delivery its message id; False while it is not written, or not countable."""
        state = await self._deliveries.name(receipt)
        if state == "unknown" and self._unknowns is not None:
            return await self._unknowns.settle(receipt.delivery or "")
        return state is not None

    async def _join(self, receipt: Receipt) -> bool:
        if receipt.delivery is not None and not await self._is_named(receipt):
            return False
        openid = await self._deliveries.find_recipient(receipt.account, receipt.msgid)
        if openid is None:
            return False
        if receipt.status == BLOCKED:  # before joining: a crash in between repeats it
            await self._people.mark_unreachable(receipt.account, openid, receipt.status)
        await self._deliveries.apply(receipt)
        await self._receipts.mark_applied(receipt)
        if receipt.status != SUCCESS:
            log.info("receipt.failed", extra={"account": receipt.account, "status": receipt.status})
        return True


def normalised(status: str) -> str:
    """Return the status without upper case and blanks: `failed: system failed` has one."""
    return "".join(status.lower().split())[:64]
