"""The tax calendar (办税日历): last days as data, the rule where the data ends (`domain.md` 3.4).

Read once from `tax_calendar.toml`; a wrong entry stops the process with a sentence that names the
file. `deadlines` answers for any year: what the annual notice does not cover is worked out and
marked provisional, and becomes firm when the notice is added to the file.
"""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from config.workdays import month_day, national_calendar
from domain.errors import ConfigError
from domain.tax_calendar import TaxDeadline, monthly_deadline
from domain.workdays import Provisional, Workdays, first_workday_from

FILE = Path(__file__).parent / "tax_calendar.toml"


class TaxCalendar:
    """The last days of all taxes that citizens and enterprises can be reminded of."""

    def __init__(self, file: "_File", calendar: Workdays) -> None:
        self._periods = file.periods
        self._annual = file.annual
        self._years = {year.year: year for year in file.years}
        self._calendar = calendar
        self._tolerant = Provisional(calendar)
        self._known: dict[int, tuple[TaxDeadline, ...]] = {}
        self.kinds: Mapping[str, str] = dict(file.kinds)  # key → what people call the tax
        self.names = frozenset(
            [*(period.key for period in file.periods), *(entry.key for entry in file.annual)]
        )

    def deadlines(self, first: date, last: date) -> list[TaxDeadline]:
        """Return the last days from `first` to `last`, both included, in order."""
        found: list[TaxDeadline] = []
        for year in range(first.year - 1, last.year + 1):  # a rest day may move one over New Year
            if year not in self._known:
                self._known[year] = tuple(self._of_year(year))
            found += self._known[year]
        within = [deadline for deadline in found if first <= deadline.day <= last]
        return sorted(within, key=lambda deadline: (deadline.day, deadline.key))

    def disagreements(self) -> list[tuple[date, date]]:
        """Return (official, by the rule) where the notice and the rule differ: check the file."""
        pairs = [
            (month_day(entry.year, text), monthly_deadline(entry.year, month, self._calendar))
            for entry in self._years.values()
            if self._calendar.covers(entry.year)
            for month, text in enumerate(entry.last_days, 1)
        ]
        return [pair for pair in pairs if pair[0] != pair[1]]

    def _of_year(self, year: int) -> Iterable[TaxDeadline]:
        official = self._years.get(year)
        for month in range(1, 13):
            day = (
                month_day(year, official.last_days[month - 1])
                if official
                else monthly_deadline(year, month, self._tolerant)
            )
            for period in self._periods:
                if month in period.months:
                    yield TaxDeadline(
                        key=f"{period.key}:{year}-{month:02}",
                        day=day,
                        title=period.title,
                        kinds=period.kinds,
                        provisional=official is None,
                        source=official.source if official else self._calendar.version,
                    )
        for annual in self._annual:
            yield TaxDeadline(
                key=f"{annual.key}:{year}",
                day=first_workday_from(month_day(year, annual.last_day), self._tolerant),
                title=annual.title,
                kinds=annual.kinds,
                provisional=not self._calendar.covers(year),
                source=self._calendar.version,
                opens=month_day(year, annual.first_day) if annual.first_day else None,
            )


def load_tax_calendar(file: Path = FILE, calendar: Workdays | None = None) -> TaxCalendar:
    """Read the file, or raise `ConfigError` with one sentence."""
    try:
        content = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}; correct the file") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        problem = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{file}: {where}: {problem}; correct the file") from error
    return TaxCalendar(content, calendar or national_calendar())


@cache
def national_tax_calendar() -> TaxCalendar:
    """Return the tax calendar of this installation, read once for the process."""
    return load_tax_calendar()


# --- the file -----------------------------------------------------------------------------


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Period(_Entry):
    key: str = Field(pattern=r"^[a-z.]+$")
    title: str = Field(min_length=1)
    months: frozenset[int]
    kinds: tuple[str, ...] = Field(min_length=1)


class _Annual(_Entry):
    key: str = Field(pattern=r"^[a-z.]+$")
    title: str = Field(min_length=1)
    first_day: str | None = None
    last_day: str
    kinds: tuple[str, ...] = Field(min_length=1)


class _Year(_Entry):
    year: int = Field(ge=2020, le=2100)
    source: str = Field(min_length=1)
    last_days: tuple[str, ...] = Field(min_length=12, max_length=12)

    @model_validator(mode="after")
    def _one_per_month(self) -> "_Year":
        for month, text in enumerate(self.last_days, 1):
            if month_day(self.year, text).month != month:
                raise ValueError(f"last_days: {text!r} stands in the place of month {month}")
        return self


class _File(_Entry):
    kinds: Mapping[str, str]
    periods: tuple[_Period, ...]
    annual: tuple[_Annual, ...]
    years: tuple[_Year, ...]

    @model_validator(mode="after")
    def _agrees(self) -> "_File":
        named = [(entry.key, entry.kinds) for entry in self.periods]
        named += [(entry.key, entry.kinds) for entry in self.annual]
        for key, kinds in named:
            for kind in kinds:
                if kind not in self.kinds:
                    raise ValueError(f"{key}: the kind {kind!r} is not in [kinds]")
        for annual in self.annual:
            for text in (annual.first_day, annual.last_day):
                if text:
                    month_day(2026, text)
        years = [year.year for year in self.years]
        if len(set(years)) != len(years):
            raise ValueError("a year stands there twice")
        return self
