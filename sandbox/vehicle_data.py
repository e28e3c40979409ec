"""Synthetic vehicles and their violations, told relative to today, in every state there is.

Known vehicles have digits of their own; any other plate is known by its last four characters,
so that every plate can be tried and most guesses are refused.
"""

import random
from datetime import datetime, timedelta
from typing import Any

from domain.clock import in_beijing

Json = dict[str, Any]
# plate → plate type and last four of the engine number
VEHICLES: dict[str, tuple[str, str]] = {
    "粤B12345": ("02", "1234"),  # one of every state
    "粤BD12345": ("52", "5678"),  # nothing on record
    "粤B88888": ("02", "6666"),  # two open ones
}
ACTS: dict[str, tuple[str, int, int]] = {  # code → text, fine in yuan, possible points
    "1625": ("驾驶机动车违反道路交通信号灯通行", 200, 6),
    "1344": ("机动车违反禁令标志指示", 200, 1),
    "1345": ("机动车违反禁止标线指示", 200, 1),
    "1039": ("机动车违反规定停放、临时停车", 200, 0),
    "1301": ("机动车逆向行驶", 200, 3),
    "1352": ("驾驶汽车在高速公路上超速20%以上未达50%", 200, 6),
    "1019": ("机动车不在机动车道内行驶", 100, 0),
}
PLACES = (
    "深南大道与上步路路口",
    "滨海大道沙河西立交",
    "红荔路莲花北段",
    "南海大道与创业路路口",
    "北环大道新洲立交",
)


def expected(plate: str) -> tuple[str, str]:
    """Return the plate type and digits that belong to a plate."""
    if plate in VEHICLES:
        return VEHICLES[plate]
    return ("52" if len(plate) == 8 else "02"), plate[-4:]


def records_of(plate: str, now: datetime) -> list[Json]:
    """Return the violations of a vehicle."""
    if plate == "粤B12345":
        return _one_of_every_state(now)
    if plate == "粤B88888":
        return [_record(now, 1, 2, "1344"), _record(now, 2, 9, "1039")]
    if plate in VEHICLES:
        return []
    chance = random.Random(plate)
    codes = chance.choices(sorted(ACTS), k=chance.randrange(3))
    return [
        _record(now, number, chance.randrange(1, 60), code) for number, code in enumerate(codes)
    ]


def _one_of_every_state(now: datetime) -> list[Json]:
    return [
        _record(now, 1, 3, "1625"),
        _record(now, 2, 12, "1352", scz=98, bzz=80),
        _record(now, 3, 10, "1344", decided=5),  # to be paid within the next ten days
        _record(now, 4, 40, "1345", decided=25),  # ten days late: 60 yuan more
        _record(now, 5, 90, "1301", decided=60),  # so late that the surcharge is at its cap
        _record(now, 6, 120, "1039", decided=110, paid=100),
        _record(now, 7, 150, "1019", decided=149) | {"jkbj": "9", "fkje": "0"},  # a warning
        _record(now, 8, 30, "1344", decided=20) | {"cfzt": "复议"},
        _record(now, 9, 200, "1039", decided=190) | {"cfzt": "撤销"},
    ]


def _record(
    now: datetime,
    number: int,
    days_ago: int,
    code: str,
    *,
    decided: int | None = None,
    paid: int | None = None,
    **speeds: int,
) -> Json:
    today = in_beijing(now)
    text, fine, points = ACTS[code]
    moment = (today - timedelta(days=days_ago)).replace(hour=8 + number, minute=7 * number % 60)
    return {
        "xh": f"4403{code}{number:08d}",  # the same record every day, though its date moves
        "wfsj": f"{moment:%Y-%m-%d %H:%M}",
        "wfdz": PLACES[number % len(PLACES)],
        "wfxw": code,
        "wfms": text,
        "fkje": str(fine),
        "wfjfs": points,
        "cjjgmc": "深圳市公安局交通警察局福田大队" if number % 2 else "深圳市公安局交警局南山大队",
        "clbj": "0" if decided is None else "1",
        "jkbj": "0" if paid is None else "1",
        "clsj": None if decided is None else str((today - timedelta(days=decided)).date()),
        "jkrq": None if paid is None else str((today - timedelta(days=paid)).date()),
        "cfzt": "",
        **speeds,
    }
