"""The proof: what the platform's own book says, held against what our ledger says.

Nothing of ours computes the expected `client_msg_id`s here: they are made again from the rule
(the first 32 characters of sha256 of "broadcast:openid").
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.faults.fleet import Fleet
from tests.faults.killer import Killer


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found out about everybody who was meant."""

    people: int  # recipients over all broadcasts
    cards: int  # in the platform's book
    lost: int  # no card, and not listed as unknown, failed or skipped either
    doubled: int  # a card too many, whatever its id
    claimed: int  # recorded as sent, but the platform knows nothing of it
    strangers: int  # cards for somebody who was not meant
    failed: int
    skipped: int
    unknown: int  # by the counters
    unknown_listed: int  # by the list that a person can look at
    delivered: int  # receipts that found their delivery
    receipts: int  # receipts of success that the platform pushed
    repeats: int  # repetitions that the platform recognised
    counters_agree: bool


async def prove(fleet: Fleet, meant: Mapping[str, Sequence[str]]) -> Proof:
    """Compare the two records; `meant` are the openids of each broadcast."""
    book = await fleet.read("sends", detail="client_msg_id")
    times: Mapping[str, int] = book["by_client_msg_id"]
    lost = claimed = unknown_listed = expected = 0
    left = Counter(times)
    counts: Counter[str] = Counter()
    agree = True
    for broadcast, openids in meant.items():
        outcomes = await _outcomes(fleet, broadcast)
        for openid in openids:
            key = hashlib.sha256(f"{broadcast}:{openid}".encode()).hexdigest()[:32]
            has_card = key in times
            outcome = outcomes.get(openid)
            lost += not has_card and outcome in (None, "sent")
            claimed += not has_card and outcome == "sent"
            left.pop(key, None)
        unknown_listed += sum(state == "unknown" for state in outcomes.values())
        expected += len(openids)
        found = (await fleet.report(broadcast))["counts"]
        agree = agree and found["audience"] == len(openids) == sum(
            found[name] for name in ("sent", "failed", "skipped", "unknown")
        )
        counts.update(found)
    return Proof(
        people=expected,
        cards=book["total"],
        lost=lost,
        doubled=_too_many(book),
        claimed=claimed,
        strangers=left.total(),
        failed=counts["failed"],
        skipped=counts["skipped"],
        unknown=counts["unknown"],
        unknown_listed=unknown_listed,
        delivered=counts["delivered"],
        receipts=book["receipts"].get("success", 0),
        repeats=book["repeats"],
        counters_agree=agree,
    )


async def receipts_in(fleet: Fleet, broadcasts: Sequence[str], *, within: float) -> None:
    """Wait until the platform has pushed its receipts and they are joined; or the time is over."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        waiting = (await fleet.read("tally"))["receipts_waiting"]
        if not waiting:
            query = {"applied": False}
            if await fleet.database["receipts"].find_one(query, {"_id": 1}) is None:
                return
        await asyncio.sleep(0.5)


def table(
    proof: Proof,
    killer: Killer,
    tally: Mapping[str, Any],
    *,
    resumed_within: float,
    bound: int,
    is_long: bool,
) -> list[tuple[str, str, str, bool]]:
    """Return rows of (property, found, bar, reached).

    Only a long run is sure to kill each kind of process, and a worker that holds batches while
    the others are left alone: in a short one on a busy machine chance decides it.
    """
    kills = Counter(kill.victim for kill in killer.kills)
    workers = [kill for kill in killer.kills if kill.victim == "push"]
    calm = [kill for kill in workers if kill.calm and kill.batches]
    all_resumed = max((kill.resumed or 0.0 for kill in workers), default=0.0)
    longest = killer.longest_calm()
    usual = median([kill.resumed or 0.0 for kill in calm] or [0.0])
    most_unknown = bound * len(workers)
    injected = ", ".join(_injected(tally["faults"])) or "none"
    return [
        ("recipients", f"{proof.people:,}", "", True),
        ("killed", ", ".join(f"{n} × {who}" for who, n in kills.items()), "≥ 1 of each",
         len(kills) == 3 or (bool(kills) and not is_long)),
        ("faults of the platform", injected, "", True),
        ("repeats it recognised", f"{proof.repeats:,}", "", True),
        ("lost", str(proof.lost), "0", proof.lost == 0),
        ("doubled", str(proof.doubled), "0", proof.doubled == 0),
        ("recorded as sent without a card", str(proof.claimed), "0", proof.claimed == 0),
        ("sent to somebody not meant", str(proof.strangers), "0", proof.strangers == 0),
        ("unknown, listed", f"{proof.unknown} of {proof.unknown_listed}",
         f"all listed, ≤ {most_unknown}",
         proof.unknown == proof.unknown_listed and proof.unknown <= most_unknown),
        ("failed, skipped", f"{proof.failed}, {proof.skipped}", "all counted",
         proof.counters_agree),
        (f"resumed after a kill ({len(calm)} alone)", f"{longest:.1f} s; half in {usual:.1f} s",
         f"≤ {resumed_within:g} s", (bool(calm) or not is_long) and longest <= resumed_within),
        (f"the same, all {len(workers)} kills", f"{all_resumed:.1f} s", "", True),
        ("receipts joined", f"{proof.delivered:,} of {proof.receipts:,}", "all",
         proof.delivered == proof.receipts),
    ]  # fmt: skip


def show(rows: Sequence[tuple[str, str, str, bool]], console: Console, title: str) -> None:
    """Print the rows as a table."""
    printed = Table(title=title, title_justify="left")
    for heading in ("property", "found", "bar", ""):
        printed.add_column(heading)
    for name, found, bar, reached in rows:
        mark = "" if not bar else "[green]reached[/]" if reached else "[red]MISSED[/]"
        printed.add_row(name, found, bar, mark)
    console.print(printed)


def _too_many(book: Mapping[str, Any]) -> int:
    """Return the cards too many: by their id, or, if that is more, by what the person sees."""
    by_id = sum(row["times"] - 1 for row in book["doubled"])
    by_card = sum(row["times"] - 1 for row in book["same_card_twice"])
    return max(by_id, by_card)


def _injected(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    found: Counter[str] = Counter()
    for rule in faults:
        kind = f"errcode {rule['errcode']}" if rule["kind"] == "errcode" else rule["kind"]
        found[kind] += rule["hits"]
    return [f"{hits} × {kind}" for kind, hits in found.items()]


async def _outcomes(fleet: Fleet, broadcast: str) -> dict[str, str]:
    cursor = fleet.database["deliveries"].find({"broadcast": broadcast}, {"openid": 1, "state": 1})
    return {found["openid"]: found["state"] async for found in cursor}
