"""A city of made-up subscribers, as the JSON Lines that `subscribers import` reads.

Popularity of topics, districts and tags is about that of a large city; the same seed gives the
same people. Days of following spread over three years, signs of life mostly over the last months.
"""

import json
import random
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

TOPICS = {
    "outage.water": 0.5,
    "outage.power": 0.35,
    "outage.gas": 0.2,
    "traffic.violation": 0.15,
    "social.balance": 0.2,
    "medical.balance": 0.2,
    "fund.balance": 0.15,
    "tax.calendar": 0.05,
    "policy.enterprise": 0.03,
    "bus.detour": 0.1,
    "fuel.price": 0.12,
    "weather.alert": 0.6,
    "case.progress": 0.05,
}
TAGS = {"staff": 0.01, "elder": 0.12, "party": 0.05}
DISTRICTS = [f"4403{number:02}" for number in range(3, 12)]
CAR_OWNERS = 0.1
NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
THREE_YEARS = 3 * 365 * 24 * 3600
QUIET_DAYS = 60  # mean time since somebody was heard from
_LETTERS = string.ascii_letters + string.digits + "-_"


def people(number: int, *, seed: int = 7) -> Iterator[str]:
    """Yield that many lines."""
    chance = random.Random(seed)
    for _ in range(number):
        line: dict[str, object] = {
            "openid": "o" + "".join(chance.choices(_LETTERS, k=27)),
            "topics": [topic for topic, share in TOPICS.items() if chance.random() < share],
            "region": chance.choice(DISTRICTS),
            "tags": [tag for tag, share in TAGS.items() if chance.random() < share],
            "followed_at": _ago(chance.randrange(THREE_YEARS)),
            "active_at": _ago(int(chance.expovariate(1 / (QUIET_DAYS * 24 * 3600)))),
        }
        if chance.random() < CAR_OWNERS:
            plate = f"粤B{chance.randrange(100_000):05}"
            line["subjects"] = [{"kind": "vehicle", "value": plate, "plate_type": "02"}]
        yield json.dumps(line, ensure_ascii=False)


def write(path: Path, number: int, *, seed: int = 7) -> None:
    """Write a file for `subscribers import`; a million lines are 230 MB and half a minute."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in people(number, seed=seed))


def _ago(seconds: int) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()
