"""Followers as operators see them (关注者): found, shown masked, and unmasked only for a purpose.

Addresses and logs hold no openid: a page of one person has a sealed reference, and so has every
search and the place where its next page begins. They open for the account they were made for.

Looking at a person leaves an entry in the audit chain, masked or not; without the entry nothing is
shown. An unmasked value is shown once: it is in the answer to the form that gave the purpose and
nowhere else.
"""

import base64
import binascii
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Protocol, get_args

from domain.audit import Named
from domain.errors import InvalidInput, NotFound, TooOften
from domain.ids import AccountId, OpenId
from domain.looking import (
    Card,
    Found,
    Item,
    NoticeConsent,
    Purpose,
    Sought,
    items_of,
    mark_source,
    object_of,
)
from domain.masking import mask_openid
from domain.people import Bindings, Subscriber
from domain.sentence import Sentence
from push.audit import Audit, note_access
from push.history import History

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
SHORTEST, LONGEST = 4, 100  # characters of a purpose
MOST_LOOKS = 20  # unmasked values of one operator
LOOKS_WITHIN = timedelta(minutes=10)
PAGE = 30


class Seals(Protocol):
    """Authenticated encryption of small values (`storage.redis.sealing`)."""

    def seal(self, content: bytes, place: bytes = b"") -> bytes: ...

    def unseal(self, sealed: bytes, place: bytes = b"") -> bytes | None: ...


class Directory(Protocol):
    """Where followers are looked for."""

    async def page(
        self, account: AccountId, sought: Sought, *, after: OpenId | None, limit: int
    ) -> Found: ...


class People(Protocol):
    """Where one follower is found."""

    async def find(self, account: AccountId, openid: OpenId) -> Subscriber | None: ...

    async def bindings(self, account: AccountId, openid: OpenId) -> Bindings: ...


class NoticeConsents(Protocol):
    """What followers said to subscription notices."""

    async def list_(self, account: AccountId, openid: OpenId) -> list[NoticeConsent]: ...


class Blinds(Protocol):
    """Keyed hashes of what is personal."""

    def blind(self, kind: str, value: str) -> str: ...


class Counts(Protocol):
    """So many times in so long."""

    async def take(self, act: str, whose: str, *, most: int, within: timedelta) -> bool: ...


class Followers:
    """Looks for followers and shows them (runtime: `ctx.followers`)."""

    def __init__(
        self,
        directory: Directory,
        people: People,
        consents: NoticeConsents,
        history: History,
        blinds: Blinds,
        seals: Seals,
        counts: Counts,
        audit: Audit,
    ) -> None:
        self._directory = directory
        self._people = people
        self._consents = consents
        self._history = history
        self._blinds = blinds
        self._seals = seals
        self._counts = counts
        self._audit = audit

    # --- looking for ----------------------------------------------------------------------

    async def page(
        self, account: AccountId, sought: Sought, *, after: OpenId | None = None, limit: int = PAGE
    ) -> Found:
        """Return the next people in the order of openids; an empty page may have a next one."""
        return await self._directory.page(account, sought, after=after, limit=limit)

    def search(self, account: AccountId, sought: Sought, after: OpenId | None = None) -> str:
        """Return a search, and where it stands, as an address may hold it."""
        content = json.dumps({**asdict(sought), "after": after}).encode()
        return _pack(self._seals.seal(content, _searches(account)))

    def search_of(self, account: AccountId, token: str) -> tuple[Sought, OpenId | None]:
        """Read what `search` gave; `NotFound` for anything else."""
        content = self._open(token, _searches(account))
        found = json.loads(content)
        after = found.pop("after")
        return Sought(**found), OpenId(after) if after else None

    def reference(self, account: AccountId, openid: OpenId) -> str:
        """Return what stands for a person in an address."""
        return _pack(self._seals.seal(openid.encode(), _references(account)))

    def openid_of(self, account: AccountId, reference: str) -> OpenId:
        """Read what `reference` gave; `NotFound` for anything else."""
        return OpenId(self._open(reference, _references(account)).decode())

    def audit_object(self, account: AccountId, openid: OpenId) -> str:
        """Return under which name the audit log speaks of a person."""
        return object_of(self._blinds.blind("audit", mark_source(account, openid)))

    # --- looking at -----------------------------------------------------------------------

    async def card(
        self, who: Named, account: AccountId, openid: OpenId, *, remote: str = ""
    ) -> Card:
        """Return one follower, masked; the look is in the audit chain before."""
        subscriber = await self._find(account, openid)
        note_access(
            actor=who.id,
            account=account,
            what=f"follower {mask_openid(openid)}",
            purpose="masked",
            unmasked=False,
        )
        await self._audit.record(
            who,
            "subscriber.view",
            self.audit_object(account, openid),
            account=account,
            remote=remote,
            after={"openid": mask_openid(openid)},
        )
        bindings = await self._people.bindings(account, openid)
        named = bindings.real_name
        return Card(
            subscriber=subscriber,
            items=tuple(item for item, _ in items_of(openid, bindings)),
            notice_version=named.notice_version if named else None,
            agreed_at=named.consented_at if named else None,
            withdrawn=bindings.consents,
            notice_consents=tuple(await self._consents.list_(account, openid)),
            waiting=await self._history.waiting(account, openid),
        )

    async def reveal(
        self,
        who: Named,
        account: AccountId,
        openid: OpenId,
        key: str,
        *,
        kind: str,
        purpose: str,
        remote: str = "",
    ) -> tuple[Item, str]:
        """Return one value whole. The audit entry is written first: no entry, no value.

        `InvalidInput` names the field to put right, `TooOften` comes after twenty values in ten
        minutes; both leave everything masked.
        """
        purpose = _checked(kind, purpose)
        subscriber = await self._find(account, openid)
        if not await self._counts.take("unmask", who.id, most=MOST_LOOKS, within=LOOKS_WITHIN):
            await self._audit.record(
                who,
                "subscriber.unmask",
                self.audit_object(account, openid),
                account=account,
                remote=remote,
                after={"item": key, "reason": "too often"},
                outcome="refused",
            )
            raise TooOften(Sentence("查看明文太频繁：10 分钟内最多 20 次。请稍后再试。"))
        asked = {
            "openid": mask_openid(openid),
            "item": key,
            "purpose_kind": kind,
            "purpose": purpose,
        }
        async with self._audit.around(
            who,
            "subscriber.unmask",
            self.audit_object(account, openid),
            account=account,
            remote=remote,
            before=asked,
        ) as act:
            bindings = await self._people.bindings(account, subscriber.openid)
            item, plain = _chosen(items_of(openid, bindings), key)
            act.after["shown"] = item.masked
        note_access(
            actor=who.id,
            account=account,
            what=f"{item.kind} of follower {mask_openid(openid)}",
            purpose=f"{kind}: {purpose}",
            unmasked=True,
        )
        return item, plain

    # --- inside ---------------------------------------------------------------------------

    async def _find(self, account: AccountId, openid: OpenId) -> Subscriber:
        found = await self._people.find(account, openid)
        if found is None:
            raise NotFound(Sentence("没有找到这位关注者，可能已经注销。"))
        return found

    def _open(self, token: str, place: bytes) -> bytes:
        try:
            sealed = base64.b64decode(
                token + "=" * (-len(token) % 4), altchars=b"-_", validate=True
            )
        except (binascii.Error, ValueError) as error:
            raise NotFound(Sentence("链接不完整，请从列表重新打开。")) from error
        content = self._seals.unseal(sealed, place)
        if content is None:
            raise NotFound(Sentence("链接不完整，请从列表重新打开。"))
        return content


def _chosen(items: Sequence[tuple[Item, str]], key: str) -> tuple[Item, str]:
    for item, plain in items:
        if item.key == key:
            return item, plain
    raise NotFound(Sentence("这一项已经解绑或删除，请刷新页面。"))


def _checked(kind: str, purpose: str) -> str:
    """Return the purpose as it is kept, or name the field that needs another look."""
    if kind not in PURPOSES:
        raise InvalidInput(Sentence("请选择用途类别。"), field="purpose_kind")
    purpose = " ".join(unicodedata.normalize("NFKC", purpose).split())
    if not SHORTEST <= len(purpose) <= LONGEST:
        raise InvalidInput(
            Sentence(
                "请写明用途，{shortest} 到 {longest} 个字，例如：市民来电核对停水通知。",
                shortest=SHORTEST,
                longest=LONGEST,
            ),
            field="purpose",
        )
    return purpose


def _pack(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _searches(account: AccountId) -> bytes:
    return f"console:followers:{account}".encode()


def _references(account: AccountId) -> bytes:
    return f"console:follower:{account}".encode()
