"""Changing an account's callback keys from the console (回调密钥轮换, ADR 23).

`tick` runs every few seconds in each process: it tells the inboxes which pairs count, and notes
when WeChat was first seen to use a new one. Pairs that MongoDB cannot give stay as they were.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.wechat.inbox import Inbox
from domain.callback_keys import (
    OVERLAPS,
    Accepted,
    CallbackPair,
    KeptPair,
    Rotation,
    accepted,
    prepare,
)
from domain.clock import Clock
from domain.errors import InvalidInput, NotFound, StateError
from domain.ids import AccountId
from domain.sentence import Sentence
from storage.mongo.callback_keys import MongoCallbackKeys

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """Where an account's change of keys stands; no secret in it."""

    prepared: KeptPair | None
    in_use: KeptPair | None
    is_in_file: bool
    old_until: datetime | None

    @property
    def must_go_to_file(self) -> bool:
        """Whether the settings file still lacks the pair that WeChat uses."""
        return not self.is_in_file


class CallbackKeys:
    """The pairs of all accounts, and the inboxes that believe them."""

    def __init__(
        self, store: MongoCallbackKeys, inboxes: Mapping[AccountId, Inbox], clock: Clock
    ) -> None:
        self._store = store
        self._inboxes = inboxes
        self._clock = clock

    async def tick(self) -> None:
        """Note what WeChat uses, and believe what counts now."""
        rotations = {rotation.account: rotation for rotation in await self._store.all_()}
        now = self._clock.now()
        for account, inbox in self._inboxes.items():
            rotation = rotations.get(account)
            prepared = rotation.prepared if rotation else None
            if prepared is not None and inbox.in_use == prepared.pair.number:
                if await self._store.used(account, prepared.pair.number, now=now):
                    log.info("callback.keys_in_use", extra={"account": account})
                rotation = await self._store.find(account)
            found = accepted(inbox.of_settings, rotation, now, self._store.print_of)
            inbox.accept(found.pairs)

    async def status(self, account: AccountId) -> KeyStatus:
        """Return where the change stands."""
        rotation = await self._store.find(account)
        found = self._accepted(account, rotation)
        pairs = {pair.number for pair in found.pairs}
        prepared = rotation.prepared if rotation else None
        in_use = rotation.in_use if rotation else None
        return KeyStatus(
            prepared=prepared if prepared and prepared.pair.number in pairs else None,
            in_use=in_use if in_use and in_use.pair.number in pairs else None,
            is_in_file=found.is_in_file,
            old_until=found.old_until,
        )

    async def present(self, account: AccountId) -> CallbackPair:
        """Return the pair that WeChat is thought to use."""
        return self._accepted(account, await self._store.find(account)).pairs[0]

    async def prepare(self, account: AccountId, *, overlap: timedelta, by: str) -> CallbackPair:
        """Make a new pair, which every process accepts within seconds, and return it this once.

        A pair that was prepared before and never used is forgotten.
        """
        if overlap not in OVERLAPS:
            raise InvalidInput(Sentence("请从列出的选项中选择。"), field="overlap")
        known = await self._store.find(account)
        rotation = prepare(
            self._inboxes[account].of_settings,
            known,
            account=account,
            by=by,
            overlap=overlap,
            now=self._clock.now(),
            print_of=self._store.print_of,
        )
        if not await self._store.put(rotation, instead_of=known):
            raise StateError(Sentence("另一位管理员刚刚更改了密钥，请刷新页面再看。"))
        await self.tick()
        return rotation.pairs[-1].pair

    async def discard(self, account: AccountId) -> None:
        """Forget the pair that was prepared; one that WeChat uses already cannot be."""
        rotation = await self._store.find(account)
        if rotation is None or rotation.prepared is None:
            raise NotFound(Sentence("没有等待启用的新密钥。"))
        if not await self._store.discard(account, rotation.prepared.pair.number):
            raise StateError(Sentence("微信已经开始使用新密钥，不能放弃。"))
        await self.tick()

    async def end_overlap(self, account: AccountId) -> None:
        """Let the old pair count no longer."""
        rotation = await self._store.find(account)
        if rotation is None or rotation.in_use is None:
            raise NotFound(Sentence("没有正在过渡的旧密钥。"))
        await self._store.end_overlap(account, rotation.in_use.pair.number)
        await self.tick()

    def _accepted(self, account: AccountId, rotation: Rotation | None) -> Accepted:
        of_settings = self._inboxes[account].of_settings
        return accepted(of_settings, rotation, self._clock.now(), self._store.print_of)
