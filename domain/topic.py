"""Topics (主题) and regions (行政区划, GB/T 2260)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from domain.channel import TEMPLATE_ONLY, ChannelName
from domain.ids import RegionCode, TopicId

SubjectKind = Literal["vehicle", "person"]
Mode = Literal["immediate", "daily", "weekly"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Something a citizen can follow.

    `scope` says what a subscription is about: a region, a thing the citizen bound, or nothing.
    """

    id: TopicId
    title: str
    words: tuple[str, ...]  # what citizens call it: 停水
    scope: Literal["region", "vehicle", "person", "none"]
    hotline: str = "12345"
    daily_cap: int = 0  # notices a person gets at once per day; what is more waits; 0: no limit
    channels: tuple[ChannelName, ...] = TEMPLATE_ONLY  # in the order in which they are tried


def parse_mode(kept: str | None) -> Mode:
    """Read a mode as it is kept; what was called a digest once is the daily one."""
    if kept in ("daily", "digest"):
        return "daily"
    return "weekly" if kept == "weekly" else "immediate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A district or city and the names citizens call it by."""

    code: RegionCode
    name: str
    aliases: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()


def ancestors(code: str) -> Iterator[RegionCode]:
    """Yield the region itself and every region above it: 440305 → 440305, 440300, 440000.

    `00` in a lower pair means the whole of the level above (domain.md 1.7); a 12-digit
    statistics code (town 3 + village 3) yields its levels too.
    """
    levels = [code[:2], code[:4], code[:6]]
    if len(code) == 12:
        levels += [code[:9], code]
    seen = set()
    for level in reversed(levels):
        padded = level.ljust(6 if len(level) <= 6 else 12, "0")
        short = padded[:6] if padded[6:] in ("", "000000") else padded
        if short not in seen:
            seen.add(short)
            yield RegionCode(short)
