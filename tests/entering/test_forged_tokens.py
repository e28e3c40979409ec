"""What an id_token must not be: unsigned, another's, for others, or of another time."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey

from config.settings import OidcSettings
from connectors.oidc import Journey, OidcProvider
from domain.clock import SystemClock
from domain.sign_on import SignOnRefused
from tests.support.ports import find_free_port

OURS = ECKey.generate_key("P-256", {"kid": "a"})
THEIRS = ECKey.generate_key("P-256", {"kid": "a"})
JOURNEY = Journey.begin()


@dataclass
class Issuer:
    """A provider that gives whatever token a test wants."""

    address: str
    http: aiohttp.ClientSession
    answer: dict[str, Any] = field(default_factory=dict)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return what an honest token says; None leaves a claim out."""
        now = int(time.time())
        honest = {"iss": self.address, "aud": "us", "sub": "wang", "nonce": JOURNEY.nonce}
        content = honest | {"iat": now, "exp": now + 300} | changes
        return {name: value for name, value in content.items() if value is not None}

    async def identity(self, token: str) -> str:
        """Come back from there with this token."""
        self.answer = {"id_token": token, "access_token": "x", "token_type": "Bearer"}
        wanted = {"issuer": self.address, "client_id": "us", "client_secret": "s"}
        settings = OidcSettings.model_validate(wanted)
        provider = OidcProvider(self.http, settings, "http://x/back", SystemClock())
        return await provider.identity(JOURNEY, "code", "")


@pytest.fixture
async def issuer(http: aiohttp.ClientSession) -> AsyncIterator[Issuer]:
    port = find_free_port()
    made = Issuer(f"http://127.0.0.1:{port}", http)

    async def metadata(_: web.Request) -> web.Response:
        named = {"authorization_endpoint": "a", "token_endpoint": "t", "jwks_uri": "k"}
        told = {name: f"{made.address}/{path}" for name, path in named.items()}
        return web.json_response({"issuer": made.address, **told})

    async def keys(_: web.Request) -> web.Response:
        return web.json_response({"keys": [OURS.as_dict(private=False)]})

    async def token(_: web.Request) -> web.Response:
        return web.json_response(made.answer)

    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", metadata)
    app.router.add_get("/k", keys)
    app.router.add_post("/t", token)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made
    await runner.cleanup()


def part(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def signed(claims: dict[str, Any], key: ECKey = OURS) -> str:
    return jwt.encode({"alg": "ES256", "kid": "a"}, claims, key)


def by_public_key(claims: Mapping[str, Any]) -> str:
    """Sign with what everybody knows, as if it were a shared secret."""
    text = f"{part({'alg': 'HS256', 'kid': 'a'})}.{part(claims)}"
    mac = hmac.digest(OURS.as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


async def test_an_honest_token_names_the_person(issuer: Issuer):
    assert await issuer.identity(signed(issuer.claims())) == "wang"


async def test_a_signature_that_is_not_the_providers_lets_nobody_in(issuer: Issuer):
    claims = issuer.claims()
    cut_off = signed(claims).rpartition(".")[0]

    for forged in (
        f"{part({'alg': 'none'})}.{part(claims)}.",
        f"{part({'kid': 'a'})}.{part(claims)}.",
        f"{cut_off}.",
        by_public_key(claims),
        signed(claims, THEIRS),
        "..",
        "",
    ):
        with pytest.raises(SignOnRefused) as refused:
            await issuer.identity(forged)
        assert "id_token" in refused.value.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "others"},
        {"aud": []},
        {"aud": ["us", "others"]},
        {"aud": ["us", "others"], "azp": "others"},
        {"iss": "https://elsewhere.example"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 9_000_000_000},
        {"sub": ""},
    ],
    ids=str,
)
async def test_a_token_that_says_something_else_lets_nobody_in(
    issuer: Issuer, changes: dict[str, Any]
):
    with pytest.raises(SignOnRefused) as refused:
        await issuer.identity(signed(issuer.claims(**changes)))

    assert "id_token" in refused.value.reason
