"""For the people and machines on call: alive, ready, counted."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from tornado.web import url

from web.base import ApiPage
from web.ledger_metrics import show_overview


class Alive(ApiPage):
    """The process answers; nothing else is asked."""

    def get(self) -> None:
        self.answer({"status": "alive"})


class Ready(ApiPage):
    """MongoDB and Redis answer; 503 names what does not."""

    async def get(self) -> None:
        found = await self.ctx.ready()
        is_ready = not any(found.values())
        checks = {name: reason or "ok" for name, reason in found.items()}
        self.answer(
            {"status": "ready" if is_ready else "not ready", "checks": checks},
            200 if is_ready else 503,
        )


class Metrics(ApiPage):
    """Prometheus's text format: this process's counters, and the ledger's gauges."""

    async def get(self) -> None:
        await show_overview(self.ctx.overviews)
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(generate_latest())


routes = [
    url(r"/healthz", Alive),
    url(r"/readyz", Ready),
    url(r"/metrics", Metrics),
]
