"""Questions to the platform that only prove something (检测): nothing is sent, nothing changes.

The token call is made past all memory, so that what was repaired a second ago is seen; without
`force_refresh` the platform answers with the token that everybody holds. 10,000 a minute are free.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from config.settings import AccountSettings
from connectors.session import date_at
from connectors.wechat.crypto import signature_of
from connectors.wechat.errcodes import failure_for, failure_outside, rule_for
from connectors.wechat.wire import (
    TIMEOUT,
    CallFailed,
    Json,
    encode,
    errcode_of,
    errmsg_of,
    exchange,
)
from domain.callback_keys import CallbackPair
from domain.clock import Clock

CHECK_TIMEOUT = aiohttp.ClientTimeout(total=20.0, connect=3.0)  # the platform pings us meanwhile
ECHO_TIMEOUT = aiohttp.ClientTimeout(total=5.0)  # as long as the platform would wait
_ADDRESS = re.compile(r"invalid ip ([0-9a-fA-F.:]{3,45})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One address under which the platform looked for our callback."""

    address: str
    loss: str = ""  # as the platform writes it: "0%"
    time: str = ""  # "23.079ms"

    @property
    def is_lost(self) -> bool:
        """Whether nothing came back at all."""
        return self.loss.strip() in ("100%", "100.0%", "100.00%")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackReach:
    """What the platform found: names it resolved, addresses it pinged."""

    resolved: tuple[str, ...]
    pinged: tuple[Reached, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """What our own signed GET came to; `problem` is empty when it was echoed."""

    problem: str = ""
    status: int | None = None  # None: no answer


class Probe:
    """Asks for one account."""

    def __init__(self, http: aiohttp.ClientSession, account: AccountSettings, clock: Clock) -> None:
        self._http = http
        self._account = account
        self._base = account.api_base.rstrip("/")
        self._clock = clock

    async def token(self) -> str:
        """Return the account's token, or raise `SendFailed` with the platform's reason."""
        content = {
            "grant_type": "client_credential",
            "appid": self._account.app_id,
            "secret": self._account.app_secret.get_secret_value(),
            "force_refresh": False,
        }
        answer = await self._ask("/cgi-bin/stable_token", content, TIMEOUT, for_token=True)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise failure_outside(
                "no_member", "no access_token", self._clock.now(), repeatable=True
            )
        return token

    async def date(self) -> datetime | None:
        """Return what time the platform has, None when it does not answer."""
        return await date_at(self._http, self._account.api_base)

    async def callback(self, token: str) -> CallbackReach:
        """Let the platform look for our callback by name and by ping."""
        path = f"/cgi-bin/callback/check?access_token={quote(token, safe='')}"
        content = {"action": "all", "check_operator": "DEFAULT"}
        answer = await self._ask(path, content, CHECK_TIMEOUT)
        return CallbackReach(
            resolved=tuple(str(each.get("ip", "")) for each in _list(answer, "dns")),
            pinged=tuple(
                Reached(
                    address=str(each.get("ip", "")),
                    loss=str(each.get("package_loss", "")),
                    time=str(each.get("time", "")),
                )
                for each in _list(answer, "ping")
            ),
        )

    async def echo(self, address: str, pair: CallbackPair) -> Echo:
        """Verify our own callback as the platform does when its form is saved."""
        timestamp, nonce = str(int(self._clock.now().timestamp())), secrets.token_hex(8)
        said = secrets.token_hex(10)
        query = {
            "signature": signature_of(pair.token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "echostr": said,
        }
        url = URL(f"{address}?{urlencode(query)}", encoded=True)
        try:
            async with self._http.get(url, timeout=ECHO_TIMEOUT, allow_redirects=False) as answer:
                content = await answer.content.read(len(said) + 1)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Echo(problem=type(error).__name__)
        if status != 200:
            return Echo(problem=f"HTTP {status}", status=status)
        if content != said.encode():
            return Echo(problem="another answer than echostr", status=status)
        return Echo(status=status)

    async def _ask(
        self,
        path: str,
        content: Mapping[str, object],
        timeout: aiohttp.ClientTimeout,
        *,
        for_token: bool = False,
    ) -> Json:
        url = URL(self._base + path, encoded=True)
        try:
            answer = await exchange(self._http, url, encode(content), timeout)
        except CallFailed as error:
            raise failure_outside(
                error.symptom, error.detail, self._clock.now(), repeatable=True
            ) from error
        code, errmsg = errcode_of(answer), errmsg_of(answer)
        if rule_for(code).verdict != "ok":
            raise failure_for(code, errmsg, self._clock.now(), for_token=for_token)
        return answer


def refused_address(errmsg: str) -> str:
    """Return the address that 40164 complains of, "" if the text names none."""
    found = _ADDRESS.search(errmsg)
    return found[1] if found else ""


def _list(answer: Json, name: str) -> list[Json]:
    found = answer.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
