"""Citizens as we keep them: who follows, what they bound and what they subscribed to."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.masking import IdentityNumber, PersonName, Plate
from domain.sentence import Sentence
from domain.topic import Mode, SubjectKind

PlaceLabel = Literal["home", "work", "parents"]
PLACE_LABELS: dict[PlaceLabel, str] = {
    "home": Sentence("家"),
    "work": Sentence("单位"),
    "parents": Sentence("父母家"),
}
PlateType = str  # two digits, domain.md 1.5: "02" small car, "52" small new-energy car


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A bound vehicle (车辆). `digits` are the last of the engine number or VIN."""

    id: str
    plate: Plate
    plate_type: PlateType
    digits: str = field(repr=False)
    bound_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place the citizen cares about (地点): never more exact than the street."""

    id: str
    label: PlaceLabel
    region: RegionCode
    street: str
    bound_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RealName:
    """Who the citizen is (实名), with the notice they agreed to (domain.md 10.2)."""

    name: PersonName
    id_number: IdentityNumber
    notice_version: str
    consented_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent (单独同意) that was withdrawn: kept as proof, without what it was about."""

    notice_version: str
    given_at: datetime
    withdrawn_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSubject:
    """What an operator brought along for a citizen (导入), so that notices find them.

    It has no last digits and no consent of its own: it serves notices, never queries.
    """

    id: str
    value: Plate | IdentityNumber
    plate_type: PlateType | None = None

    @property
    def kind(self) -> SubjectKind:
        return "vehicle" if isinstance(self.value, Plate) else "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A thing that notices are about, in its normalised spelling; `value` is personal data."""

    kind: SubjectKind
    value: str = field(repr=False)
    plate_type: PlateType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """Everything one citizen bound (绑定), and what was imported for them."""

    vehicles: tuple[Vehicle, ...] = ()
    places: tuple[Place, ...] = ()
    real_name: RealName | None = None
    imported: tuple[ImportedSubject, ...] = ()
    consents: tuple[Consent, ...] = ()

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Return what notices can be about, for this citizen."""
        own = [
            Subject(kind="vehicle", value=vehicle.plate.plain, plate_type=vehicle.plate_type)
            for vehicle in self.vehicles
        ]
        if self.real_name:
            own.append(Subject(kind="person", value=self.real_name.id_number.plain))
        own += [
            Subject(kind=item.kind, value=item.value.plain, plate_type=item.plate_type)
            for item in self.imported
        ]
        return tuple(dict.fromkeys(own))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One topic a citizen follows, for a region, for a bound thing, or for all of it."""

    topic: TopicId
    region: RegionCode | None = None
    subject: SubjectKind | None = None
    mode: Mode = "immediate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A citizen as a receiver (订阅者)."""

    account: AccountId
    openid: OpenId
    following: bool
    followed_at: datetime | None = None
    active_on: datetime | None = None  # midnight in Beijing before the last sign of life
    region: RegionCode | None = None
    tags: tuple[str, ...] = ()
    large_print: bool = False  # 大字版
    subscriptions: tuple[Subscription, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A citizen with both halves of what we know: how we reach them and what they bound."""

    subscriber: Subscriber
    bindings: Bindings
