"""Between documents and domain objects of people; personal values are encrypted here.

`Papers` reads and writes the content of one `bindings` document.
"""

from typing import Any

from domain.ids import RegionCode
from domain.masking import IdentityNumber, PersonName, Plate
from domain.people import (
    Bindings,
    Consent,
    ImportedSubject,
    Place,
    RealName,
    Subject,
    Subscriber,
    Subscription,
    Vehicle,
)
from domain.topic import parse_mode
from storage.mongo.faces import face_of
from storage.mongo.fields import FieldCipher
from storage.mongo.keys import Marks, keys_of, subject_hash

Document = dict[str, Any]


def subscriber_from(document: Document) -> Subscriber:
    """Read a subscriber; what an older version did not write has its default."""
    return Subscriber(
        account=document["account"],
        openid=document["openid"],
        following=document.get("following", False),
        followed_at=document.get("followed_at"),
        region=document.get("region"),
        tags=tuple(document.get("tags", ())),
        active_on=document.get("active_on"),
        large_print=document.get("large_print", False),
        subscriptions=tuple(
            Subscription(
                topic=item["topic"],
                region=item.get("region"),
                subject=item.get("subject"),
                mode=parse_mode(item.get("mode")),
            )
            for item in document.get("subscriptions", ())
        ),
    )


def subscriber_fields(subscriber: Subscriber, marks: Marks) -> Document:
    """Return what a change of a subscriber writes; following and reachable go their own way."""
    return {
        "region": subscriber.region,
        "tags": list(subscriber.tags),
        "large_print": subscriber.large_print,
        "subscriptions": [
            {
                key: value
                for key, value in (
                    ("topic", item.topic),
                    ("region", item.region),
                    ("subject", item.subject),
                    ("mode", item.mode),
                )
                if value is not None
            }
            for item in subscriber.subscriptions
        ],
        "subjects": list(marks.subjects),
        "subject_kinds": list(marks.kinds),
        "place_regions": list(marks.regions),
        "keys": keys_of(subscriber, marks),
        "face": face_of(subscriber, marks.regions, marks.kinds),
    }


def marks_from(document: Document) -> Marks:
    """Read the marks a subscriber document carries from its bindings."""
    return Marks(
        subjects=tuple(document.get("subjects", ())),
        kinds=tuple(document.get("subject_kinds", ())),
        regions=tuple(RegionCode(code) for code in document.get("place_regions", ())),
    )


class Papers:
    """Reads and writes what stands in `bindings`."""

    def __init__(self, fields: FieldCipher) -> None:
        self._fields = fields

    async def read(self, document: Document | None) -> Bindings:
        """Decrypt everything a citizen bound."""
        if document is None:
            return Bindings()
        plain = self._fields.decrypt
        named = document.get("real_name")
        return Bindings(
            vehicles=tuple(
                [
                    Vehicle(
                        id=item["id"],
                        plate=Plate(await plain(item["plate"])),
                        plate_type=item["plate_type"],
                        digits=await plain(item["digits"]),
                        bound_at=item["bound_at"],
                    )
                    for item in document.get("vehicles", ())
                ]
            ),
            places=tuple(
                [
                    Place(
                        id=item["id"],
                        label=item["label"],
                        region=item["region"],
                        street=await plain(item["street"]),
                        bound_at=item["bound_at"],
                    )
                    for item in document.get("places", ())
                ]
            ),
            real_name=RealName(
                name=PersonName(await plain(named["name"])),
                id_number=IdentityNumber(await plain(named["id_number"])),
                notice_version=named["notice_version"],
                consented_at=named["consented_at"],
            )
            if named
            else None,
            imported=tuple([await self._imported(item) for item in document.get("imported", ())]),
            consents=tuple(
                Consent(
                    notice_version=item["notice_version"],
                    given_at=item["given_at"],
                    withdrawn_at=item["withdrawn_at"],
                )
                for item in document.get("consents", ())
            ),
        )

    async def write(self, bindings: Bindings) -> Document:
        """Return the fields of the document for these bindings; values left out are erased."""
        secret = self._fields.encrypt
        return {
            "vehicles": [
                {
                    "id": item.id,
                    "plate": await secret(item.plate.plain),
                    "plate_type": item.plate_type,
                    "digits": await secret(item.digits),
                    "bound_at": item.bound_at,
                }
                for item in bindings.vehicles
            ],
            "places": [
                {
                    "id": item.id,
                    "label": item.label,
                    "region": item.region,
                    "street": await secret(item.street),
                    "bound_at": item.bound_at,
                }
                for item in bindings.places
            ],
            "real_name": await self._real_name(bindings.real_name),
            "imported": [
                await self.imported(
                    item.id,
                    Subject(kind=item.kind, value=item.value.plain, plate_type=item.plate_type),
                )
                for item in bindings.imported
            ],
            "consents": [
                {
                    "notice_version": item.notice_version,
                    "given_at": item.given_at,
                    "withdrawn_at": item.withdrawn_at,
                }
                for item in bindings.consents
            ],
        }

    async def imported(self, item_id: str, subject: Subject) -> Document:
        """Return the array element of an imported subject."""
        return {
            "id": item_id,
            "kind": subject.kind,
            "value": await self._fields.encrypt(subject.value),
            "plate_type": subject.plate_type,
            "subject": subject_hash(self._fields, subject),
        }

    async def _imported(self, item: Document) -> ImportedSubject:
        value = await self._fields.decrypt(item["value"])
        return ImportedSubject(
            id=item["id"],
            value=Plate(value) if item["kind"] == "vehicle" else IdentityNumber(value),
            plate_type=item.get("plate_type"),
        )

    async def _real_name(self, named: RealName | None) -> Document | None:
        if named is None:
            return None
        return {
            "name": await self._fields.encrypt(named.name.plain),
            "id_number": await self._fields.encrypt(named.id_number.plain),
            "notice_version": named.notice_version,
            "consented_at": named.consented_at,
        }
