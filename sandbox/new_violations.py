"""The traffic police's news desk: a camera sees a vehicle now.

`POST /sandbox/departments/traffic/news {"verb": "violate", "plate", "act"?, "seq"?, "handled"?}`;
the record appears in the next answer about the vehicle.
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.clock import Clock, in_beijing
from sandbox.feeds import NewsRefused
from sandbox.vehicle_data import ACTS, PLACES

Json = dict[str, Any]


class ViolationDesk:
    """Records that were made on demand, by plate."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, list[Json]] = {}
        self.verbs: Mapping[str, Callable[[Json], Json]] = {"violate": self._violate}

    def records_of(self, plate: str) -> list[Json]:
        """Return the new records of a vehicle."""
        return self._records.get(plate, [])

    def _violate(self, content: Json) -> Json:
        plate, code = content.get("plate"), str(content.get("act", "1344"))
        if not isinstance(plate, str) or code not in ACTS:
            raise NewsRefused(f"plate is a text, act is one of {', '.join(ACTS)}")
        made = sum(map(len, self._records.values())) + 1
        text, fine, points = ACTS[code]
        record = {
            "xh": str(content.get("seq", f"4403{code}9{made:07d}")),
            "wfsj": f"{in_beijing(self._clock.now()):%Y-%m-%d %H:%M}",
            "wfdz": PLACES[made % len(PLACES)],
            "wfxw": code,
            "wfms": text,
            "fkje": str(fine),
            "wfjfs": points,
            "cjjgmc": "深圳市公安局交通警察局福田大队",
            "clbj": "1" if content.get("handled") else "0",
            "jkbj": "1" if content.get("handled") else "0",
            "clsj": None,
            "jkrq": None,
            "cfzt": "",
        }
        self._records.setdefault(plate, []).append(record)
        return record
