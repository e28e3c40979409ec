"""For which account a department is being asked, where the question itself does not say so.

Set while a citizen's message is answered; triggers and other work of our own leave it unset.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from domain.ids import AccountId

_ACCOUNT: ContextVar[AccountId | None] = ContextVar("asking_account", default=None)


@contextmanager
def asking_for(account: AccountId) -> Iterator[None]:
    """Let departments be asked on behalf of this account's citizen while the block lasts."""
    token = _ACCOUNT.set(account)
    try:
        yield
    finally:
        _ACCOUNT.reset(token)


def account_asking() -> AccountId | None:
    """Return the account whose citizen asks, None for work of our own."""
    return _ACCOUNT.get()
