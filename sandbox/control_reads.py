"""The reads of the control API (see `sandbox.control`)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from sandbox.accounts import Account
from sandbox.control_body import Body
from sandbox.world import World

LONGEST_WAIT = 30.0
Read = Callable[[World, Account, Body], dict[str, Any] | Awaitable[dict[str, Any]]]


async def chat(world: World, account: Account, body: Body) -> dict[str, Any]:
    """Return a chat's lines after a number, waiting for the first one if asked to."""
    openid, after = body.text("openid"), body.whole("after", 0)
    wait = min(body.number("wait", 0.0), LONGEST_WAIT)
    lines = lines_after(account, openid, after)
    if not lines and wait > 0:
        async with world.feed.listen(account.id, (openid,)) as listener:
            try:
                async with asyncio.timeout(wait):
                    while not lines and await listener.queue.get() is not None:
                        lines = lines_after(account, openid, after)
            except TimeoutError:
                lines = lines_after(account, openid, after)
    person = account.followers.get(openid)
    return {
        "entries": lines,
        "last": lines[-1]["seq"] if lines else after,
        "state": person.state if person else "unknown",
    }


def lines_after(account: Account, openid: str, after: int) -> list[dict[str, Any]]:
    """Return the lines of one person's chat that are later than this number."""
    person = account.followers.get(openid)
    log = person.log if person is not None and person.log is not None else []
    return [entry.as_json() for entry in log if entry.seq > after]


def sends(world: World, account: Account, body: Body) -> dict[str, Any]:
    """Return what the platform can prove about template messages."""
    prefix = body.text("prefix", "")
    answer = account.book.summary(prefix)
    answer["receipts_waiting"] = world.receipts.pending
    match body.text("detail", ""):
        case "client_msg_id":
            ids = Counter(record.client_msg_id for record in account.book.matching(prefix))
            answer["by_client_msg_id"] = dict(ids)
        case "openid":
            people = Counter(record.openid for record in account.book.matching(prefix))
            answer["by_openid"] = dict(people)
        case "records":
            answer["records"] = [
                {
                    **record.as_json(),
                    "openid": record.openid,
                    "status": record.status,
                    "receipts": record.receipts,
                }
                for record in account.book.matching(prefix)
            ]
    return answer


def tally(world: World, account: Account, body: Body) -> dict[str, Any]:
    """Return a few figures that cost nothing, for those who watch while others send."""
    book = account.book
    return {
        "total": len(book.records),
        "repeats": book.repeats,
        "refused": {str(code): times for code, times in book.refused.items()},
        "receipts_waiting": world.receipts.pending,
        "faults": [
            {"kind": rule.kind, "errcode": rule.errcode, "hits": rule.hits}
            for rule in world.faults.rules
        ],
    }


def notices(world: World, account: Account, body: Body) -> dict[str, Any]:
    """Return the subscription notices that were sent, or somebody's consent to one kind."""
    openid, template_id = body.text("openid", ""), body.text("template_id", "")
    answer: dict[str, Any] = {
        "records": [
            {**record.as_json(), "openid": record.openid, "receipts": record.receipts}
            for record in account.notices.records
            if openid in ("", record.openid)
        ],
        "refused": {str(code): times for code, times in account.notices.refused.items()},
    }
    if openid and template_id:
        answer["consent"] = account.notices.consents.as_json(openid, template_id)
    return answer


def mass(world: World, account: Account, body: Body) -> dict[str, Any]:
    """Return the mass sends, with those who got each."""
    jobs = account.mass.jobs
    return {
        "jobs": [{**job.as_json(), "people": list(job.people)} for job in jobs],
        "repeats": account.mass.repeats,
        "refused": {str(code): times for code, times in account.mass.refused.items()},
    }


def status(world: World, account: Account, body: Body) -> dict[str, Any]:
    """Return an overview of one account."""
    return {
        "account": account.id,
        "accounts": list(world.accounts),
        "mode": account.mode,
        "now": world.clock.now().isoformat(),
        "menu": account.menu or world.menu or {"button": []},
        "menu_published": account.menu is not None,
        "followers": len(account.followers),
        "citizens": [
            {"openid": person.openid, "name": person.name, "state": person.state}
            for person in world.citizens(account.id)
        ],
        "templates": [template.as_json() for template in account.templates.values()],
        "pushes": asdict(account.counts),
        "receipts_waiting": world.receipts.pending,
    }


READS: Mapping[str, Read] = {
    "chat": chat,
    "mass": mass,
    "notices": notices,
    "sends": sends,
    "status": status,
    "tally": tally,
}
