"""Settings (`contract.md` 2): one TOML file, overridden by `WEIZHENG_SECTION__KEY`.

Every value is checked before anything starts; a wrong one stops the process with a sentence
that names the setting and the remedy.
"""

import base64
import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from domain.clock import parse_hours
from domain.errors import ConfigError

DEFAULT_FILE = Path("config/settings.toml")
ENV_PREFIX = "WEIZHENG_"
FIELD_KEY_BYTES = 96
TRIAL_MARK = "tryingoutonly"  # the secrets that ship with the project carry it


def _one_hour_range(value: Any) -> Any:
    return parse_hours(value) if isinstance(value, str) else value


def _split(value: Any) -> Any:
    """Read `a,b`, the form a list has in an environment variable."""
    if not isinstance(value, str):
        return value
    return tuple(part for piece in value.split(",") if (part := piece.strip()))


def _is_public(secret: SecretStr | None) -> bool:
    """Tell whether everyone can read this secret in the repository."""
    text = secret.get_secret_value() if secret else ""
    return TRIAL_MARK in text.lower().replace("-", "")


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
HourRange = Annotated[tuple[time, time] | None, BeforeValidator(_one_hour_range)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    metrics_port: int | None = Field(None, ge=1, le=65535)  # /metrics of any process, on `host`
    public_url: str = Field("http://127.0.0.1:8000", pattern=r"^https?://[^\s/]+")
    trusted_proxies: Names = ()  # addresses whose X-Forwarded-For and -Proto are believed

    @field_validator("public_url")
    @classmethod
    def _no_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service under its public address."""
        return urlsplit(self.public_url).hostname in ("127.0.0.1", "localhost", "::1")


class MongoSettings(_Section):
    uri: str = Field("embedded", pattern=r"^(embedded$|mongodb(\+srv)?://)")
    database: str = Field("weizheng", pattern=r"^[A-Za-z0-9_-]{1,38}$")


class RedisSettings(_Section):
    url: str = Field("embedded", pattern=r"^(embedded$|rediss?://|unix://)")


class StorageSettings(_Section):
    data_dir: Path = Path("var")

    @field_validator("data_dir", mode="before")
    @classmethod
    def _names_a_folder(cls, value: Any) -> Any:
        if value == "":
            raise ValueError("names no folder")
        return value


class SecuritySettings(_Section):
    secret_key: SecretStr = Field(description="sessions, CSRF", min_length=16)
    field_key: SecretStr = Field(description="base64 of 96 random bytes")

    @field_validator("field_key")
    @classmethod
    def _is_96_bytes(cls, value: SecretStr) -> SecretStr:
        try:
            key = base64.b64decode(value.get_secret_value(), validate=True)
        except ValueError as error:
            raise ValueError("is not base64") from error
        if len(key) != FIELD_KEY_BYTES:
            raise ValueError(f"holds {len(key)} bytes instead of {FIELD_KEY_BYTES}")
        return value

    @property
    def master_key(self) -> bytes:
        """The 96 bytes under which the field keys are kept."""
        return base64.b64decode(self.field_key.get_secret_value())

    @property
    def is_for_trying_out(self) -> bool:
        """Whether one of these is a key that everyone can read in the repository."""
        return any(self.public_keys())

    def public_keys(self) -> Iterator[str]:
        """Name the keys that everyone can read in the repository."""
        if _is_public(self.secret_key):
            yield "secret_key"
        if _is_public(SecretStr(self.master_key.decode("latin-1"))):
            yield "field_key"


class PushSettings(_Section):
    """Pace and patience of the push engine. `per_second` is a ceiling per account."""

    per_second: int = Field(200, ge=1, le=100_000)
    quiet_hours: HourRange = (time(22), time(7))
    batch_size: int = Field(500, ge=1, le=5_000)
    sub_chunk: int = Field(100, ge=1, le=500)
    concurrency: int = Field(8, ge=1, le=256)  # sub-chunks under way per process
    lease_seconds: float = Field(10.0, ge=1, le=300)
    history_days: int = Field(395, ge=60, le=3_650)  # then outcomes become mere counts


class AuditSettings(_Section):
    """The audit chain holds security-relevant entries, so it is kept a year, not 180 days."""

    days: int = Field(400, ge=366, le=3_650)


class TemplateSettings(_Section):
    """Our template name → this account's WeChat template."""

    id: str = Field(min_length=1)
    fields: Mapping[str, str]  # WeChat key → our data name


class SubscriptionTemplateSettings(TemplateSettings):
    """Our template name → this account's template for subscription notices (订阅通知)."""

    kind: Literal["long_term", "one_time"] = "long_term"


class AccountSettings(_Section):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    name: str = ""
    app_id: str = Field(pattern=r"^wx[0-9a-zA-Z]{6,30}$")
    app_secret: SecretStr = Field(min_length=1)
    token: SecretStr = Field(min_length=3, max_length=32)
    encoding_aes_key: SecretStr | None = None
    previous_encoding_aes_key: SecretStr | None = None  # still accepted during rotation
    mode: Literal["plain", "compatible", "safe"] = "safe"
    api_base: str = Field("https://api.weixin.qq.com", pattern=r"^https?://")
    templates: Mapping[str, TemplateSettings] = Field(default_factory=dict)
    subscription_templates: Mapping[str, SubscriptionTemplateSettings] = Field(default_factory=dict)
    daily_quota: int | None = Field(None, ge=1)  # template messages; else what the platform says
    test_openids: Names = ()  # who may get test sends

    @field_validator("encoding_aes_key", "previous_encoding_aes_key")
    @classmethod
    def _is_43_characters(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value()
        if len(text) != 43 or not text.isascii() or not text.isalnum():
            raise ValueError("must be exactly 43 letters and digits")
        return value

    @model_validator(mode="after")
    def _safe_needs_its_key(self) -> "AccountSettings":
        if self.mode != "plain" and self.encoding_aes_key is None:
            raise ValueError(f"encoding_aes_key is missing, and mode {self.mode!r} needs it")
        return self


class DepartmentSettings(_Section):
    """Where a department's system answers."""

    base_url: str = Field(pattern=r"^https?://")
    secret: SecretStr | None = None  # signs our requests


class TriggerSettings(_Section):
    """Whom a trigger (触发规则) speaks for, and how often it asks its department."""

    accounts: Names = ()  # none: the trigger is off
    every: float | None = Field(None, gt=0, le=86_400)  # seconds; None: the trigger's own
    publish: bool = True  # False: its broadcasts wait for a person's approval; notices never do


class OidcSettings(_Section):
    """Single sign-on (单点登录) at an OpenID Connect provider; it only names people there are."""

    issuer: str = Field(pattern=r"^https?://[^\s?#]+$")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    claim: str = Field("sub", pattern=r"^[A-Za-z0-9_.:/-]{1,100}$")  # which claim names a person
    scopes: Names = ("openid", "profile")
    label: str = Field("统一身份认证", min_length=1, max_length=20)  # on the sign-in button
    # "theirs": the provider asks for two factors, ours is not asked for
    second_factor: Literal["ours", "theirs"] = "ours"

    @model_validator(mode="after")
    def _is_safe(self) -> "OidcSettings":
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("issuer must begin with https://")
        if "openid" not in self.scopes:
            raise ValueError('scopes must contain "openid"')
        return self


class ConsoleSettings(_Section):
    """The console (管理台): how people come in, how long they stay, where notices go."""

    second_factor: Literal["required", "optional"] = "required"
    idle_minutes: int = Field(30, ge=1, le=720)
    absolute_hours: int = Field(12, ge=1, le=168)
    oidc: OidcSettings | None = None
    webhook_url: SecretStr = SecretStr("")  # 企业微信 robot; the address is its key. Empty: none

    @field_validator("webhook_url")
    @classmethod
    def _is_an_address(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text:
            return value
        parts = urlsplit(text)
        is_near = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
        is_safe = (parts.scheme == "https" and parts.hostname) or is_near
        if not is_safe or len(text.split()) != 1:  # the address is its own key
            raise ValueError("must be an address that begins with https://")
        return value


class Settings(_Section):
    """Everything a process needs to know before it starts."""

    server: ServerSettings = ServerSettings()
    mongo: MongoSettings = MongoSettings()
    redis: RedisSettings = RedisSettings()
    storage: StorageSettings = StorageSettings()
    security: SecuritySettings
    push: PushSettings = PushSettings()
    audit: AuditSettings = AuditSettings()
    console: ConsoleSettings = ConsoleSettings()
    accounts: tuple[AccountSettings, ...] = ()
    departments: Mapping[str, DepartmentSettings] = Field(default_factory=dict)
    triggers: Mapping[str, TriggerSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _accounts_differ(self) -> "Settings":
        ids = [account.id for account in self.accounts]
        if len(set(ids)) != len(ids):
            raise ValueError("two [[accounts]] have the same id")
        for name, trigger in self.triggers.items():
            if unknown := set(trigger.accounts) - set(ids):
                raise ValueError(
                    f"triggers.{name}.accounts names {', '.join(sorted(unknown))}, which is no "
                    "[[accounts]] id"
                )
        public = ", ".join(self._public_secrets())
        if public and not self.server.is_local:
            raise ValueError(
                f"{public}: public, for trying out, and server.public_url is not this machine. "
                "Take an account's own from WeChat's console, make your own secret_key with "
                "`openssl rand -base64 48`, field_key with `openssl rand -base64 96 | tr -d '\\n'`"
            )
        return self

    def _public_secrets(self) -> Iterator[str]:
        """Name the secrets that everyone can read in the repository."""
        for key in self.security.public_keys():
            yield f"security.{key}"
        for account in self.accounts:
            for field in ("app_secret", "token", "encoding_aes_key"):
                if _is_public(getattr(account, field)):
                    yield f"accounts.{account.id}.{field}"

    def account(self, account_id: str) -> AccountSettings:
        """Return one account's settings; `ConfigError` names those there are."""
        for account in self.accounts:
            if account.id == account_id:
                return account
        known = ", ".join(account.id for account in self.accounts) or "none"
        raise ConfigError(f"there is no account {account_id!r} in the settings (known: {known})")


def load_settings(file: Path | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file and the environment, or raise `ConfigError` with one sentence."""
    env = os.environ if env is None else env
    path = file or Path(env.get("WEIZHENG_CONFIG") or DEFAULT_FILE)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"the settings file {path} does not exist: pass --config FILE or copy "
            "config/settings.toml"
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the settings file {path} cannot be read: {error}") from error
    content.setdefault("security", {})  # what is missing is then named, not its section
    for name, value in env.items():
        if name.startswith(ENV_PREFIX) and "__" in name:
            _override(content, name, value)
        elif meant := _meant(name):
            raise ConfigError(f"{name} is not a known setting; write {meant}, with two underscores")
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_sentence(error, path, env)) from error


def _meant(name: str) -> str | None:
    """Return the setting meant by `WEIZHENG_PUSH_PER_SECOND`, which lacks an underscore.

    Other names belong to somebody else: an orchestrator puts `WEIZHENG_SERVICE_HOST` there.
    """
    for section, field in Settings.model_fields.items():
        prefix = f"{ENV_PREFIX}{section.upper()}_"
        last = name.removeprefix(prefix)
        known = getattr(field.annotation, "model_fields", {})
        if last != name and last.lower() in known:
            return f"{prefix}_{last}"
    return None


def _override(content: dict[str, Any], name: str, value: str) -> None:
    """Put `WEIZHENG_PUSH__PER_SECOND=50` in its place; `ACCOUNTS__0__TOKEN` works too."""
    *path, last = name.removeprefix(ENV_PREFIX).lower().split("__")
    place: Any = content
    for part in path:
        if isinstance(place, list):
            if not part.isdigit() or int(part) >= len(place):
                raise ConfigError(f"{name}: there is no number {part!r} in that list")
            place = place[int(part)]
        else:
            place = place.setdefault(part, {})
        if not isinstance(place, dict | list):
            raise ConfigError(f"{name}: {part} is a value, not a section; check the name")
    if isinstance(place, list):
        raise ConfigError(f"{name}: name the field after the number, as in ACCOUNTS__0__TOKEN")
    place[last] = value


def _sentence(error: ValidationError, path: Path, env: Mapping[str, str]) -> str:
    """Return one sentence about the first thing that is wrong, never showing a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    variable = ENV_PREFIX + where.upper().replace(".", "__")
    source = f"the environment variable {variable}" if variable in env else str(path)
    if first["type"] == "missing":
        problem = "is missing"
        remedy = f"add it to {path} or set {variable}"
    elif first["type"] == "extra_forbidden":
        problem = "is not a known setting"
        remedy = f"check its spelling in {source} against config/settings.toml"
    else:
        problem = first["msg"].removeprefix("Value error, ")
        problem = problem.replace("items after validation", "characters")  # a secret is a text
        remedy = f"correct it in {source}"
    more = len(error.errors()) - 1
    rest = f" ({more} more after this one)" if more else ""
    subject = f"setting {where}" if where else "settings"
    return f"{subject}: {problem}; {remedy}{rest}"
