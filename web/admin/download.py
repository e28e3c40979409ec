"""Files that leave piece by piece (导出): whole, or visibly broken off.

A browser that takes nothing for a minute is gone, and for whoever closed the page nothing more is
prepared; somebody who was signed out, or lost the right, gets no further piece. Whatever goes
wrong after the first piece breaks the connection off, so that the browser says the file failed:
half a list must not pass for all of it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tornado.iostream import StreamClosedError

from web.admin.base import AdminPage

READ_SECONDS = 30.0  # for one part
SENT_SECONDS = 60.0  # a browser that takes nothing for so long is gone
ASK_EVERY = 3.0  # seconds, whether they may still have it

log = logging.getLogger(__name__)


class BrokenOff(Exception):
    """The rest is not sent; the message is for the log."""


class Download(AdminPage):
    """A page that answers with a file as it is read."""

    _asked_at = 0.0
    _has_left = False

    def on_connection_close(self) -> None:
        """Know it at once: a workbook is prepared for minutes before anything of it is sent."""
        self._has_left = True

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send pieces in this block, from the first on."""
        self._asked_at = time.monotonic()
        try:
            yield
        except (StreamClosedError, BrokenOff) as error:
            reason = str(error) if isinstance(error, BrokenOff) else "the browser has gone"
            log.info("web.broken_off", extra={"page": type(self).__name__, "reason": reason})
            self.cut_off()

    async def send(self, piece: bytes | str = b"") -> None:
        """Send a piece; the first takes the headers along, even an empty one."""
        await self.check_wanted()
        self.write(piece)
        try:
            await asyncio.wait_for(self.flush(), SENT_SECONDS)
        except TimeoutError as error:
            raise BrokenOff(f"nothing was taken for {SENT_SECONDS:g} s") from error

    async def check_wanted(self) -> None:
        """Break off when the browser has gone, or who asked may not have the rest any more."""
        if self._has_left:
            raise BrokenOff("the browser has gone")
        if time.monotonic() - self._asked_at >= ASK_EVERY:
            if not await self.still_may():
                raise BrokenOff("not allowed any more")
            self._asked_at = time.monotonic()
