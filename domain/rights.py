"""What each role may do (权限表), and which roles exclude one another (三员分立).

A right is held in one account or, through `EVERYWHERE`, in all of them and in what belongs to no
account (operators, audit). Routes name rights, never roles, so this table is the only place that
says who may do what. Who wrote or edited a broadcast never approves it, whatever their roles:
that rule needs the broadcast and is in `push`.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

from domain.access import EVERYWHERE, ROLES, Grants, Role
from domain.errors import InvalidInput
from domain.ids import AccountId
from domain.sentence import Sentence, joined

Right = Literal[
    "broadcasts.read",
    "broadcasts.write",
    "broadcasts.review",
    "broadcasts.publish",
    "topics.read",
    "topics.write",
    "subscribers.read",
    "subscribers.unmask",
    "menu.read",
    "menu.write",
    "account.read",
    "account.write",
    "departments.read",
    "departments.write",
    "dashboard.read",
    "operators.read",
    "operators.write",
    "roles.write",
    "audit.read",
    "self",  # one's own sessions, password and second factor: everybody who is signed in
]
EVERY_RIGHT: tuple[Right, ...] = get_args(Right)

RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        "editor": frozenset[Right](
            {"broadcasts.read", "broadcasts.write", "topics.read", "dashboard.read", "self"}
        ),
        "reviewer": frozenset[Right](
            {"broadcasts.read", "broadcasts.review", "topics.read", "dashboard.read", "self"}
        ),
        "publisher": frozenset[Right](
            {
                "broadcasts.read",
                "broadcasts.publish",
                "topics.read",
                "departments.read",
                "dashboard.read",
                "self",
            }
        ),
        "desk": frozenset[Right](
            {
                "subscribers.read",
                "subscribers.unmask",
                "topics.read",
                "departments.read",
                "dashboard.read",
                "self",
            }
        ),
        "account_manager": frozenset[Right](
            {
                "broadcasts.read",
                "topics.read",
                "topics.write",
                "subscribers.read",
                "menu.read",
                "menu.write",
                "account.read",
                "departments.read",
                "departments.write",
                "dashboard.read",
                "self",
            }
        ),
        "system_admin": frozenset[Right](
            {
                "account.read",
                "account.write",
                "departments.read",
                "departments.write",
                "dashboard.read",
                "operators.read",
                "operators.write",
                "self",
            }
        ),
        "security_admin": frozenset[Right]({"operators.read", "roles.write", "self"}),
        "auditor": frozenset[Right]({"audit.read", "operators.read", "self"}),
    }
)

# 系统管理员、安全管理员、审计员: three people, none of whom does the daily work as well
SEPARATE: frozenset[Role] = frozenset({"system_admin", "security_admin", "auditor"})


def rights_of(grants: Grants, account: AccountId = EVERYWHERE) -> frozenset[Right]:
    """Return what these grants allow in an account; without one, what belongs to no account."""
    roles = grants.get(EVERYWHERE, frozenset()) | grants.get(account, frozenset())
    rights = frozenset[Right]().union(*(RIGHTS[role] for role in roles))
    return rights | {"self"}


def accounts_of(grants: Grants, accounts: Iterable[AccountId]) -> tuple[AccountId, ...]:
    """Return those of `accounts` in which somebody has a role, in their order."""
    return tuple(account for account in accounts if grants.get(EVERYWHERE) or grants.get(account))


def spelt(grants: Grants) -> str:
    """Return grants as one line, never empty: a form says by it what it was made from."""
    held = sorted(f"{place}:{role}" for place, roles in grants.items() for role in roles)
    return " ".join(held) or "none"


def check_grants(grants: Grants, accounts: Iterable[AccountId] | None = None) -> None:
    """Refuse grants that nobody may hold; `InvalidInput` says what to change.

    `accounts` are those there are, if the caller knows them.
    """
    held = {role for roles in grants.values() for role in roles}
    if not held:
        raise InvalidInput(Sentence("至少要有一个角色。"), field="role")
    if unknown := held.difference(ROLES):
        names = joined(sorted(unknown))
        raise InvalidInput(
            Sentence("没有角色 {names}，只能是：{roles}。", names=names, roles=joined(ROLES)),
            field="role",
        )
    if held & SEPARATE:
        if len(held) > 1:
            raise InvalidInput(
                Sentence(
                    "系统管理员、安全管理员、审计员须由不同的人担任，也不能兼任其他角色（三员分立）。"
                ),
                field="role",
            )
        if set(grants) != {EVERYWHERE}:
            raise InvalidInput(
                Sentence("系统管理员、安全管理员、审计员管全部账号，不能只授予某个账号。"),
                field="account",
            )
    if accounts is not None and (foreign := set(grants) - {EVERYWHERE} - set(accounts)):
        raise InvalidInput(
            Sentence("没有账号 {foreign}。", foreign=joined(sorted(foreign))), field="account"
        )
