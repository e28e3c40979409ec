"""The secrets of the settings file (密钥): whether each is set and since when, never what it is."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import SecretStr

from config.settings import AccountSettings, Settings
from domain.clock import Clock
from storage.mongo.secret_marks import MongoSecretMarks


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretState:
    """One secret; `since` is when this installation first saw it."""

    name: str  # in the settings file
    is_set: bool
    since: datetime | None = None


class Secrets:
    """The secrets of one installation."""

    def __init__(self, settings: Settings, marks: MongoSecretMarks, clock: Clock) -> None:
        self._settings = settings
        self._marks = marks
        self._clock = clock

    async def since(self) -> dict[str, datetime]:
        """Return since when each secret is as it is; called at the start, so that it is noted."""
        secrets = {
            f"{account.id}|{name}": value.get_secret_value()
            for account in self._settings.accounts
            for name, value in _of(account).items()
            if value is not None
        }
        security = self._settings.security
        secrets["security|secret_key"] = security.secret_key.get_secret_value()
        secrets["security|field_key"] = security.field_key.get_secret_value()
        return await self._marks.since(secrets, now=self._clock.now())

    async def of(self, account: AccountSettings) -> list[SecretState]:
        """Return the secrets that concern one account, the installation's two at the end."""
        since = await self.since()
        states = [
            SecretState(
                name=name, is_set=value is not None, since=since.get(f"{account.id}|{name}")
            )
            for name, value in _of(account).items()
        ]
        return states + [
            SecretState(name=f"security.{name}", is_set=True, since=since[f"security|{name}"])
            for name in ("secret_key", "field_key")
        ]


def _of(account: AccountSettings) -> dict[str, SecretStr | None]:
    return {
        "app_secret": account.app_secret,
        "token": account.token,
        "encoding_aes_key": account.encoding_aes_key,
        "previous_encoding_aes_key": account.previous_encoding_aes_key,
    }
