"""The audit chain (审计链): who did what, from where, to which object, and what came of it.

Every entry carries the hash of the one before it and an HMAC-SHA256 over everything in it, under
a key that the database does not hold. Whoever changes, adds or removes an entry without the key
breaks the chain at that place, and `follow` finds it.

    intended → done | refused | failed      of an act that must leave a trace even when we die
    done | refused | failed                 alone: everything else

An entry never holds a personal value: values are masked, and what still looks like an identity
number, a mobile number or an openid is masked once more.
"""

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from domain.errors import ServiceError
from domain.masking import IdentityNumber, Masked, Mobile, mask_openid
from domain.sentence import Sentence

Outcome = Literal["intended", "done", "refused", "failed"]
OUTCOMES: dict[Outcome, str] = {
    "intended": Sentence("已开始"),
    "done": Sentence("已完成"),
    "refused": Sentence("被拒绝"),
    "failed": Sentence("失败"),
}
GENESIS = "0" * 64  # what the first entry follows
FORMAT = 1
LONGEST = 300  # characters of one value
MOST_FIELDS = 40

_IDENTITY = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)")
_MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_OPENID = re.compile(r"(?<![\w-])o[\w-]{27}(?![\w-])", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class AuditUnavailable(ServiceError):
    """The entry could not be written, so what needs it was not done."""

    code = "audit_unavailable"
    status = 503
    say = Sentence("审计记录暂时无法写入，操作没有进行，请稍后再试。")


class Named(Protocol):
    """Whoever acts: an operator, a key, somebody at the command line."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts and is no operator of the console."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One link. `before` and `after` are canonical JSON, empty when there is nothing to say."""

    seq: int  # from 1, without gaps
    at: datetime  # to the millisecond, never before the entry it follows
    actor: str
    actor_name: str
    remote: str
    action: str  # "broadcast.approve"
    object: str  # "broadcast:bc_…", never a whole openid
    account: str  # empty: of no account
    before: str
    after: str
    outcome: Outcome
    intent: int  # the `intended` entry whose outcome this is, 0: none
    previous: str
    hash: str

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        """Return (field, before, after) of every field named, for people."""
        old, new = _values(self.before), _values(self.after)
        names = dict.fromkeys([*old, *new])
        return [(name, _text(old.get(name)), _text(new.get(name))) for name in names]

    def follows(self, previous: str, key: bytes) -> bool:
        """Whether it is the untouched successor of the entry with this hash."""
        return self.previous == previous and hmac.compare_digest(self.hash, link(key, self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to become an entry."""

    actor: str
    actor_name: str
    remote: str
    action: str
    object: str
    account: str
    before: str
    after: str
    outcome: Outcome
    intent: int = 0

    def sealed(self, key: bytes, *, seq: int, at: datetime, previous: str) -> Entry:
        """Return the entry at this place of the chain."""
        bare = Entry(**asdict(self), seq=seq, at=at, previous=previous, hash="")
        return Entry(**{**asdict(bare), "hash": link(key, bare)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries are looked for; empty fields ask nothing."""

    who: str = ""  # id or name
    action: str = ""
    object: str = ""
    account: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A signed place of the chain: its end (`head`), or where what was cut off ended."""

    name: Literal["head", "checkpoint"]
    seq: int
    hash: str
    signature: str = ""

    def signed(self, key: bytes) -> "Anchor":
        """Return it with its signature."""
        return Anchor(name=self.name, seq=self.seq, hash=self.hash, signature=self._sign(key))

    def is_genuine(self, key: bytes) -> bool:
        """Whether we signed it."""
        return hmac.compare_digest(self.signature, self._sign(key))

    def _sign(self, key: bytes) -> str:
        content = _canonical([FORMAT, self.name, self.seq, self.hash])
        return hmac.new(key, content.encode(), "sha256").hexdigest()


def link(key: bytes, entry: Entry) -> str:
    """Return the HMAC over everything an entry says, in a fixed order and spelling."""
    content = _canonical(
        [
            FORMAT,
            entry.seq,
            milliseconds(entry.at),
            entry.actor,
            entry.actor_name,
            entry.remote,
            entry.action,
            entry.object,
            entry.account,
            entry.before,
            entry.after,
            entry.outcome,
            entry.intent,
            entry.previous,
        ]
    )
    return hmac.new(key, content.encode(), "sha256").hexdigest()


def milliseconds(moment: datetime) -> int:
    """Return the milliseconds since 1970, which is as exact as the database keeps a time."""
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 + 0.5)


def draft(
    who: Named,
    action: str,
    object_: str,
    *,
    account: str | None = None,
    remote: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    outcome: Outcome = "done",
    intent: int = 0,
) -> Draft:
    """Return what is to be written, cleaned: short, masked, and nothing a page could stumble on."""
    return Draft(
        actor=clean(who.id),
        actor_name=clean(who.name),
        remote=clean(remote),
        action=clean(action),
        object=clean(object_),
        account=clean(account or ""),
        before=_masked(before),
        after=_masked(after),
        outcome=outcome,
        intent=intent,
    )


def clean(text: str) -> str:
    """Return a text as it may be kept: masked, without control marks, of bounded length."""
    text = text[: 4 * LONGEST].encode("utf-8", "replace").decode()
    text = _CONTROL.sub(" ", text)
    text = _IDENTITY.sub(lambda found: IdentityNumber(found[0]).masked, text)
    text = _MOBILE.sub(lambda found: Mobile(found[0]).masked, text)
    text = _OPENID.sub(lambda found: mask_openid(found[0]), text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _masked(values: Mapping[str, Any] | None) -> str:
    if not values:
        return ""
    kept = {clean(str(name)): _plain(value) for name, value in list(values.items())[:MOST_FIELDS]}
    if len(values) > MOST_FIELDS:
        kept["…"] = len(values) - MOST_FIELDS
    return _canonical(kept)


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value."""
    match value:
        case None | bool() | int():
            return value
        case Masked():
            return value.masked
        case datetime():
            return value.isoformat()
        case set() | frozenset():
            return clean("、".join(sorted(map(str, value))))
        case list() | tuple():
            return clean("、".join(map(str, value)))
        case Mapping():
            return clean("，".join(f"{name}：{item}" for name, item in value.items()))
    return clean(str(value))


def _canonical(content: Any) -> str:
    return json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _values(text: str) -> Mapping[str, Any]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:  # somebody changed it: shown as it is
        return {"": text}
    return found if isinstance(found, dict) else {"": text}


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case True:
            return Sentence("是")
        case False:
            return Sentence("否")
    return str(value)
