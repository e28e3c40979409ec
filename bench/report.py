"""Results: rows and ratios, as a table for people and as JSON for machines."""

import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from domain.clock import SystemClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one round of one contender showed."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # CPU time of the process measured, per request

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender: the medians of its rounds."""

    name: str
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    spread: float  # (highest - lowest) / median of requests a second: how far to trust it

    @classmethod
    def of(cls, name: str, samples: Sequence[Sample]) -> "Row":
        rates = [sample.per_second for sample in samples]
        return cls(
            name=name,
            per_second=round(statistics.median(rates), 1),
            p50_ms=round(statistics.median(sample.p50_ms for sample in samples), 2),
            p99_ms=round(statistics.median(sample.p99_ms for sample in samples), 2),
            cpu_us=round(statistics.median(sample.cpu_us for sample in samples), 1),
            spread=round((max(rates) - min(rates)) / statistics.median(rates), 3),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One contender's requests a second over another's, and what we aim at."""

    name: str
    value: float
    aim: float

    @property
    def reached(self) -> bool:
        return self.value >= self.aim


def ratio(name: str, ours: Sequence[Sample], others: Sequence[Sample], *, aim: float) -> Ratio:
    """Compare requests a second round by round: a slow minute hits both; the median counts."""
    pairs = zip(ours, others, strict=True)
    value = statistics.median(our.per_second / other.per_second for our, other in pairs)
    return Ratio(name=name, value=round(value, 2), aim=aim)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """Something that must be so: what was measured beside its bar; without one it is told only."""

    name: str
    measured: str
    bar: str = ""
    reached: bool | None = None
    values: Mapping[str, float] = field(default_factory=dict)  # for machines


def at_least(name: str, value: float, bar: float, *, unit: str = "", note: str = "") -> Property:
    """Return a property whose value must not be lower than the bar."""
    return _property(name, value, bar, "≥", value >= bar, unit, note)


def at_most(name: str, value: float, bar: float, *, unit: str = "", note: str = "") -> Property:
    """Return a property whose value must not be higher than the bar."""
    return _property(name, value, bar, "≤", value <= bar, unit, note)


def told(name: str, value: float, *, unit: str = "", note: str = "") -> Property:
    """Return a property without a bar."""
    return Property(name=name, measured=_written(value, unit, note), values={"value": value})


def _property(
    name: str, value: float, bar: float, sign: str, reached: bool, unit: str, note: str
) -> Property:
    return Property(
        name=name,
        measured=_written(value, unit, note),
        bar=f"{sign} {_written(bar, unit, '')}",
        reached=reached,
        values={"value": value, "bar": bar},
    )


def _written(value: float, unit: str, note: str) -> str:
    number = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
    return " ".join(part for part in (number, unit, f"({note})" if note else "") if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table: who was measured doing what."""

    name: str
    title: str
    rows: Sequence[Row]
    ratios: Sequence[Ratio] = field(default_factory=tuple)
    properties: Sequence[Property] = field(default_factory=tuple)
    checked: str = ""  # how we know that the answers were right

    @property
    def missed(self) -> list[str]:
        """What did not reach its aim or its bar."""
        ratios = [each.name for each in self.ratios if not each.reached]
        return ratios + [each.name for each in self.properties if each.reached is False]


def show(section: Section, console: Console) -> None:
    """Print one section for people."""
    if section.rows:
        _show_rows(section, console)
    for each in section.ratios:
        mark = "[green]reached[/]" if each.reached else "[red]missed[/]"
        console.print(f"  {each.name}: [bold]{each.value:.2f}[/] (aim ≥ {each.aim:.2f}, {mark})")
    if section.properties:
        _show_properties(section, console)
    if section.checked:
        console.print(f"  checked: {section.checked}")
    console.print()


def _show_rows(section: Section, console: Console) -> None:
    table = Table(title=section.title, title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for heading in ("per second", "p50 ms", "p99 ms", "CPU µs", "spread"):
        table.add_column(heading, justify="right")
    for row in section.rows:
        table.add_row(
            row.name,
            f"{row.per_second:,.0f}",
            f"{row.p50_ms:.2f}" if row.p50_ms else "",
            f"{row.p99_ms:.2f}" if row.p99_ms else "",
            f"{row.cpu_us:.0f}",
            f"{row.spread:.0%}",
        )
    console.print(table)


def _show_properties(section: Section, console: Console) -> None:
    table = Table(title=f"{section.title}: beside the bars", title_justify="left")
    for heading in ("property", "measured", "bar", "reached"):
        table.add_column(heading, overflow="fold")
    marks = {None: "", True: "[green]yes[/]", False: "[red]NO[/]"}
    for each in section.properties:
        table.add_row(escape(each.name), escape(each.measured), each.bar, marks[each.reached])
    console.print(table)


def write(sections: Sequence[Section], path: Path, *, rounds: int, seconds: float) -> None:
    """Write everything for machines."""
    content = {
        "at": SystemClock().now().isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "rounds": rounds,
        "seconds": seconds,
        "sections": {
            section.name: {
                "title": section.title,
                "rows": [asdict(row) for row in section.rows],
                "ratios": [asdict(each) | {"reached": each.reached} for each in section.ratios],
                "properties": [asdict(each) for each in section.properties],
                "checked": section.checked,
            }
            for section in sections
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
