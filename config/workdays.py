"""The national calendar of working days (法定节假日), and the only door to `chinesecalendar`.

The package knows the years up to the one it was released for and raises beyond; a year may be
added, or put right, in `workdays.toml`. `version` changes with either.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import chinese_calendar
from chinese_calendar.constants import holidays as PACKAGED  # noqa: N812 - a constant
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from domain.errors import ConfigError
from domain.workdays import CalendarMissing

FILE = Path(__file__).parent / "workdays.toml"
_PACKAGED_YEARS = frozenset(day.year for day in PACKAGED)


@dataclass(frozen=True, kw_only=True)
class YearTable:
    """One year's list, as published."""

    year: int
    source: str
    rest: frozenset[date]
    work: frozenset[date]


class NationalCalendar:
    """Working days in China (`domain.workdays.Workdays`)."""

    def __init__(self, own: Iterable[YearTable] = ()) -> None:
        self._own = {table.year: table for table in own}

    @cached_property
    def version(self) -> str:
        sources = [f"{year}: {table.source}" for year, table in sorted(self._own.items())]
        return "; ".join([f"chinesecalendar {version_of('chinesecalendar')}", *sources])

    def covers(self, year: int) -> bool:
        return year in self._own or year in _PACKAGED_YEARS

    def is_workday(self, day: date) -> bool:
        if table := self._own.get(day.year):
            return day in table.work or (day.weekday() < 5 and day not in table.rest)
        if day.year not in _PACKAGED_YEARS:
            raise CalendarMissing(day.year)
        return bool(chinese_calendar.is_workday(day))

    def is_holiday(self, day: date) -> bool:
        if table := self._own.get(day.year):
            return day in table.rest
        if day.year not in _PACKAGED_YEARS:
            raise CalendarMissing(day.year)
        return day in PACKAGED


def load_workdays(file: Path = FILE) -> NationalCalendar:
    """Read the years added by hand, or raise `ConfigError` with one sentence."""
    try:
        entries = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).years
        return NationalCalendar([entry.table() for entry in entries])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}; correct the file") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"{file}: {where}: {first['msg']}; correct the file") from error
    except ValueError as error:
        raise ConfigError(f"{file}: {error}; correct the file") from error


@cache
def national_calendar() -> NationalCalendar:
    """Return the calendar of this installation, read once for the process."""
    return load_workdays()


def month_day(year: int, text: str) -> date:
    """Read `"02-14"` as a day of the year."""
    month, dash, day = text.partition("-")
    if not (dash and month.isdigit() and day.isdigit()):
        raise ValueError(f"{text!r} is not a day like 02-14")
    return date(year, int(month), int(day))


MonthDays = Annotated[tuple[str, ...], BeforeValidator(tuple)]


class _Year(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    year: int = Field(ge=2004, le=2100)
    source: str = Field(min_length=1)
    rest: MonthDays
    work: MonthDays = ()

    def table(self) -> YearTable:
        return YearTable(
            year=self.year,
            source=self.source,
            rest=frozenset(month_day(self.year, text) for text in self.rest),
            work=frozenset(month_day(self.year, text) for text in self.work),
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    years: tuple[_Year, ...] = ()
