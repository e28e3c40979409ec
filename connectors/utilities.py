"""Asking the water, power and gas companies what is announced (停水停电停气, domain.md 3.1)."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Protocol, Self

from pydantic import Field, model_validator

from connectors.http import Department, DepartmentClient, Refusal
from connectors.payload import Code, Frame, Instant, Payload, Revision, Text
from domain.clock import Clock
from domain.errors import DepartmentError
from domain.ids import RegionCode
from domain.maintenance import UnderMaintenance
from domain.outage import (
    Area,
    Outage,
    OutageKind,
    Outages,
    OutageStatus,
    Phase,
    PhaseMode,
    Utility,
)

DEPARTMENTS: Mapping[Utility, Department] = {
    "water": Department(key="utilities", title="供水部门", hotline="12345"),
    "power": Department(key="utilities", title="供电部门", hotline="95598"),
    "gas": Department(key="utilities", title="燃气部门", hotline="12345"),
}
STALE_FOR = timedelta(hours=2)  # public announcements only: never for a person's data
MAX_KEPT = 200

log = logging.getLogger(__name__)


class Utilities(Protocol):
    """What the service asks the water, power and gas companies."""

    async def outages(self, utility: Utility, region: RegionCode) -> Outages:
        """Return what is announced for a region and all below it."""
        ...


class _Phase(Payload):
    mode: PhaseMode
    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("a phase ends before it starts")
        return self


class _Area(Payload):
    region: str = Field(pattern=r"^\d{6}$")
    street: Text = ""
    detail: Text = ""


class OutagePayload(Payload):
    """One revision of an interruption, as the companies write it."""

    id: Code = Field(max_length=40)
    revision: Revision = 1
    utility: Utility
    kind: OutageKind
    status: OutageStatus
    phases: tuple[_Phase, ...] = Field(min_length=1, max_length=20)
    areas: tuple[_Area, ...] = Field(min_length=1, max_length=200)
    reason: Text = ""
    announced_at: Instant
    planned_end: Instant
    actual_end: Instant | None = None
    line: Text = ""
    affected: int | None = Field(None, ge=0)
    substitute: Text = ""
    issuer: Text = Field(min_length=1)
    hotline: str = Field(pattern=r"^\d{3,6}$|^0\d{2,3}-?\d{7,8}$")
    supersedes: Code = ""

    def to_domain(self) -> Outage:
        return Outage(
            id=self.id,
            revision=self.revision,
            utility=self.utility,
            kind=self.kind,
            status=self.status,
            phases=tuple(
                Phase(phase.mode, phase.start, phase.end)
                for phase in sorted(self.phases, key=lambda phase: phase.start)
            ),
            areas=tuple(Area(RegionCode(a.region), a.street, a.detail) for a in self.areas),
            reason=self.reason,
            announced_at=self.announced_at,
            planned_end=self.planned_end,
            actual_end=self.actual_end,
            line=self.line,
            affected=self.affected,
            substitute=self.substitute,
            issuer=self.issuer,
            hotline=self.hotline,
            supersedes=self.supersedes,
        )


class _Answer(Frame):
    outages: tuple[OutagePayload, ...] = Field(max_length=1000)


class HttpUtilities:
    """The companies' HTTP interface, with the last good answer at hand for when they are away."""

    def __init__(self, clients: Mapping[Utility, DepartmentClient], clock: Clock) -> None:
        self._clients = clients
        self._clock = clock
        self._kept: dict[tuple[Utility, RegionCode], Outages] = {}

    async def outages(self, utility: Utility, region: RegionCode) -> Outages:
        """Return what is announced; an older answer, marked so, while the company is away."""
        client = self._clients[utility]
        try:
            found = await client.get("/outages", _Answer, utility=utility, region=region)
        except (Refusal, UnderMaintenance):
            raise
        except DepartmentError as error:
            return self._stale(utility, region, error)
        outages = Outages(
            source=found.source(client.department.hotline),
            outages=tuple(o.to_domain() for o in found.outages if o.utility == utility),
        )
        self._keep((utility, region), outages)
        return outages

    def _keep(self, key: tuple[Utility, RegionCode], outages: Outages) -> None:
        self._kept.pop(key, None)
        self._kept[key] = outages
        while len(self._kept) > MAX_KEPT:
            self._kept.pop(next(iter(self._kept)))

    def _stale(self, utility: Utility, region: RegionCode, error: DepartmentError) -> Outages:
        kept = self._kept.get((utility, region))
        if kept is None or kept.source.as_of < self._clock.now() - STALE_FOR:
            raise error
        log.warning("department.stale_answer", extra={"reason": str(error), "region": region})
        return replace(kept, is_stale=True)
