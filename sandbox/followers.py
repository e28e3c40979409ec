"""People as one official account knows them, small enough to keep hundreds of thousands."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from sandbox.chat import Entry, Exchange
from sandbox.errors import ApiError

FollowerState = Literal["stranger", "follows", "left", "muted", "blacklisted", "frozen"]
STATES: tuple[str, ...] = get_args(FollowerState)
PAGE = 10_000
KEPT_EXCHANGES = 12

_MESSAGE_WINDOW = (5, 48 * 3600)  # sends, seconds: after a message (since 2023-06-12)
_ACTION_WINDOW = (3, 60)  # after a menu tap, a follow or a scan


@dataclass(slots=True)
class Follower:
    """One person's standing. `muted` switched our messages off, `frozen` by the platform."""

    openid: str
    state: FollowerState = "follows"
    name: str = ""  # set for the citizens with a phone on the page
    since: int = 0
    add_scene: str = "ADD_SCENE_SEARCH"
    scene: str = ""
    last_action: str = ""
    last_action_at: int = 0
    message_until: int = 0
    message_left: int = 0
    action_until: int = 0
    action_left: int = 0
    log: list[Entry] | None = None
    exchanges: deque[Exchange] | None = None

    @property
    def is_following(self) -> bool:
        return self.state not in ("stranger", "left")

    def acted(self, kind: str, now: int) -> None:
        """Open the allowance of customer-service messages that an action brings (4.4)."""
        self.last_action, self.last_action_at = kind, now
        if kind == "message":
            self.message_left, seconds = _MESSAGE_WINDOW
            self.message_until = now + seconds
        else:
            self.action_left, seconds = _ACTION_WINDOW
            self.action_until = now + seconds

    def spend_custom_message(self, now: int) -> None:
        """Use up one customer-service message, or raise 45015 or 45047."""
        in_action = now < self.action_until
        in_message = now < self.message_until
        if not self.is_following or not (in_action or in_message):
            raise ApiError(45015)
        if in_action and self.action_left > 0:
            self.action_left -= 1
        elif in_message and self.message_left > 0:
            self.message_left -= 1
        else:
            raise ApiError(45047)

    def remember(self, entry: Entry) -> None:
        """Add a line to the chat."""
        if self.log is None:
            self.log = [entry]
        else:
            self.log.append(entry)

    def keep(self, exchange: Exchange) -> None:
        """Keep the last few exchanges; only for people with a phone on the page."""
        if self.exchanges is None:
            self.exchanges = deque(maxlen=KEPT_EXCHANGES)
        self.exchanges.append(exchange)


class Followers:
    """Everyone one account has ever met, in the order in which they followed."""

    def __init__(self) -> None:
        self._people: dict[str, Follower] = {}
        self._following = 0

    def __len__(self) -> int:
        """Return how many follow at present."""
        return self._following

    def __iter__(self) -> Iterator[Follower]:
        return iter(self._people.values())

    def get(self, openid: str) -> Follower | None:
        return self._people.get(openid)

    def add(self, follower: Follower) -> Follower:
        """Add a person, or put an old acquaintance at the end of the order."""
        known = self._people.pop(follower.openid, None)
        if known is not None:
            self._following -= known.is_following
            follower = known
        self._people[follower.openid] = follower
        self._following += follower.is_following
        return follower

    def add_many(self, openids: Iterable[str], since: int) -> int:
        """Add followers quickly; those already known are left as they are."""
        before = len(self._people)
        for openid in openids:
            if openid not in self._people:
                self._people[openid] = Follower(openid, since=since)
        added = len(self._people) - before
        self._following += added
        return added

    def set_state(self, follower: Follower, state: FollowerState) -> None:
        """Change a person's standing and keep the count right."""
        self._following -= follower.is_following
        follower.state = state
        self._following += follower.is_following

    def page(self, after: str) -> list[str]:
        """Return the openids that follow `user/get`'s cursor."""
        if after and after not in self._people:
            raise ApiError(40003)
        found: list[str] = []
        passed = not after
        for openid, follower in self._people.items():
            if passed and follower.is_following:
                found.append(openid)
                if len(found) == PAGE:
                    break
            elif openid == after:
                passed = True
        return found


def synthetic_openids(prefix: str, first: int, count: int) -> Iterator[str]:
    """Return openids of 28 characters such as `oBulk…0000042`."""
    digits = max(1, 28 - len(prefix))
    return (f"{prefix}{number:0{digits}d}" for number in range(first, first + count))
