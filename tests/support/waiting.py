"""Waiting for what happens elsewhere, bounded and without sleeping longer than needed."""

import asyncio
from collections.abc import Mapping

from tests.support.town import Town

LONGEST = 20.0


async def delivered(
    town: Town, broadcast: str, headers: Mapping[str, str], *, at_least: int = 1
) -> dict[str, int]:
    """Return a broadcast's counts once it is finished and so many receipts are in."""
    async with asyncio.timeout(LONGEST):
        while True:
            report = await town.get(f"broadcasts/{broadcast}", headers)
            if report["state"] == "finished" and report["counts"]["delivered"] >= at_least:
                return dict(report["counts"])
            await asyncio.sleep(0.1)


async def cards(town: Town, account: str, openid: str, number: int = 1) -> list[dict[str, object]]:
    """Return the template messages on a phone, once there are so many."""
    found: list[dict[str, object]] = []
    last = 0
    async with asyncio.timeout(LONGEST):
        while len(found) < number:
            page = await town.read("chat", account=account, openid=openid, after=last, wait=5)
            found += [line for line in page["entries"] if line["kind"] == "card"]
            last = page["last"]
    return found
