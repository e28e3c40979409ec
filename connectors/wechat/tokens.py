"""access_token: one for all processes, renewed in time, never in circles.

The keeper answers from memory. When its copy ages or the platform rejects it, it first looks
into the shared store, and only then asks the platform, one process at a time. However often a
token is rejected, the platform is asked at most once a minute, and forced at most 19 times a
day: it allows 20, and a forced renewal kills the token that others hold.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Protocol

import aiohttp
import orjson
from yarl import URL

from connectors.wechat.errcodes import failure_for, failure_outside, rule_for
from connectors.wechat.wire import (
    TIMEOUT,
    CallFailed,
    Json,
    encode,
    errcode_of,
    errmsg_of,
    exchange,
    rid_of,
)
from domain.clock import Clock
from domain.delivery import SendFailed
from domain.errors import ServiceError

RENEW_BEFORE = timedelta(seconds=300)  # from here on the platform hands out the next token
MIN_GAP = timedelta(seconds=60)  # after a replacement, until the next one, over all processes
FORCED_GAP = timedelta(minutes=75)
LEASE = timedelta(seconds=8)  # longer than the token call's own time-out
POLL_SECONDS = 0.05
CONFIG_PAUSE = timedelta(minutes=3)  # a wrong secret or IP is looked at again this often
SHORT_PAUSE = timedelta(seconds=2)

log = logging.getLogger(__name__)


class TokenCache(Protocol):
    """Where all processes keep the token. What is stored is secret."""

    async def load(self, app_id: str) -> bytes | None:
        """Return what was saved last, if it still counts."""
        ...

    async def claim(self, app_id: str, lease: timedelta) -> str | None:
        """Become the one who renews, for the length of the lease; None if somebody else is."""
        ...

    async def save(self, app_id: str, claim: str, content: bytes, ttl: timedelta) -> bool:
        """Store for everybody, unless the claim was lost meanwhile."""
        ...

    async def release(self, app_id: str, claim: str) -> None:
        """Let the next one renew; harmless when the claim was lost."""
        ...


@dataclass(frozen=True)
class AccessToken:
    """A token as the store keeps it. `suspect`: reissued by the platform after rejecting it."""

    value: str = field(repr=False)
    fetched_at: datetime
    expires_at: datetime
    forced_at: datetime | None = None
    suspect: bool = False
    replacing: bool = False  # fetched because its forerunner was rejected

    @cached_property
    def renew_at(self) -> datetime:
        """Return until when nobody needs to ask for a newer one."""
        return max(self.expires_at - RENEW_BEFORE, self.fetched_at + MIN_GAP)


class TokenKeeper:
    """The access_token of one account. `refreshes` counts our calls to the platform."""

    def __init__(
        self,
        app_id: str,
        secret: str,
        api_base: str,
        http: aiohttp.ClientSession,
        cache: TokenCache,
        clock: Clock,
        *,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
    ) -> None:
        self.clock = clock
        self.refreshes = 0
        self._app_id = app_id
        self._secret = secret
        self._url = URL(f"{api_base.rstrip('/')}/cgi-bin/stable_token")
        self._http = http
        self._cache = cache
        self._timeout = timeout
        self._held: AccessToken | None = None
        self._one_at_a_time = asyncio.Lock()
        self._ageing: str | None = None  # the token that serves on while somebody renews it
        self._trouble: SendFailed | None = None  # why the last call failed
        self._quiet_until: datetime | None = None

    def held(self) -> str | None:
        """Return the token when the one in memory serves, without waiting for anything."""
        held = self._held
        return held.value if held is not None and self.clock.now() < held.renew_at else None

    async def token(self) -> str:
        """Return a token that will live for some minutes."""
        held = self._held
        now = self.clock.now()
        if held is not None and (
            now < held.renew_at or (held.value == self._ageing and now < held.expires_at)
        ):  # a send that waited for the renewal would leave later than its pace and pauses allow
            return held.value
        return await self._renewed(None)

    async def replace(self, rejected: str) -> str:
        """Return the token to repeat a call with, after 40001, 40014 or 42001.

        It may be the same one, when the platform insists that it is right.
        """
        return await self._renewed(rejected)

    async def _renewed(self, rejected: str | None) -> str:
        async with self._one_at_a_time:
            held = self._held
            if held is not None and self._serves(held, rejected):
                return held.value  # a neighbour in this process was faster
            lives = rejected is None and held is not None and self.clock.now() < held.expires_at
            self._ageing = held.value if held is not None and lives else None
            try:
                self._held = await self._obtain(rejected, patient=not lives)
            except ServiceError as error:  # the platform's no, or a store that is away
                if held is None or not lives:
                    raise
                log.warning(
                    "wechat.token.kept", extra={"app_id": self._app_id, "reason": str(error)}
                )
                return held.value  # there are minutes left to try again
            finally:
                self._ageing = None
            return self._held.value

    def _serves(self, token: AccessToken, rejected: str | None) -> bool:
        return token.value != rejected and self.clock.now() < token.renew_at

    async def _obtain(self, rejected: str | None, *, patient: bool) -> AccessToken:
        """Take the token from the store, or renew it as the only one to do so."""
        polls = int((LEASE.total_seconds() + 1) / POLL_SECONDS) if patient else 1
        for _ in range(polls):
            stored = await self._load()
            if stored is not None and self._serves(stored, rejected):
                return stored
            self._refuse_haste()
            if stored is not None and rejected and self._is_newborn(stored):
                return stored
            claim = await self._cache.claim(self._app_id, LEASE)
            if claim is not None:
                try:
                    return await self._renew(rejected, claim)
                finally:
                    await self._cache.release(self._app_id, claim)
            await asyncio.sleep(POLL_SECONDS)
        raise SendFailed(0, "another process is renewing the access_token", "retry_now")

    def _refuse_haste(self) -> None:
        """Raise when asking the platform again so soon would only burn its quota."""
        now = self.clock.now()
        if self._trouble is not None and self._quiet_until is not None and now < self._quiet_until:
            trouble = self._trouble
            raise SendFailed(
                trouble.errcode,
                str(trouble).partition(": ")[2],
                trouble.failure,
                retry_after=self._quiet_until - now,
            )

    def _is_newborn(self, stored: AccessToken) -> bool:
        """Whether a rejected token has just replaced another: there is no better one yet.

        A platform that rejects now and then gets the same call once more; one that insists fails
        it for good, and in a minute the token is replaced again.
        """
        return stored.replacing and self.clock.now() < stored.fetched_at + MIN_GAP

    async def _renew(self, rejected: str | None, claim: str) -> AccessToken:
        stored = await self._load()  # it may have changed while we took the claim
        if stored is not None and self._serves(stored, rejected):
            return stored
        fresh = await self._fetch(stored, rejected)
        ttl = max(fresh.expires_at - self.clock.now(), FORCED_GAP)
        if not await self._cache.save(self._app_id, claim, _to_bytes(fresh), ttl):
            log.warning("wechat.token.claim_lost", extra={"app_id": self._app_id})
        return fresh

    async def _fetch(self, stored: AccessToken | None, rejected: str | None) -> AccessToken:
        now = self.clock.now()
        forced_at = stored.forced_at if stored else None
        twice = stored is not None and stored.value == rejected and stored.suspect
        force = twice and (forced_at is None or now >= forced_at + FORCED_GAP)
        self.refreshes += 1
        answer = await self._ask(force=force)
        value = answer["access_token"]
        fresh = AccessToken(
            value=value,
            fetched_at=now,
            expires_at=now + timedelta(seconds=_seconds(answer)),
            forced_at=now if force else forced_at,
            suspect=value == rejected,
            replacing=rejected is not None,
        )
        log.log(
            logging.ERROR if fresh.suspect else logging.INFO,
            "wechat.token.reissued" if fresh.suspect else "wechat.token.renewed",
            extra={"app_id": self._app_id, "forced": force, "was_rejected": rejected is not None},
        )
        return fresh

    async def _ask(self, *, force: bool) -> Json:
        """Call the platform; a failure is remembered so that not every send repeats it."""
        body = encode(
            {
                "grant_type": "client_credential",
                "appid": self._app_id,
                "secret": self._secret,
                "force_refresh": force,
            }
        )
        try:
            answer = await exchange(self._http, self._url, body, self._timeout)
        except CallFailed as error:
            raise self._remember(
                failure_outside(
                    error.symptom,
                    f"no access_token: {error.detail}",
                    self.clock.now(),
                    repeatable=True,
                )
            ) from error
        code, errmsg = errcode_of(answer), errmsg_of(answer)
        if rule_for(code).verdict != "ok":
            detail = f"no access_token: {errmsg}"
            raise self._remember(failure_for(code, detail, self.clock.now(), for_token=True))
        if not isinstance(answer.get("access_token"), str) or not answer["access_token"]:
            raise self._remember(
                failure_outside(
                    "no_member",
                    "the answer holds no access_token",
                    self.clock.now(),
                    repeatable=True,
                )
            )
        self._trouble = None
        return answer

    def _remember(self, trouble: SendFailed) -> SendFailed:
        pause = trouble.retry_after or (
            CONFIG_PAUSE if trouble.failure == "config" else SHORT_PAUSE
        )
        self._trouble = trouble
        self._quiet_until = self.clock.now() + pause
        log.error(
            "wechat.token.refused",
            extra={
                "app_id": self._app_id,
                "errcode": trouble.errcode,
                "reason": str(trouble),
                "rid": rid_of(str(trouble)),
            },
        )
        return trouble

    async def _load(self) -> AccessToken | None:
        content = await self._cache.load(self._app_id)
        return _from_bytes(content) if content is not None else None


def _seconds(answer: Json) -> float:
    """Return how long the token lives; without a word, just long enough not to ask too often."""
    try:
        return max(float(answer["expires_in"]), MIN_GAP.total_seconds())
    except (KeyError, TypeError, ValueError):
        return RENEW_BEFORE.total_seconds()


def _to_bytes(token: AccessToken) -> bytes:
    return orjson.dumps(
        {
            "value": token.value,
            "fetched_at": token.fetched_at.timestamp(),
            "expires_at": token.expires_at.timestamp(),
            "forced_at": token.forced_at.timestamp() if token.forced_at else None,
            "suspect": token.suspect,
            "replacing": token.replacing,
        }
    )


def _from_bytes(content: bytes) -> AccessToken | None:
    """Return the stored token; something unreadable counts as nothing."""
    try:
        stored = orjson.loads(content)
        return AccessToken(
            value=stored["value"],
            fetched_at=_moment(stored["fetched_at"]),
            expires_at=_moment(stored["expires_at"]),
            forced_at=_moment(stored["forced_at"]) if stored["forced_at"] else None,
            suspect=stored["suspect"],
            replacing=stored["replacing"],
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        log.warning("wechat.token.unreadable", extra={"reason": "stored by another version?"})
        return None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
