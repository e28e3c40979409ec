"""The combined keys of a subscriber: one array that answers every audience from one index.

MongoDB cannot index two array fields together, so what audiences ask for stands ready in one:

    *                 everybody
    t:T               follows topic T
    t:T|A             follows topic T for region A or a region below it
    r:A               told us of region A or a region below it
    g:TAG             carries the tag
    s:HASH            bound the thing with this keyed hash
    k:KIND            bound a thing of this kind
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from domain.broadcast import Audience
from domain.ids import RegionCode, TopicId
from domain.people import Subject, Subscriber
from domain.topic import SubjectKind, ancestors
from storage.mongo.fields import FieldCipher

EVERYBODY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a subscriber's bindings add: hashes and kinds of bound things, regions of places."""

    subjects: tuple[str, ...] = ()
    kinds: tuple[SubjectKind, ...] = ()
    regions: tuple[RegionCode, ...] = ()


def subject_hash(fields: FieldCipher, subject: Subject) -> str:
    """Return the keyed hash of a thing; a plate of another type is another thing."""
    return fields.blind(subject.kind, f"{subject.value}|{subject.plate_type or ''}")


def subject_key(digest: str) -> str:
    """Return the key of people who bound the thing with this hash."""
    return f"s:{digest}"


def kind_key(kind: SubjectKind) -> str:
    """Return the key of people who bound a thing of this kind."""
    return f"k:{kind}"


def topic_key(topic: TopicId, region: RegionCode | None = None) -> str:
    """Return the key of people who follow a topic, at all or for a region."""
    return f"t:{topic}|{region}" if region else f"t:{topic}"


def keys_of(subscriber: Subscriber, marks: Marks) -> list[str]:
    """Return every key of a subscriber, each once, always in the same order.

    A subscription without a region counts for all regions the person told us of: whoever
    follows fuel prices and lives in 440305 is meant by fuel prices for 440305.
    """
    regions = {
        *marks.regions,
        *(item.region for item in subscriber.subscriptions if item.region),
        *([subscriber.region] if subscriber.region else []),
    }
    keys = {EVERYBODY, *map(subject_key, marks.subjects), *(f"g:{tag}" for tag in subscriber.tags)}
    keys.update(map(kind_key, marks.kinds))
    keys.update(f"r:{above}" for above in _above(regions))
    for item in subscriber.subscriptions:
        keys.add(topic_key(item.topic))
        keys.update(
            topic_key(item.topic, above)
            for above in _above([item.region] if item.region else regions)
        )
    return sorted(keys)


def conditions(audience: Audience) -> list[list[str]]:
    """Return what must all hold, each a list of keys of which one must be there.

    Topics and regions together mean "follows the topic for a region below".
    """
    regions: list[RegionCode | None] = [region_of(code) for code in audience.regions]
    found: list[list[str]] = []
    if audience.topics:
        places = regions or [None]
        found.append([topic_key(topic, place) for topic in audience.topics for place in places])
    elif regions:
        found.append([f"r:{region}" for region in regions])
    if audience.tags:
        found.append([f"g:{tag}" for tag in audience.tags])
    return [list(dict.fromkeys(keys)) for keys in found] or [[EVERYBODY]]


def region_of(code: RegionCode) -> RegionCode:
    """Return a region in the one spelling it has in a key."""
    return next(ancestors(code))


def _above(regions: Iterable[RegionCode]) -> list[RegionCode]:
    return [above for region in regions for above in _levels(region)]


@lru_cache(maxsize=4096)
def _levels(region: RegionCode) -> tuple[RegionCode, ...]:
    """Return a region and all above it; an import asks the same few a million times."""
    return tuple(ancestors(region))
