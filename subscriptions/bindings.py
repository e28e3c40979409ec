"""Binding (绑定): a citizen's vehicles, places and real name; one tap takes them back.

Binding needs a reason the citizen sees, and unbinding erases: the values go, and with the last
vehicle (or the real name) go the subscriptions that were about it.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol, get_args

from domain.clock import Clock, in_beijing
from domain.errors import InvalidInput, NotAllowed
from domain.identifiers import (
    age_on,
    birth_date,
    default_plate_type,
    has_known_region,
    parse_digits,
    parse_identity,
    parse_name,
    parse_plate,
    parse_plate_type,
)
from domain.ids import AccountId, OpenId, RegionCode, new_id
from domain.people import Bindings, Consent, Person, Place, PlaceLabel, RealName, Vehicle
from domain.topic import SubjectKind

MAX_VEHICLES = 5
ADULT_ENOUGH = 14  # PIPL 31: below it a guardian consents, which a chat cannot check
REAL_NAME = "real_name"  # the id of the one real-name binding
_REGION = re.compile(r"[0-9]{6}(?:[0-9]{6})?")
_STREET_LENGTH = 40

log = logging.getLogger(__name__)


class BindingStore(Protocol):
    """What binding needs from storage."""

    async def bindings(self, account: AccountId, openid: OpenId) -> Bindings: ...

    async def edit(
        self, account: AccountId, openid: OpenId, change: Callable[[Person], Person]
    ) -> tuple[Person, Person]: ...


class BindingService:
    """Everything a citizen may bind. What does not fit raises `InvalidInput` with a hint."""

    def __init__(self, people: BindingStore, clock: Clock) -> None:
        self._people = people
        self._clock = clock

    async def list_(self, account: AccountId, openid: OpenId) -> Bindings:
        """Return everything bound, in plain for the owner's own use."""
        return await self._people.bindings(account, openid)

    async def bind_vehicle(
        self, account: AccountId, openid: OpenId, plate: str, plate_type: str | None, digits: str
    ) -> Vehicle:
        """Bind a vehicle, or correct the last digits of one bound already."""
        number = parse_plate(plate)
        fresh = Vehicle(
            id=new_id("vh"),
            plate=number,
            plate_type=parse_plate_type(plate_type) if plate_type else default_plate_type(number),
            digits=parse_digits(digits),
            bound_at=self._clock.now(),
        )

        def bind(person: Person) -> Person:
            held = person.bindings.vehicles
            if any(_is_same(item, fresh) for item in held):
                vehicles = tuple(
                    replace(item, digits=fresh.digits) if _is_same(item, fresh) else item
                    for item in held
                )
            elif len(held) >= MAX_VEHICLES:
                raise InvalidInput(
                    f"最多绑定 {MAX_VEHICLES} 辆车，请先回复 我的绑定 解绑不用的车辆。"
                )
            else:
                vehicles = (*held, fresh)
            # the citizen's own binding takes the place of an imported one
            imported = tuple(
                item
                for item in person.bindings.imported
                if (item.value, item.plate_type) != (fresh.plate, fresh.plate_type)
            )
            return _holding(person, replace(person.bindings, vehicles=vehicles, imported=imported))

        _, after = await self._people.edit(account, openid, bind)
        return next(item for item in after.bindings.vehicles if _is_same(item, fresh))

    async def bind_place(
        self,
        account: AccountId,
        openid: OpenId,
        label: PlaceLabel,
        region: RegionCode,
        street: str,
    ) -> Place:
        """Bind a place, never more exact than its street; one per label, the last one counts."""
        if label not in get_args(PlaceLabel):
            raise InvalidInput("地点只能是 家、单位 或 父母家。", field="label")
        if not _REGION.fullmatch(region):
            raise InvalidInput("请写所在的区，例如 福田区。", field="region")
        street = " ".join(street.split())
        if len(street) > _STREET_LENGTH:
            raise InvalidInput("请只写到街道或小区，不超过 40 个字。", field="street")
        fresh = Place(
            id=new_id("pl"), label=label, region=region, street=street, bound_at=self._clock.now()
        )

        def bind(person: Person) -> Person:
            others = (item for item in person.bindings.places if item.label != label)
            return _holding(person, replace(person.bindings, places=(*others, fresh)))

        await self._people.edit(account, openid, bind)
        return fresh

    async def bind_real_name(
        self, account: AccountId, openid: OpenId, name: str, id_number: str, notice_version: str
    ) -> RealName:
        """Bind who the citizen is, after they consented to this version of the notice."""
        now = self._clock.now()
        today = in_beijing(now).date()
        if not notice_version:
            raise InvalidInput("请先阅读个人信息告知，并回复 同意。", field="notice_version")
        number = parse_identity(id_number, today=today)
        if age_on(birth_date(number), today) < ADULT_ENOUGH:
            raise NotAllowed(
                "未满 14 周岁的实名绑定须由监护人同意，请由监护人带户口簿到政务服务大厅办理，"
                "或拨打 12345 咨询。"
            )
        if not has_known_region(number):
            log.info("binding.unknown_region", extra={"account": account})
        fresh = RealName(
            name=parse_name(name),
            id_number=number,
            notice_version=notice_version,
            consented_at=now,
        )

        def bind(person: Person) -> Person:
            imported = tuple(item for item in person.bindings.imported if item.value != number)
            bound = _without_real_name(person.bindings, now)
            return _holding(person, replace(bound, real_name=fresh, imported=imported))

        await self._people.edit(account, openid, bind)
        return fresh

    async def unbind(self, account: AccountId, openid: OpenId, binding_id: str) -> bool:
        """Erase one binding and what hung on it; False if there was none of this id.

        `real_name` is an id too; it takes imported identity numbers with it.
        """

        now = self._clock.now()

        def erase(person: Person) -> Person:
            bound = person.bindings
            if binding_id == REAL_NAME:
                imported = tuple(item for item in bound.imported if item.kind != "person")
                left = replace(_without_real_name(bound, now), imported=imported)
            else:
                left = replace(
                    bound,
                    vehicles=tuple(item for item in bound.vehicles if item.id != binding_id),
                    places=tuple(item for item in bound.places if item.id != binding_id),
                    imported=tuple(item for item in bound.imported if item.id != binding_id),
                )
            return _without_orphans(person, left)

        before, after = await self._people.edit(account, openid, erase)
        return after != before


def _is_same(one: Vehicle, other: Vehicle) -> bool:
    return (one.plate, one.plate_type) == (other.plate, other.plate_type)


def _holding(person: Person, bindings: Bindings) -> Person:
    return replace(person, bindings=bindings)


def _without_real_name(bindings: Bindings, now: datetime) -> Bindings:
    """Take the real name out and note that its consent was withdrawn."""
    named = bindings.real_name
    if named is None:
        return bindings
    proof = Consent(
        notice_version=named.notice_version, given_at=named.consented_at, withdrawn_at=now
    )
    return replace(bindings, real_name=None, consents=(*bindings.consents, proof))


def _without_orphans(person: Person, left: Bindings) -> Person:
    """Drop the subscriptions about a kind of thing of which nothing is bound any more."""
    gone: set[SubjectKind] = {item.kind for item in person.bindings.subjects}
    gone -= {item.kind for item in left.subjects}
    kept = tuple(item for item in person.subscriber.subscriptions if item.subject not in gone)
    return Person(subscriber=replace(person.subscriber, subscriptions=kept), bindings=left)
