"""One official account as the platform keeps it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from config.settings import AccountSettings
from sandbox.crypto import Envelope
from sandbox.followers import Followers
from sandbox.mass import MassSends
from sandbox.notices import Notices, NoticeTemplate
from sandbox.quotas import Quotas
from sandbox.receipts import ReceiptHabits
from sandbox.template_messages import SendBook, Template
from sandbox.tokens import Token, TokenDesk

Mode = Literal["plain", "compatible", "safe"]


@dataclass(slots=True, kw_only=True)
class PushCounts:
    """How deliveries to the service went, as the console of the platform shows it."""

    pushes: int = 0
    deliveries: int = 0
    timeouts: int = 0
    failures: int = 0
    notices: int = 0
    slowest_ms: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """An official account: its secrets, its people, its menu and what it sent."""

    id: str
    name: str
    app_id: str
    secret: str
    token: str
    envelope: Envelope | None
    mode: Mode
    callback_url: str
    tokens: TokenDesk
    templates: dict[str, Template]
    whitelist: frozenset[str] | None = None  # None: every address may ask for a token
    followers: Followers = field(default_factory=Followers)
    quotas: Quotas = field(default_factory=Quotas)
    book: SendBook = field(default_factory=SendBook)
    notices: Notices = field(default_factory=Notices)
    mass: MassSends = field(default_factory=MassSends)
    habits: ReceiptHabits = field(default_factory=ReceiptHabits)
    counts: PushCounts = field(default_factory=PushCounts)
    menu: Mapping[str, Any] | None = None  # published through the API
    conditional_menus: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by menuid
    traits: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)  # tags, client
    qr_codes: dict[str, str] = field(default_factory=dict)  # ticket → scene

    @property
    def gh_id(self) -> str:
        """The account's original id, `ToUserName` of every push."""
        return f"gh_{self.id}"

    @classmethod
    def from_settings(
        cls, settings: AccountSettings, *, callback_base: str, tokens: dict[str, Token]
    ) -> "Account":
        """Make the platform's side of an account from the service's own settings."""
        templates = [
            Template.from_fields(template.id, name, template.fields)
            for name, template in settings.templates.items()
        ]
        notices = [
            NoticeTemplate.from_fields(template.id, name, template.fields, template.kind)
            for name, template in settings.subscription_templates.items()
        ]
        key = settings.encoding_aes_key
        return cls(
            id=settings.id,
            name=settings.name or settings.id,
            app_id=settings.app_id,
            secret=settings.app_secret.get_secret_value(),
            token=settings.token.get_secret_value(),
            envelope=Envelope(key.get_secret_value(), settings.app_id) if key else None,
            mode=settings.mode,
            callback_url=f"{callback_base.rstrip('/')}/wechat/{settings.id}",
            tokens=TokenDesk(settings.id, tokens),
            templates={template.id: template for template in templates},
            notices=Notices({notice.form.id: notice for notice in notices}),
        )

    def secret_is(self, given: str) -> bool:
        return secrets.compare_digest(self.secret.encode(), given.encode())
