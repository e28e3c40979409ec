"""Errors put in on purpose: what WeChat does on bad days."""

import random
from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal[
    "errcode",  # answer this errcode and do nothing
    "html502",  # an HTML page from a proxy, nothing done
    "cut_before",  # the connection breaks, nothing done
    "cut_after",  # everything is done, then the connection breaks
    "late",  # everything is done, the answer comes after `delay` seconds
    "slow",  # first `delay` seconds, then done and answered
    "empty",  # HTTP 200 with an empty body, nothing done
]
KINDS: tuple[str, ...] = get_args(FaultKind)


@dataclass(slots=True, kw_only=True)
class Fault:
    """One rule: where, what, and how often (the `next` N calls, or with a `probability`)."""

    kind: FaultKind
    path: str = ""  # a prefix of the API path; empty means every call
    account: str = ""  # empty means every account
    openid: str = ""  # empty means every recipient
    errcode: int = -1
    detail: str = ""
    delay: float = 0.0
    left: int | None = None  # None: no end
    skip: int = 0  # let this many matching calls through first
    probability: float = 1.0
    hits: int = 0


class Faults:
    """The rules in force, the first that matches wins."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._rules: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._rules)

    @property
    def rules(self) -> tuple[Fault, ...]:
        return tuple(self._rules)

    def add(self, fault: Fault) -> None:
        """Put a rule behind those there are."""
        self._rules.append(fault)

    def clear(self, path: str | None = None) -> None:
        """Remove all rules, or those of one path."""
        self._rules = [rule for rule in self._rules if path is not None and rule.path != path]

    def pick(self, path: str, account: str, body: bytes) -> Fault | None:
        """Return the fault that befalls this call, and count it."""
        for rule in self._rules:
            if not path.startswith(rule.path) or rule.account not in ("", account):
                continue
            if rule.openid and rule.openid.encode() not in body:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.left == 0 or self._chance.random() >= rule.probability:
                continue
            if rule.left is not None:
                rule.left -= 1
            rule.hits += 1
            return rule
        return None
