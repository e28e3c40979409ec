"""Pushes messages and events to the service, with the platform's patience (1.3, 1.5)."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from sandbox.accounts import Account
from sandbox.chat import FAILURE_NOTICE, Exchange
from sandbox.clock import WorldClock
from sandbox.crypto import sign
from sandbox.replies import BadReply, Result, understand
from sandbox.xml import cdata

DELIVERIES = 3  # the first and two repetitions
CONNECTIONS = 512  # pushes at the same time; more would wait and time out


@dataclass(slots=True, kw_only=True)
class CourierHabits:
    """What is measured or unconfirmed about pushes, and may be changed."""

    limit: float = 5.0  # seconds for a full answer
    retry_pause: float = 1.0  # before a repetition after a failure that came quickly
    fresh_nonce: bool = False  # whether a repetition carries a new timestamp and nonce
    openid_in_query: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One push: the message in clear and how to treat the answer."""

    openid: str
    event: str  # "text", "CLICK", …
    message: str
    is_event: bool = False
    shows_reply: bool = True  # False for events that belong to no conversation
    copies: int = 1  # how often the platform delivers it, at the same time
    bad_signature: bool = False


@dataclass(slots=True, kw_only=True)
class _Outcome:
    deliveries: int
    body: bytes | None
    reason: str = ""


class Courier:
    """Delivers parcels to the service's callback."""

    def __init__(self, clock: WorldClock, next_seq: Callable[[], int]) -> None:
        self.habits = CourierHabits()
        self._clock = clock
        self._next_seq = next_seq
        self._http: SimpleAsyncHTTPClient | None = None

    async def deliver(self, account: Account, parcel: Parcel) -> Exchange:
        """Push until it is answered, at most three times, and read the reply."""
        started = time.monotonic()
        body = _body(account, parcel.message)
        outcomes = await asyncio.gather(
            *(self._carry(account, parcel, body) for _ in range(parcel.copies))
        )
        outcome = outcomes[0]
        took = (time.monotonic() - started) * 1000
        counts = account.counts
        counts.slowest_ms = max(counts.slowest_ms, took)
        counts.pushes += 1
        clear, result = self._read(account, parcel, outcome)
        return Exchange(
            seq=self._next_seq(),
            event=parcel.event,
            deliveries=sum(each.deliveries for each in outcomes),
            push=parcel.message,
            push_sent=body,
            reply=clear,
            reply_received=(outcome.body or b"").decode(errors="replace"),
            result=result,
            milliseconds=took,
        )

    def _read(self, account: Account, parcel: Parcel, outcome: "_Outcome") -> tuple[str, Result]:
        """Return the reply in clear and what the citizen sees of it."""
        if outcome.body is None:
            reason = outcome.reason
        elif not parcel.shows_reply:
            return "", {"kind": "none"}
        else:
            try:
                return understand(account, parcel.openid, outcome.body, is_event=parcel.is_event)
            except BadReply as error:
                reason = str(error)
        account.counts.notices += 1
        return "", {"kind": "notice", "text": FAILURE_NOTICE, "reason": reason}

    async def verify_url(self, account: Account) -> bool:
        """Do what the console does when the callback's address is saved (1.2)."""
        echo = secrets.token_hex(8)
        query = self._query(account, "", "", bad=False)
        url = f"{account.callback_url}?{urlencode({**query, 'echostr': echo})}"
        answer = await self._fetch(HTTPRequest(url, request_timeout=self.habits.limit))
        return answer == echo.encode()

    def close(self) -> None:
        """Close what is open; the courier opens anew when it is asked again."""
        if self._http is not None:
            self._http.close()
            self._http = None

    async def _carry(self, account: Account, parcel: Parcel, body: str) -> _Outcome:
        encrypted = _encrypted_part(body) if account.mode != "plain" else ""
        openid = parcel.openid if self.habits.openid_in_query else ""
        query = self._query(account, encrypted, openid, bad=parcel.bad_signature)
        reason = ""
        for delivery in range(1, DELIVERIES + 1):
            if delivery > 1 and self.habits.fresh_nonce:
                query = self._query(account, encrypted, openid, bad=parcel.bad_signature)
            request = HTTPRequest(
                f"{account.callback_url}?{urlencode(query)}",
                method="POST",
                headers={"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0"},
                body=body,
                connect_timeout=self.habits.limit,
                request_timeout=self.habits.limit,
                follow_redirects=False,
            )
            account.counts.deliveries += 1
            started = time.monotonic()
            try:
                return _Outcome(deliveries=delivery, body=await self._fetch(request))
            except _Undelivered as error:
                reason = str(error)
            waited = time.monotonic() - started
            timed_out = waited >= self.habits.limit * 0.99
            account.counts.timeouts += timed_out
            account.counts.failures += not timed_out
            if delivery < DELIVERIES and not timed_out:
                await asyncio.sleep(min(self.habits.retry_pause, self.habits.limit - waited))
        return _Outcome(deliveries=DELIVERIES, body=None, reason=reason)

    async def _fetch(self, request: HTTPRequest) -> bytes:
        if self._http is None:
            self._http = SimpleAsyncHTTPClient(force_instance=True, max_clients=CONNECTIONS)
        try:
            async with asyncio.timeout(self.habits.limit):
                response = await self._http.fetch(request)
        except HTTPClientError as error:
            raise _Undelivered(f"HTTP {error.code}: {error.message}") from error
        except TimeoutError as error:
            raise _Undelivered(f"no answer within {self.habits.limit:g} s") from error
        except (OSError, StreamClosedError) as error:
            raise _Undelivered(f"no connection: {error}") from error
        return response.body

    def _query(self, account: Account, encrypted: str, openid: str, *, bad: bool) -> dict[str, str]:
        timestamp = str(self._clock.timestamp())
        nonce = str(secrets.randbelow(10**10))
        query = {
            "signature": sign(account.token, timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
        }
        if openid:
            query["openid"] = openid
        if encrypted:
            query["encrypt_type"] = "aes"
            query["msg_signature"] = sign(account.token, timestamp, nonce, encrypted)
        if bad:
            last = "msg_signature" if encrypted else "signature"
            query[last] = query[last][::-1]
        return query


class _Undelivered(Exception):
    """No full answer: the push is repeated."""


def _body(account: Account, message: str) -> str:
    if account.mode == "plain" or account.envelope is None:
        return message
    encrypted = f"<Encrypt>{cdata(account.envelope.encrypt(message))}</Encrypt>"
    if account.mode == "compatible":
        return message.removesuffix("</xml>") + encrypted + "</xml>"
    return f"<xml><ToUserName>{cdata(account.gh_id)}</ToUserName>{encrypted}</xml>"


def _encrypted_part(body: str) -> str:
    return body.rpartition("<Encrypt><![CDATA[")[2].partition("]]>")[0]
