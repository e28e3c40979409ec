"""Lock-out (登录锁定): guessing becomes slow, and the people themselves stay able to come in.

Each try counts for the name it is about and for the address it comes from; after some free tries
comes a delay that doubles. Nobody is locked for ever: a delay has a ceiling, and tries that are
refused meanwhile lengthen nothing. So that a stranger who keeps a name in its delay does not keep
its owner out, a browser in which somebody once signed in holds a device cookie for that name and
is counted by itself (OWASP, Device Cookies), whatever happens to the name and even at a crowded
address, such as an office's or a proxy's. Unknown names are counted like known ones, so the
answer does not tell them apart.
"""

import hmac
import secrets
import unicodedata
from datetime import timedelta
from hashlib import sha256

from domain.clock import Clock
from domain.errors import TooOften
from domain.sentence import Sentence
from storage.redis.attempts import Attempts, Counter, Patience

BY_NAME = Patience(5, timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=24))
BY_ADDRESS = Patience(30, timedelta(seconds=10), timedelta(minutes=15), timedelta(hours=1))
DEVICE_LIFE = timedelta(days=90)
_LONGEST_DEVICE = 200


class Locked(TooOften):
    """Tried too often; `wait` is how long it lasts."""

    code = "sign_in_locked"

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, -(-int(wait.total_seconds() * 1000) // 1000))
        text = (
            Sentence("{minutes} 分钟", minutes=-(-seconds // 60))
            if seconds > 90
            else Sentence("{seconds} 秒", seconds=seconds)
        )
        super().__init__(Sentence("尝试次数太多，请 {time}后再试。", time=text))
        self.wait = wait


class Lockout:
    """Counts tries by name or device, and by address."""

    def __init__(self, attempts: Attempts, secret_key: str, clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock
        self._key = hmac.digest(secret_key.encode(), b"weizheng console devices", "sha256")

    async def knock(self, what: str, name: str, *, remote: str, device: str = "") -> None:
        """Count a try of `what` ("password", "code") for a name; `Locked` says how long to wait."""
        counters = [self._own(what, name, device)]
        if not self.knows(device, name):
            counters.append(Counter("address", remote, BY_ADDRESS))
        wait = await self._attempts.begin(counters, self._clock.now())
        if wait:
            raise Locked(wait)

    async def welcome(self, name: str, *, remote: str, device: str = "") -> None:
        """Forget the tries of somebody who came in."""
        for what in ("password", "code"):
            await self._attempts.forget(self._own(what, name, device))
        if not self.knows(device, name):
            await self._attempts.take_back(Counter("address", remote, BY_ADDRESS))

    def device_for(self, name: str) -> str:
        """Return a new device cookie for a name."""
        nonce = secrets.token_urlsafe(16)
        return f"{nonce}.{self._mac(nonce, name)}"

    def knows(self, device: str, name: str) -> bool:
        """Whether the cookie was made for this name."""
        nonce, _, mac = device[:_LONGEST_DEVICE].partition(".")
        expected = self._mac(nonce, name)
        return bool(nonce) and hmac.compare_digest(mac.encode(), expected.encode())

    def _own(self, what: str, name: str, device: str) -> Counter:
        spelt = _spelt(name)
        if self.knows(device, name):
            return Counter(f"{what}:device", f"{spelt}\0{device}", BY_NAME)
        return Counter(what, spelt, BY_NAME)

    def _mac(self, nonce: str, name: str) -> str:
        text = f"{nonce}\0{_spelt(name)}".encode("utf-8", "replace")
        return hmac.new(self._key, text, sha256).hexdigest()


def _spelt(name: str) -> str:
    return unicodedata.normalize("NFKC", name[:160]).strip()
