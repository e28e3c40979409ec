"""The HTTP client session that every call out shares, and what a bare answer tells."""

from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime

import aiohttp

CONNECTIONS = 600  # at 50 ms per send, what a few thousand sends a second need
SECONDS = 5.0


def open_http(*, connections: int = CONNECTIONS) -> aiohttp.ClientSession:
    """Return a session whose calls all end: callers set shorter times of their own."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(total=SECONDS),
    )


async def date_at(http: aiohttp.ClientSession, url: str) -> datetime | None:
    """Return what time a server says it is (its `Date`), None when it does not say or answer."""
    with suppress(aiohttp.ClientError, TimeoutError, ValueError):
        async with http.head(url, allow_redirects=False) as answer:
            said = answer.headers.get("Date")
            moment = parsedate_to_datetime(said) if said else None
            return moment if moment and moment.tzinfo else None
    return None
