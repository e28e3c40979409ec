"""Who is meant (受众): counted, listed in order, checked again just before sending."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from domain.audience import Explanation, sealed
from domain.broadcast import Audience
from domain.errors import InvalidInput
from domain.identifiers import default_plate_type, parse_identity, parse_plate, parse_plate_type
from domain.ids import AccountId, OpenId, TopicId
from domain.people import Subject
from domain.topic import Mode


class AudienceStore(Protocol):
    """What the audiences need from storage."""

    def digest_of(self, subject: Subject) -> str: ...

    async def count(self, account: AccountId, audience: Audience) -> int: ...

    async def explain(self, account: AccountId, audience: Audience) -> Explanation: ...

    async def sample(self, account: AccountId, audience: Audience, size: int) -> list[OpenId]: ...

    async def upper_bound(self, account: AccountId, audience: Audience) -> str | None: ...

    async def page(
        self, account: AccountId, audience: Audience, *, after: str | None, up_to: str, size: int
    ) -> list[str]: ...

    async def still_meant(
        self, account: AccountId, audience: Audience, openids: Sequence[OpenId]
    ) -> set[OpenId]: ...

    async def holders(
        self, account: AccountId, topic: TopicId, subject: Subject
    ) -> list[tuple[OpenId, Mode]]: ...


class Audiences:
    """People who follow, can be reached and are meant; never anybody else."""

    def __init__(self, store: AudienceStore) -> None:
        self._store = store

    def sealed(self, audience: Audience) -> Audience:
        """Return the audience with keyed hashes in the place of plates and identity numbers.

        Everything else here wants it so. What is not a plate or a number stays as it is, for
        the checks to name.
        """
        if audience.rule is None:
            return audience
        return replace(audience, rule=sealed(audience.rule, self._digest_of))

    async def count(self, account: AccountId, audience: Audience) -> int:
        """Return how many people are meant just now; under a second at a million."""
        return await self._store.count(account, audience)

    async def explain(self, account: AccountId, audience: Audience) -> Explanation:
        """Count, and say from which indexes, after examining how much, in which time."""
        return await self._store.explain(account, audience)

    async def sample(self, account: AccountId, audience: Audience, size: int) -> list[OpenId]:
        """Return some of the people meant: neighbours in the index from a random place on.

        Whoever shows them masks them (`domain.masking.mask_openid`).
        """
        return await self._store.sample(account, audience, size)

    async def upper_bound(self, account: AccountId, audience: Audience) -> str | None:
        """Return a cursor beyond which nobody is meant, `None` if nobody is at all.

        A broadcast fixes it when it starts, so that people who come later do not lengthen it.
        """
        return await self._store.upper_bound(account, audience)

    async def page(
        self, account: AccountId, audience: Audience, *, after: str | None, up_to: str, size: int
    ) -> list[tuple[str, OpenId]]:
        """Return the next people as (cursor, openid), each once, in the order of the cursor.

        Start with `after=None`, go on with the last cursor; an empty page is the end, a short
        one is not.
        """
        cursors = await self._store.page(account, audience, after=after, up_to=up_to, size=size)
        start = len(account) + 1  # a cursor is "<account>:<openid>"
        return [(cursor, OpenId(cursor[start:])) for cursor in cursors]

    async def still_meant(
        self, account: AccountId, audience: Audience, openids: Sequence[OpenId]
    ) -> set[OpenId]:
        """Return who of a sub-chunk is still meant: some unfollowed or cancelled meanwhile."""
        return await self._store.still_meant(account, audience, openids)

    def _digest_of(self, subject: Subject) -> str | None:
        try:
            return self._store.digest_of(normalised(subject))
        except InvalidInput:
            return None

    async def holders(
        self, account: AccountId, topic: TopicId, subject: Subject
    ) -> list[tuple[OpenId, Mode]]:
        """Return who bound the thing and follows the topic, and how they want to be told."""
        return await self._store.holders(account, topic, normalised(subject))


def normalised(subject: Subject) -> Subject:
    """Return the subject in the one spelling it is kept under, or raise `InvalidInput`.

    A plate without a type has the type its shape suggests.
    """
    if subject.kind == "person":
        return Subject(kind="person", value=parse_identity(subject.value).plain)
    plate = parse_plate(subject.value)
    kind = parse_plate_type(subject.plate_type) if subject.plate_type else default_plate_type(plate)
    return replace(subject, value=plate.plain, plate_type=kind)
