"""Who may do what from outside: API keys of departments, operators of the console."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, get_args

from domain.ids import AccountId

Scope = Literal[
    "broadcasts:write", "broadcasts:publish", "notices:write", "history:read", "alerts:write"
]
Role = Literal[
    "editor",  # 编辑 drafts
    "reviewer",  # 审核 approves or rejects, never their own draft
    "publisher",  # 发布 schedules, pauses, cancels
    "desk",  # 坐席 answers tickets
    "account_manager",  # 账号管理 menus, templates
    "system_admin",  # 系统管理 settings, operators
    "security_admin",  # 安全管理 roles, keys
    "auditor",  # 审计 reads the audit log, changes nothing
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
ROLES: tuple[Role, ...] = get_args(Role)
EVERYWHERE = AccountId("*")  # in `Grants`: all accounts, and what belongs to none of them
Grants = Mapping[AccountId, frozenset[Role]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A department's key (接口密钥): it belongs to one account and can do what its scopes say."""

    id: str
    account: AccountId
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None  # the end of an overlap: another key has replaced it
    last_used_at: datetime | None = None  # to some minutes; None: never, or before it was noted
    waits: bool = False  # for a second person: until then it opens nothing
    replaces: str = ""  # which key ends, after an overlap, once this one is confirmed

    @property
    def author(self) -> str:
        """How this key is named as the maker of something."""
        return f"key:{self.id}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAccount:
    """Somebody who signs in to the console (工作人员)."""

    id: str
    name: str
    grants: Grants  # what they are where; `EVERYWHERE` counts for every account
    created_at: datetime
    disabled_at: datetime | None = None
    password_until: datetime | None = None  # somebody else chose it: to be changed before then
    single_sign_on_id: str | None = None  # what the provider's claim says about them
    identity_proven: bool = False  # they themselves have said that this claim is theirs
    unconfirmed_since: datetime | None = None  # they came in by what somebody else chose
    confirm_code: str = field(default="", repr=False)  # what they tell the security administrator
    confirm_session: str = ""  # the session that shows it: of whoever set up phone and password
    credentials: int = 0  # counts the changes of how they come in

    @property
    def author(self) -> str:
        """How this person is named as the maker of something."""
        return f"operator:{self.id}:{self.name}"

    @property
    def in_force(self) -> "OperatorAccount":
        """This person with what counts now: no role, until somebody has confirmed who it is."""
        return self if self.unconfirmed_since is None else replace(self, grants={})
