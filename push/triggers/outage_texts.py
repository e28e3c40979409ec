"""What an outage card says in each phase, within 20 characters a field.

All utilities share one template, so the place begins with the word for what happens: 停水, 停电
or 停气. The template need not map `reason`; therefore the advice after a restoration of water
(let it run 2–3 minutes, domain.md 3.1) stands beside the place as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from domain.clock import in_beijing
from domain.outage import UTILITY_NAMES, Outage, Utility
from push.triggers.wording import THING, fit, listed

Phase = Literal["announced", "soon", "changed", "restored", "cancelled"]
PHASES: tuple[Phase, ...] = get_args(Phase)

_SUPPLY: Mapping[Utility, str] = {"water": "供水", "power": "供电", "gas": "供气"}
_LOW: Mapping[Utility, str] = {"water": "低水压", "power": "限电", "gas": "低气压"}
_KINDS: Mapping[str, str] = {
    "planned": "计划检修",
    "temporary": "临时检修",
    "fault": "故障抢修",
    "rationing": "有序限供",
    "low_pressure": "降压供应",
}
LET_IT_RUN = "请先放水2至3分钟再使用"
_RUN_SHORT = "，先放水2-3分钟"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A card: a title for our console, and the data of `outage_notice`."""

    title: str
    data: Mapping[str, str]


def words(outage: Outage, phase: Phase) -> Words:
    """Return the card of a phase; always something that fits."""
    return Words(
        title=f"{_headline(outage, phase)}{_place(outage, THING)}",
        data={
            "area": _area(outage, phase),
            "start": outage.start.isoformat(),
            "end": outage.end.isoformat(),
            "reason": _reason(outage, phase),
        },
    )


def _area(outage: Outage, phase: Phase) -> str:
    if phase == "restored" and outage.utility == "water":
        rest = f"恢复供水{_RUN_SHORT}"
        return _place(outage, THING - len(rest)) + rest
    headline = _headline(outage, phase)
    return headline + _place(outage, THING - len(headline))


def _headline(outage: Outage, phase: Phase) -> str:
    if phase == "restored":
        return f"恢复{_SUPPLY[outage.utility]}："
    what = UTILITY_NAMES[outage.utility]
    if all(stretch.mode == "low" for stretch in outage.phases):
        what = _LOW[outage.utility]
    ending = {"announced": "：", "soon": "提醒：", "changed": "变更：", "cancelled": "取消："}
    return what + ending[phase]


def _place(outage: Outage, longest: int) -> str:
    """Return the places whole if they fit, else the streets, else as many as fit."""
    whole = "、".join(dict.fromkeys(area.text for area in outage.areas if area.text))
    if 0 < len(whole) <= longest:
        return fit(whole, longest)
    streets = [area.street or area.detail for area in outage.areas]
    return listed(streets, longest, empty="全区")


def _reason(outage: Outage, phase: Phase) -> str:
    if phase == "restored" and outage.utility == "water":
        return LET_IT_RUN
    reason = outage.reason or _KINDS[outage.kind]
    off = [stretch for stretch in outage.phases if stretch.mode == "off"]
    low = [stretch for stretch in outage.phases if stretch.mode == "low"]
    if phase in ("restored", "cancelled") or not off or not low:
        return fit(reason)
    # one event, two phases, one push: off 23:00–04:00, then low until 11:00
    then = min(stretch.start for stretch in low)
    note = f"{in_beijing(then):%H:%M}起{_LOW[outage.utility]}；"
    return note + fit(reason, THING - len(note))
