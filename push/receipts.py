"""Receipts (回执): what the platform says after it accepted a message (wechat-platform.md 2.3).

They come before the delivery is written, twice, out of order, or never. A receipt is kept first
and joined to its delivery from whichever side comes second; joining twice changes nothing, so
`delivered` counts a person once.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.clock import Clock
from domain.figures import Figures
from domain.ids import AccountId
from push.ports import Reachability
from storage.mongo.deliveries import MongoDeliveries, MongoReceipts, Receipt
from storage.mongo.unknowns import MongoUnknowns

log = logging.getLogger(__name__)

SUCCESS = "success"
BLOCKED = "failed:userblock"
WAIT_BEFORE_SWEEP = timedelta(seconds=10)  # by then a batch has looked for its own
PAGE = 500
TICK = timedelta(milliseconds=1)  # what the database tells apart
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
        figures: Figures | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._receipts = receipts
        self._people = people
        self._clock = clock
        self._unknowns = unknowns
        self._figures = figures
        self._swept_to: datetime | None = None  # where the round through waiting ones goes on

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
        """Join what a crash between writing and catching up has left; returns how many.

        A page in each call: receipts of other systems' messages, which may be many and are never
        joined, must not hide our own.
        """
        before, oldest = now - WAIT_BEFORE_SWEEP, now - GIVE_UP_AFTER
        page = await self._receipts.list_waiting(
            after=max(self._swept_to or oldest, oldest), before=before, limit=PAGE
        )
        self._swept_to = None
        if len(page) == PAGE:  # the last instant is seen again, unless the page holds nothing else
            first, last = page[0].at, page[-1].at
            self._swept_to = last - TICK if first < last - TICK else last
        joined = 0
        for receipt in await self._ours(page):
            joined += int(await self._join(receipt))
        return joined

    async def _ours(self, receipts: Sequence[Receipt]) -> list[Receipt]:
        """Leave out those whose message is not of ours, in one question for each account."""
        msgids: dict[AccountId, list[str]] = {}
        for receipt in receipts:
            msgids.setdefault(receipt.account, []).append(receipt.msgid)
        known = {
            (account, msgid)
            for account, ids in msgids.items()
            for msgid in await self._deliveries.known(account, ids)
        }
        return [
            receipt
            for receipt in receipts
            if receipt.delivery is not None or (receipt.account, receipt.msgid) in known
        ]

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
        if await self._deliveries.apply(receipt) and self._figures is not None:
            name = "delivered" if receipt.status == SUCCESS else f"r:{receipt.status}"
            self._figures.add(receipt.account, name)
        await self._receipts.mark_applied(receipt)
        if receipt.status != SUCCESS:
            log.info("receipt.failed", extra={"account": receipt.account, "status": receipt.status})
        return True


def normalised(status: str) -> str:
    """Return the status without upper case and blanks: `failed: system failed` has one."""
    return "".join(status.lower().split())[:64]
