"""Personal values whose text is already masked (脱敏, domain.md 1.8), so no log can leak them.

`str()`, `repr()` and formatting give the masked form; `.plain` gives the value and is meant to
be read only where it is encrypted, sent to the owning department, or compared.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, repr=False)
class Masked(ABC):
    """A value that only shows itself when asked by name."""

    plain: str = field(repr=False)

    @property
    @abstractmethod
    def masked(self) -> str:
        """Return the form people may see."""

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.masked})"

    def __format__(self, spec: str) -> str:
        return format(self.masked, spec)


class PersonName(Masked):
    """张三 → 张*. Keeps the first character."""

    __slots__ = ()

    @property
    def masked(self) -> str:
        return self.plain[:1] + "*" * max(1, len(self.plain) - 1)


class IdentityNumber(Masked):
    """Keeps one character at each end; never the birth date."""

    __slots__ = ()

    @property
    def masked(self) -> str:
        return self.plain[:1] + "*" * max(0, len(self.plain) - 2) + self.plain[-1:]


class Mobile(Masked):
    """138****5678."""

    __slots__ = ()

    @property
    def masked(self) -> str:
        return self.plain[:3] + "****" + self.plain[-4:]


class Plate(Masked):
    """苏A12345 → 苏A****5."""

    __slots__ = ()

    @property
    def masked(self) -> str:
        return self.plain[:2] + "*" * max(1, len(self.plain) - 3) + self.plain[-1:]


class AccountNumber(Masked):
    """Bank, fund and card accounts: the last four only."""

    __slots__ = ()

    @property
    def masked(self) -> str:
        return "*" * max(0, len(self.plain) - 4) + self.plain[-4:]


def mask_openid(openid: str) -> str:
    """Return the first four characters: an openid is personal information in a log."""
    return f"{openid[:4]}…"
