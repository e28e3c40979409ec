"""How long and how often to measure, and on which core what runs."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run of the benchmarks. Contenders take turns in every round; medians count."""

    rounds: int = 3
    seconds: float = 3.0  # of load, per contender and round
    server_core: int = 0
    client_core: int = 1
    people: int = 1_000_000  # subscribers of the sections `push` and `console`
    folder: Path  # for what contenders write; removed afterwards


def two_cores() -> tuple[int, int]:
    """Return the core of the servers and the core of the load; the same one when alone."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[1 % len(cores)]
