"""Looking for one follower among many (查找关注者), and what an operator may see of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.broadcast import Audience
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.people import Bindings, Consent, PlaceLabel, Subscriber

ItemKind = Literal["openid", "vehicle", "place", "name", "id_number", "imported"]
Purpose = Literal["enquiry", "complaint", "delivery", "correction", "legal"]
HIDDEN = "＊＊＊"
LONGEST_BEGINNING = 8  # characters of an openid by which people are found; longer is the whole one


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Who is looked for; empty fields ask nothing."""

    openid: str = ""  # the beginning of it, or all
    tag: str = ""
    region: RegionCode | None = None
    topic: TopicId | None = None

    @property
    def audience(self) -> Audience:
        """The same but for the openid, as audiences ask it."""
        return Audience(
            topics=(self.topic,) if self.topic else (),
            regions=(self.region,) if self.region else (),
            tags=(self.tag,) if self.tag else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of people; `after` is where the next one begins, None ends the list."""

    people: Sequence[Subscriber]
    after: OpenId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeConsent:
    """What a person said to one template for subscription notices (订阅通知)."""

    template_id: str
    left: int  # one-time consents not used yet
    lasts: bool  # a long-term consent holds
    accepted_at: datetime | None
    ended_at: datetime | None  # the last no


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One personal value, masked; `key` asks for the whole of it."""

    key: str
    kind: ItemKind
    masked: str
    bound_at: datetime | None = None
    label: PlaceLabel | None = None
    region: RegionCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One follower, masked."""

    subscriber: Subscriber
    items: tuple[Item, ...]
    notice_version: str | None  # the privacy notice agreed to with the real name
    agreed_at: datetime | None
    withdrawn: tuple[Consent, ...]
    notice_consents: tuple[NoticeConsent, ...]
    waiting: int  # notices for the next digest


def items_of(openid: OpenId, bindings: Bindings) -> list[tuple[Item, str]]:
    """Return everything personal that is kept of somebody, each beside its plain value."""
    found = [(Item(key="openid", kind="openid", masked=f"{openid[:4]}…"), str(openid))]
    if named := bindings.real_name:
        at = named.consented_at
        name = Item(key="name", kind="name", masked=named.name.masked, bound_at=at)
        number = Item(key="id_number", kind="id_number", masked=named.id_number.masked, bound_at=at)
        found += [(name, named.name.plain), (number, named.id_number.plain)]
    found += [
        (
            Item(key=car.id, kind="vehicle", masked=car.plate.masked, bound_at=car.bound_at),
            car.plate.plain,
        )
        for car in bindings.vehicles
    ]
    found += [
        (
            Item(
                key=place.id,
                kind="place",
                masked=HIDDEN,
                bound_at=place.bound_at,
                label=place.label,
                region=place.region,
            ),
            place.street,
        )
        for place in bindings.places
    ]
    found += [
        (Item(key=item.id, kind="imported", masked=item.value.masked), item.value.plain)
        for item in bindings.imported
    ]
    return found


def object_of(mark: str) -> str:
    """Return how the audit log names a person: by a keyed hash, never by the openid."""
    return f"subscriber:{mark}"


def mark_source(account: AccountId, openid: OpenId) -> str:
    """Return what the keyed hash of a person is taken of."""
    return f"{account}:{openid}"
