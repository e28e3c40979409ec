"""Live progress (实时进度): server-sent events for open pages, and the same numbers for polling.

A stream tells what changed, beats every fifteen seconds so that proxies keep it, and ends with the
broadcast (event `end`) or after five minutes: the browser comes back by itself. Every few seconds
it is asked whether whoever listens is still signed in and may still see it; if not it ends at once.
One person and one process have a bounded number; whoever is refused polls instead.
"""

import asyncio
import time
from typing import Any

from tornado.iostream import StreamClosedError

from web.admin.broadcast_page import ONE, BroadcastPart
from web.admin.table import ConsoleRoute, route

LOOK_EVERY = 1.0  # seconds
BEAT_EVERY = 15.0
ASK_EVERY = 3.0  # whether they may still listen
LONGEST = 300.0
FLUSH_SECONDS = 10.0  # a browser that takes nothing for so long is gone


class BroadcastLive(BroadcastPart):
    """The stream of one broadcast."""

    is_polled = asks_by_itself = True  # no line in the access log for each

    def initialize(self, route: ConsoleRoute) -> None:
        super().initialize(route)
        self._gone = asyncio.Event()

    def on_connection_close(self) -> None:
        """Stop looking as soon as nobody listens."""
        self._gone.set()

    async def get(self, broadcast_id: str) -> None:
        await self.look(broadcast_id)  # 404 before anything is sent
        with self.ctx.live.stream(self.operator.id):
            self.set_header("Content-Type", "text/event-stream; charset=utf-8")
            self.set_header("X-Accel-Buffering", "no")  # nginx would keep it back
            self.write("retry: 3000\n\n")
            try:
                await self._tell(broadcast_id)
            except (StreamClosedError, TimeoutError):
                return

    async def _tell(self, broadcast_id: str) -> None:
        begun = beaten = asked = time.monotonic()
        told: dict[str, str] = {}
        while not self._gone.is_set():
            if time.monotonic() - asked >= ASK_EVERY:
                if not await self.still_may():
                    return
                asked = time.monotonic()
            progress = await self.look(broadcast_id)
            data = await self.about(progress)
            parts = {
                "progress": self.part("admin/_broadcast_progress.html", data),
                "actions": self.part("admin/_broadcast_actions.html", data),
            }
            changed = {name: text for name, text in parts.items() if told.get(name) != text}
            for name, text in changed.items():
                self.write(event(name, text))
            told |= changed
            if not data["is_moving"]:
                self.write(event("end", "over"))
            elif not changed and time.monotonic() - beaten >= BEAT_EVERY:
                self.write(": beat\n\n")
                beaten = time.monotonic()
            await asyncio.wait_for(self.flush(), FLUSH_SECONDS)
            if not data["is_moving"] or time.monotonic() - begun >= LONGEST:
                return
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._gone.wait()
        except TimeoutError:
            return

    def part(self, name: str, data: dict[str, Any]) -> str:
        """Render a part of the page as a text."""
        return self.ctx.renderer.console_page(self.language, name, self._shared() | data)


class BroadcastProgress(BroadcastPart):
    """The same numbers once, for pages without a stream; a new state reloads the page."""

    is_polled = asks_by_itself = True

    async def get(self, broadcast_id: str) -> None:
        data = await self.about(await self.look(broadcast_id))
        if self.get_query_argument("state", "") not in ("", data["broadcast"].state):
            self.set_header("HX-Refresh", "true")
        self.fragment("admin/_broadcast_progress.html", **data)


def event(name: str, text: str) -> str:
    """Write one event; every line of its text is a line of data."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n"


routes = (
    route(f"{ONE}/live", BroadcastLive, "broadcast-live", get="broadcasts.read"),
    route(f"{ONE}/progress", BroadcastProgress, "broadcast-progress", get="broadcasts.read"),
)
