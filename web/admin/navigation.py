"""The console's navigation (导航): what this operator may open here, and the other accounts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.ids import AccountId
from domain.rights import rights_of

if TYPE_CHECKING:
    from web.admin.base import AdminPage
    from web.admin.table import ConsoleRoute


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A link; `is_here` marks the page, or the part of the console, one is in."""

    label: str
    address: str
    is_here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """What stands beside every page: the account's pages, the installation's, the accounts."""

    account: str
    of_account: tuple[Entry, ...] = ()
    of_all: tuple[Entry, ...] = ()
    accounts: tuple[Entry, ...] = ()


def navigation(page: "AdminPage") -> Navigation:
    """Return the links for whoever looks; nobody has none."""
    operator = page.visitor
    if operator is None:
        return Navigation(account="")
    visible = page.visible_accounts
    here = page.account_id if page.is_below_account else next(iter(visible), None)
    settings = page.ctx.accounts.get(here) if here else None
    listed = [route for route in page.console_routes.values() if route.nav]
    return Navigation(
        account=(settings.name or settings.id) if settings else "",
        of_account=_entries(page, [r for r in listed if r.is_of_account], here) if here else (),
        of_all=_entries(page, [r for r in listed if not r.is_of_account], None),
        accounts=tuple(
            Entry(
                label=page.ctx.accounts[account].name or account,
                address=address,
                is_here=account == here,
            )
            for account in visible
            if (address := _same_part(page, account) or first_address(page, account))
        ),
    )


def first_address(page: "AdminPage", account: AccountId | None) -> str | None:
    """Return the first page somebody may open in an account, or outside of all with None."""
    operator = page.visitor
    if operator is None:
        return None
    rights = rights_of(operator.grants, account) if account else rights_of(operator.grants)
    for route in page.console_routes.values():
        fits = route.nav and route.is_of_account == (account is not None)
        if fits and rights.intersection(route.needs("GET") or ()):
            return page.address(route.name, account=account)
    return None


def _same_part(page: "AdminPage", account: AccountId) -> str | None:
    """Return the part of the console one is in, in another account; None if it is not theirs."""
    path = page.request.path
    parts = [
        (page.address(route.name, account=page.account_id), route)
        for route in page.console_routes.values()
        if route.nav and route.is_of_account and page.is_below_account
    ]
    inside = [(address, route) for address, route in parts if path.startswith(address)]
    _, here = max(inside, key=lambda part: len(part[0]), default=("", None))
    if here is None or page.visitor is None:
        return None
    rights = rights_of(page.visitor.grants, account)
    if not rights.intersection(here.needs("GET") or ()):
        return None
    return page.address(here.name, account=account)


def _entries(
    page: "AdminPage", routes: "list[ConsoleRoute]", account: AccountId | None
) -> tuple[Entry, ...]:
    operator = page.visitor
    if operator is None:
        return ()
    rights = rights_of(operator.grants, account) if account else rights_of(operator.grants)
    allowed = [route for route in routes if rights.intersection(route.needs("GET") or ())]
    addresses = [page.address(route.name, account=account) for route in allowed]
    path = page.request.path
    inside = [address for address in addresses if path == address or path.startswith(address)]
    here = max(inside, key=len, default=None)
    return tuple(
        Entry(label=page.say(route.nav or ""), address=address, is_here=address == here)
        for route, address in zip(allowed, addresses, strict=True)
    )
