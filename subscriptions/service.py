"""Subscribing (订阅): who follows, which topics they chose, how they want to be told."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from domain.errors import InvalidInput, NotFound
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.masking import mask_openid
from domain.people import Person, Subscriber, Subscription
from domain.topic import Mode

MAX_SUBSCRIPTIONS = 30  # more than all topics; keeps one person's keys few

log = logging.getLogger(__name__)


class PeopleStore(Protocol):
    """What subscribing needs from storage."""

    async def find(self, account: AccountId, openid: OpenId) -> Subscriber | None: ...

    async def is_present(self, account: AccountId, openid: OpenId, at: datetime) -> bool: ...

    async def appeared(
        self, account: AccountId, openid: OpenId, at: datetime, *, followed: bool
    ) -> Subscriber | None: ...

    async def unfollowed(self, account: AccountId, openid: OpenId, at: datetime) -> None: ...

    async def mark_unreachable(self, account: AccountId, openid: OpenId, reason: str) -> None: ...

    async def edit(
        self, account: AccountId, openid: OpenId, change: Callable[[Person], Person]
    ) -> tuple[Person, Person]: ...

    async def forget(self, account: AccountId, openid: OpenId, at: datetime) -> None: ...


class Subscriptions:
    """What a citizen receives. Every method may be repeated without harm."""

    def __init__(self, people: PeopleStore) -> None:
        self._people = people

    async def follow(self, account: AccountId, openid: OpenId, at: datetime) -> bool:
        """Note a follow; True when somebody came back, with everything as they left it.

        An event older than a later unfollow, delivered late, changes nothing.
        """
        before = await self._people.appeared(account, openid, at, followed=True)
        return before is not None and (not before.following or bool(before.subscriptions))

    async def unfollow(self, account: AccountId, openid: OpenId, at: datetime) -> None:
        """Suppress a person: nothing is sent, nothing is lost."""
        await self._people.unfollowed(account, openid, at)

    async def heard_from(self, account: AccountId, openid: OpenId, at: datetime) -> None:
        """Note that somebody wrote or tapped: they follow and can be reached.

        Costs one indexed read as long as that is known already, and a write once a day.
        """
        if not await self._people.is_present(account, openid, at):
            await self._people.appeared(account, openid, at, followed=False)

    async def find(self, account: AccountId, openid: OpenId) -> Subscriber | None:
        """Return a subscriber, or `None` for somebody who never followed or wrote."""
        return await self._people.find(account, openid)

    async def subscribe(
        self, account: AccountId, openid: OpenId, subscription: Subscription
    ) -> bool:
        """Add a subscription; False if they already have it, in whatever mode."""

        def add(person: Person) -> Person:
            held = person.subscriber.subscriptions
            if any(_is_same(item, subscription) for item in held):
                return person
            if len(held) >= MAX_SUBSCRIPTIONS:
                raise InvalidInput(
                    f"最多可以订阅 {MAX_SUBSCRIPTIONS} 项，请先回复 我的订阅 退订不需要的。"
                )
            return _with(person, (*held, subscription))

        before, after = await self._people.edit(account, openid, add)
        return after != before

    async def unsubscribe(
        self,
        account: AccountId,
        openid: OpenId,
        topic: TopicId,
        region: RegionCode | None = None,
    ) -> bool:
        """Cancel one topic in one region, or without a region the whole topic."""

        def drop(person: Person) -> Person:
            return _with(
                person,
                tuple(
                    item
                    for item in person.subscriber.subscriptions
                    if item.topic != topic or (region is not None and item.region != region)
                ),
            )

        before, after = await self._people.edit(account, openid, drop)
        return after != before

    async def unsubscribe_all(self, account: AccountId, openid: OpenId) -> int:
        """Cancel everything and return how many subscriptions there were."""
        before, _ = await self._people.edit(account, openid, lambda person: _with(person, ()))
        return len(before.subscriber.subscriptions)

    async def set_mode(
        self,
        account: AccountId,
        openid: OpenId,
        topic: TopicId,
        region: RegionCode | None,
        mode: Mode,
    ) -> None:
        """Choose between at once and a digest (汇总) for one subscription."""

        def switch(person: Person) -> Person:
            held = person.subscriber.subscriptions
            if not any(item.topic == topic and item.region == region for item in held):
                raise NotFound("没有找到这项订阅，请回复 我的订阅 查看。")
            return _with(
                person,
                tuple(
                    replace(item, mode=mode)
                    if item.topic == topic and item.region == region
                    else item
                    for item in held
                ),
            )

        await self._people.edit(account, openid, switch)

    async def set_large_print(self, account: AccountId, openid: OpenId, on: bool) -> None:
        """Remember that a citizen prefers 大字版."""
        await self._people.edit(
            account,
            openid,
            lambda person: replace(person, subscriber=replace(person.subscriber, large_print=on)),
        )

    async def mark_unreachable(self, account: AccountId, openid: OpenId, reason: str) -> None:
        """Leave out somebody the platform cannot reach, until they follow or write again."""
        await self._people.mark_unreachable(account, openid, reason)
        log.info(
            "subscriber.unreachable",
            extra={"account": account, "openid": mask_openid(openid), "reason": reason[:80]},
        )

    async def forget(self, account: AccountId, openid: OpenId, at: datetime) -> None:
        """Erase everything we know of a person (个人信息删除); repeating it does no harm.

        What was sent to them stays as a record under a pseudonym (`push.retention`).
        """
        await self._people.forget(account, openid, at)
        log.info("subscriber.erased", extra={"account": account, "openid": mask_openid(openid)})


def _is_same(one: Subscription, other: Subscription) -> bool:
    return (one.topic, one.region, one.subject) == (other.topic, other.region, other.subject)


def _with(person: Person, subscriptions: tuple[Subscription, ...]) -> Person:
    if subscriptions == person.subscriber.subscriptions:
        return person
    return replace(person, subscriber=replace(person.subscriber, subscriptions=subscriptions))
