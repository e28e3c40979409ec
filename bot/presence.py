"""Who was heard from lately (在场): a message or tap shows that a citizen can be reached again.

MongoDB is told at most once a minute per citizen and process, so that talking stays cheap.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime

from domain.conversation import Inbound
from domain.ids import AccountId, OpenId

FRESH_SECONDS = 60.0
REMEMBERED = 50_000

Tell = Callable[[AccountId, OpenId, datetime], Awaitable[None]]


class Presence:
    """Passes on that somebody was heard from, unless that was done just now."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told: OrderedDict[tuple[AccountId, OpenId], float] = OrderedDict()

    async def note(self, message: Inbound) -> None:
        """Note a message or tap of a citizen."""
        person = (message.account, message.openid)
        now = time.monotonic()
        told = self._told.get(person)
        if told is not None and now - told < FRESH_SECONDS:
            return
        await self._tell(message.account, message.openid, message.at)
        self._told[person] = now
        self._told.move_to_end(person)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
