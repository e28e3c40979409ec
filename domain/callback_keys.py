"""Changing the callback's token and EncodingAESKey without losing a message (回调密钥轮换).

WeChat goes on with the old pair until somebody saves the new one in its console, and then begins
with the new pair at once. So for a while both are accepted:

    prepared ─ the new pair is accepted beside the old one
    in use   ─ a request proved that WeChat has it; the old pair counts until the overlap ends
    over     ─ only the new pair counts

The settings file stays the home of the pair. What is kept here bridges the time until the new pair
stands in the file too; a file that holds a pair nobody prepared here is newer, and wins.
"""

import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from domain.ids import AccountId

_LETTERS = string.ascii_letters + string.digits
TOKEN_LENGTH = 32  # the longest that WeChat takes
AES_KEY_LENGTH = 43
OVERLAPS: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=24), timedelta(hours=72))
MOST_KNOWN = 20
OF_SETTINGS = 0  # the number of the pair in the settings file

Print = Callable[[str], str]  # a keyed hash, by which a secret is recognised and not known


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackPair:
    """A token, and the EncodingAESKeys under it: the present one first. Never shown, never logged.

    `number` is `OF_SETTINGS` or counts the pairs made for the account.
    """

    token: str = field(repr=False)
    aes_keys: tuple[str, ...] = field(default=(), repr=False)
    number: int = OF_SETTINGS

    @classmethod
    def new(cls, number: int) -> "CallbackPair":
        """Make a pair that nobody can guess."""
        return cls(token=_random(TOKEN_LENGTH), aes_keys=(_random(AES_KEY_LENGTH),), number=number)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPair:
    """A pair made here, with what became of it."""

    pair: CallbackPair
    made_at: datetime
    by: str
    overlap: timedelta  # how long the pair before it counts, once this one is in use
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The pairs made for one account, oldest first: one replaced, one in use, one prepared.

    `known` are the prints of tokens that came before all of them: a settings file that holds one
    of these is old, any other is newer than what was made here.
    """

    account: AccountId
    known: tuple[str, ...]
    pairs: tuple[KeptPair, ...] = ()

    @property
    def prepared(self) -> KeptPair | None:
        """The pair that WeChat has not used yet."""
        return next((kept for kept in reversed(self.pairs) if kept.used_at is None), None)

    @property
    def in_use(self) -> KeptPair | None:
        """The newest pair that WeChat has used."""
        return next((kept for kept in reversed(self.pairs) if kept.used_at is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What the callback believes: `pairs[0]` is what WeChat is thought to use."""

    pairs: tuple[CallbackPair, ...]
    is_in_file: bool  # the settings file holds the pair in use
    old_until: datetime | None = None  # until when the pair before counts


def accepted(
    of_settings: CallbackPair, rotation: Rotation | None, now: datetime, print_of: Print
) -> Accepted:
    """Return the pairs that count now; the settings' own alone when nothing was made for it."""
    kept = _after_settings(of_settings, rotation, print_of)
    line = [of_settings, *(each.pair for each in kept)]
    newest = next((each for each in reversed(kept) if each.used_at is not None), None)
    if newest is None or newest.used_at is None:
        # the file holds the newest pair in use; what it replaced may still be on its way
        old, until = _before_settings(of_settings, rotation, now)
        return Accepted(pairs=(*line, *old), is_in_file=True, old_until=until)
    place = line.index(newest.pair)
    until = newest.used_at + newest.overlap
    old = [line[place - 1]] if now < until else []
    pairs = (newest.pair, *line[place + 1 :], *old)
    return Accepted(pairs=pairs, is_in_file=False, old_until=until if old else None)


def prepare(
    of_settings: CallbackPair,
    rotation: Rotation | None,
    *,
    account: AccountId,
    by: str,
    overlap: timedelta,
    now: datetime,
    print_of: Print,
) -> Rotation:
    """Return the rotation with a fresh pair; one that was prepared before is forgotten."""
    used = [kept for kept in rotation.pairs if kept.used_at is not None] if rotation else []
    fresh = KeptPair(
        pair=CallbackPair.new(int(now.timestamp())), made_at=now, by=by, overlap=overlap
    )
    known = [*(rotation.known if rotation else ()), print_of(of_settings.token)]
    known += [print_of(kept.pair.token) for kept in used[:-2]]
    known = [token for token in known if token not in {print_of(k.pair.token) for k in used[-2:]}]
    return Rotation(
        account=account,
        known=tuple(dict.fromkeys(known))[-MOST_KNOWN:],
        pairs=(*used[-2:], fresh),
    )


def _after_settings(
    of_settings: CallbackPair, rotation: Rotation | None, print_of: Print
) -> Sequence[KeptPair]:
    """Return the pairs made after the one in the settings; none if the file is newer than all."""
    if rotation is None:
        return ()
    tokens = [kept.pair.token for kept in rotation.pairs]
    if of_settings.token in tokens:
        return rotation.pairs[tokens.index(of_settings.token) + 1 :]
    return rotation.pairs if print_of(of_settings.token) in rotation.known else ()


def _before_settings(
    of_settings: CallbackPair, rotation: Rotation | None, now: datetime
) -> tuple[list[CallbackPair], datetime | None]:
    """Return the pair that the settings' one replaced, while its overlap lasts."""
    pairs = rotation.pairs if rotation else ()
    for before, kept in pairwise(pairs):
        if kept.pair.token == of_settings.token and kept.used_at is not None:
            until = kept.used_at + kept.overlap
            if now < until:
                return [before.pair], until
    return [], None


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
