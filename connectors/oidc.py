"""A provider of single sign-on (单点登录), by OpenID Connect: authorization code with PKCE.

Authlib and joserfc do the cryptography and the checks of claims; this module does HTTP, with a
time-out, no redirects and a limit to what it reads. What the provider says about itself (its
metadata and keys) is fetched from the issuer of the settings when first needed and kept for an
hour; a token signed with a key we do not know makes us fetch the keys again, at most once a
minute. Anybody may press the button, so one question at a time is asked, and a provider that did
not answer is left alone for some seconds. Nothing here knows operators.
"""

import asyncio
import base64
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from config.settings import OidcSettings
from domain.clock import Clock
from domain.sign_on import SignOnRefused, SignOnUnavailable

SECONDS = 5.0  # each question
MAX_ANSWER = 256 * 1024
KEPT = timedelta(hours=1)
KEYS_AGAIN = timedelta(minutes=1)
LEFT_ALONE = timedelta(seconds=5)
LEEWAY = 60  # seconds that two clocks may differ
LONGEST_IDENTITY = 200
ALGORITHMS = (
    "RS256",
    "PS256",
    "ES256",
    "EdDSA",
    "RS384",
    "RS512",
    "ES384",
    "ES512",
)  # no HS, no none

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What one sign-in takes along and must find again."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)  # of PKCE

    @classmethod
    def begin(cls) -> "Journey":
        """Return three unguessable values."""
        return cls(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(64),
        )


@dataclass(slots=True)
class _Known:
    metadata: Mapping[str, Any]
    keys: KeySet
    since: datetime
    keys_since: datetime


class OidcProvider:
    """Asks one provider who somebody is."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        settings: OidcSettings,
        redirect_uri: str,
        clock: Clock,
        *,
        seconds: float = SECONDS,
    ) -> None:
        self._http = http
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._seconds = seconds
        self._known: _Known | None = None
        self._asking = asyncio.Lock()
        self._failed: tuple[datetime, SignOnUnavailable] | None = None

    async def address(self, journey: Journey) -> str:
        """Return where the browser is sent."""
        known = await self._ask_about_itself()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": journey.state,
            "nonce": journey.nonce,
            "code_challenge": create_s256_code_challenge(journey.verifier),
            "code_challenge_method": "S256",
        }
        endpoint = str(known.metadata["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def identity(self, journey: Journey, code: str, issuer: str) -> str:
        """Exchange a code and return the claim that names the person.

        `issuer` is what the redirect said (RFC 9207), empty if it said nothing.
        """
        if issuer and issuer != self._settings.issuer:
            raise SignOnRefused("the redirect came from another issuer")
        known = await self._ask_about_itself()
        tokens = await self._exchange(known, code, journey)
        claims = await self._claims(known, tokens, journey)
        name = self._settings.claim
        if name not in claims:
            claims = await self._person(known, tokens, claims)
        value = claims.get(name)
        if name == "email" and claims.get("email_verified") is not True:
            raise SignOnRefused("the provider has not verified the e-mail address")
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_IDENTITY:
            raise SignOnRefused(f"the provider gives no usable claim {name}")
        return value

    # --- what the provider says about itself ----------------------------------------------

    async def _ask_about_itself(self) -> _Known:
        async with self._asking:
            now = self._clock.now()
            if self._known is not None and now - self._known.since < KEPT:
                return self._known
            if self._failed is not None and now - self._failed[0] < LEFT_ALONE:
                raise SignOnUnavailable(f"left alone: {self._failed[1]}")
            try:
                self._known = await self._told(now)
            except SignOnUnavailable as error:
                self._failed = (self._clock.now(), error)
                raise
            self._failed = None
            return self._known

    async def _told(self, now: datetime) -> _Known:
        issuer = self._settings.issuer
        told = await self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._check_address(told.get(name), name)
        if told.get("issuer") != issuer:
            raise SignOnUnavailable("the metadata names another issuer; check console.oidc.issuer")
        if urlsplit(issuer).scheme == "https":
            try:
                OpenIDProviderMetadata(told).validate()
            except (ValueError, TypeError, KeyError) as error:
                raise SignOnUnavailable(f"the metadata breaks the standard: {error}") from error
        keys = await self._keys(str(told["jwks_uri"]))
        return _Known(metadata=told, keys=keys, since=now, keys_since=now)

    def _check_address(self, value: object, name: str) -> None:
        """An address to which secrets go must be as safe as the issuer's own."""
        parts = urlsplit(value if isinstance(value, str) else "")
        wanted = urlsplit(self._settings.issuer).scheme
        if not parts.hostname or parts.scheme not in {"https", wanted}:
            raise SignOnUnavailable(f"the metadata has no usable {name}")

    async def _keys(self, address: str) -> KeySet:
        told = await self._get(address)
        try:
            return KeySet.import_key_set({"keys": told["keys"]})
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignOnUnavailable(f"the keys cannot be read: {type(error).__name__}") from error

    # --- from code to claims --------------------------------------------------------------

    async def _exchange(self, known: _Known, code: str, journey: Journey) -> Mapping[str, Any]:
        secret = self._settings.client_secret.get_secret_value()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": journey.verifier,
        }
        headers: dict[str, str] = {}
        ways = known.metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if "client_secret_basic" in ways:  # RFC 6749 2.3.1: both parts are form-encoded first
            pair = f"{quote_plus(self._settings.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self._settings.client_id, "client_secret": secret}
        return await self._fetch(
            "POST", str(known.metadata["token_endpoint"]), data=form, headers=headers
        )

    async def _claims(
        self, known: _Known, tokens: Mapping[str, Any], journey: Journey
    ) -> Mapping[str, Any]:
        told = tokens.get("id_token")
        if not isinstance(told, str):
            raise SignOnRefused("no id_token came with the answer")
        try:
            token = await self._decoded(known, told)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self._settings.issuer},
                    "aud": {"essential": True, "value": self._settings.client_id},
                    "exp": {"essential": True},
                    "iat": {"essential": True},
                    "sub": {"essential": True},
                },
                params={
                    "nonce": journey.nonce,
                    "client_id": self._settings.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(now=int(self._clock.now().timestamp()), leeway=LEEWAY)
            return dict(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            # never the error's own text: it may quote what the token says about the person
            claim = getattr(error, "claim", "")
            raise SignOnRefused(f"id_token: {type(error).__name__} {claim}".strip()) from None

    async def _decoded(self, known: _Known, told: str) -> jwt.Token:
        """Check the signature; a key we do not know may be a new one."""
        try:
            return jwt.decode(told, known.keys, algorithms=list(ALGORITHMS))
        except (InvalidKeyIdError, ValueError):
            now = self._clock.now()
            if now - known.keys_since < KEYS_AGAIN:
                raise
        known.keys = await self._keys(str(known.metadata["jwks_uri"]))
        known.keys_since = now
        return jwt.decode(told, known.keys, algorithms=list(ALGORITHMS))

    async def _person(
        self, known: _Known, tokens: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Ask for claims that the id_token does not carry, about the same person only."""
        address = known.metadata.get("userinfo_endpoint")
        if address is None:
            return claims
        self._check_address(address, "userinfo_endpoint")
        bearer = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
        told = await self._fetch("GET", str(address), headers=bearer)
        if told.get("sub") != claims["sub"]:
            raise SignOnRefused("userinfo speaks about somebody else")
        return told

    # --- HTTP -----------------------------------------------------------------------------

    async def _get(self, address: str) -> Mapping[str, Any]:
        try:
            return await self._fetch("GET", address)
        except SignOnRefused as error:
            raise SignOnUnavailable(error.reason) from error

    async def _fetch(
        self,
        method: str,
        address: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """Return the JSON object; a refusal is `SignOnRefused`, no answer `SignOnUnavailable`."""
        where = urlsplit(address).path
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.request(
                    method,
                    address,
                    data=data,
                    headers={"Accept": "application/json", **(headers or {})},
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=self._seconds),
                ) as answer,
            ):
                content = await answer.content.read(MAX_ANSWER + 1)
                while len(content) <= MAX_ANSWER and (
                    more := await answer.content.read(MAX_ANSWER)
                ):
                    content += more
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SignOnUnavailable(f"{where}: {type(error).__name__}") from error
        if status >= 500:
            raise SignOnUnavailable(f"{where}: status {status}")
        if status != 200:
            raise SignOnRefused(f"{where}: status {status}")
        try:
            told = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise SignOnUnavailable(f"{where}: not JSON") from error
        if not isinstance(told, dict):
            raise SignOnUnavailable(f"{where}: not a JSON object")
        return told
