"""Customer-service windows (客服消息窗口): how many messages the platform still lets us send.

wechat-platform.md 4.4: after a message five within 48 hours; after a menu tap, a follow or a
scan three within one minute. Each new action opens its allowance anew. The guards record the
action in the call that claims the message.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis

from domain.conversation import (
    Follow,
    ImageMessage,
    Inbound,
    LinkMessage,
    LocationMessage,
    MenuClick,
    MiniProgramMessage,
    Scan,
    ScanCode,
    TextMessage,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
)
from domain.ids import AccountId, OpenId
from storage.redis.keys import citizen_key
from storage.redis.scripts import Script

_MESSAGES = (
    TextMessage,
    VoiceMessage,
    ImageMessage,
    VideoMessage,
    LocationMessage,
    LinkMessage,
    MiniProgramMessage,
    UnknownMessage,
)
_TAPS = (MenuClick, Follow, Scan, ScanCode)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many messages one kind of action allows, and for how long."""

    name: str
    messages: int
    life: timedelta


@dataclass(frozen=True, slots=True)
class Taken:
    """One message of an allowance: its name and its end in milliseconds."""

    name: str
    until: int


BY_MESSAGE = Allowance("message", 5, timedelta(hours=48))
BY_TAP = Allowance("tap", 3, timedelta(minutes=1))


def opened_by(message: Inbound) -> Allowance | None:
    """Return what this action of the citizen allows us, if anything."""
    if isinstance(message, TextMessage) and message.menu_item is not None:
        return BY_TAP  # tapping an item of a msgmenu counts as a menu tap
    if isinstance(message, _MESSAGES):
        return BY_MESSAGE
    return BY_TAP if isinstance(message, _TAPS) else None


def window_arguments(message: Inbound) -> tuple[str | int, str | int, str | int, str | int]:
    """Return name, end (ms), messages and life (ms) as `begin.lua` wants them."""
    allowance = opened_by(message)
    if allowance is None:
        return "", 0, 0, 0
    life = int(allowance.life.total_seconds() * 1000)
    return allowance.name, milliseconds(message.at) + life, allowance.messages, life


def window_key(account: AccountId, openid: OpenId) -> str:
    """Return where a citizen's allowances lie."""
    return f"{citizen_key(account, openid)}:window"


def milliseconds(moment: datetime) -> int:
    """Return the instant as Redis scripts count time."""
    return int(moment.timestamp() * 1000)


class Windows:
    """Counts customer-service messages over all processes."""

    def __init__(self, redis: Redis) -> None:
        self._take = Script(redis, "take")
        self._untake = Script(redis, "untake")

    async def take(self, account: AccountId, openid: OpenId, now: datetime) -> bool:
        """Use up one message if one is allowed; when in doubt, no."""
        return await self.reserve(account, openid, now) is not None

    async def reserve(self, account: AccountId, openid: OpenId, now: datetime) -> Taken | None:
        """Use up one message, and say of which allowance; None when none is open."""
        names = (BY_TAP.name, BY_MESSAGE.name)  # the shorter-lived first
        found = await self._take([window_key(account, openid)], milliseconds(now), *names)
        if not found:
            return None
        position, until = found
        return Taken(names[position - 1], int(until))

    async def give_back(self, account: AccountId, openid: OpenId, taken: Taken) -> None:
        """Give a message back that certainly was not sent; a newer allowance is full anyway."""
        await self._untake([window_key(account, openid)], taken.name, taken.until)
