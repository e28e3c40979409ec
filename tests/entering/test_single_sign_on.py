"""Single sign-on at a real provider: who is let in, and every way it must not work."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit, urlunsplit

import aiohttp
import pytest
from yarl import URL

from config.settings import OidcSettings
from connectors.oidc import LEEWAY, OidcProvider
from console.single_sign_on import SingleSignOn
from domain.audit import Wanted
from domain.clock import SystemClock
from domain.sign_on import SignOnRefused, SignOnUnavailable
from tests.support.clock import FakeClock
from tests.support.openid import CLIENT, SECRET, open_provider, sign_in_there
from tests.support.people import EDITOR, HERE, PASSWORD

BACK = "http://127.0.0.1:9/admin/sign-in/provider/back"


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[str]:
    async with open_provider(BACK) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


@dataclass
class Door:
    """Our side of single sign-on, a browser, and what is wrong with the way back."""

    service: SingleSignOn
    browser: aiohttp.ClientSession

    async def comes_as(
        self, login: str, *, there: dict[str, str] | None = None, back: dict[str, str] | None = None
    ) -> str:
        """Sign in at the provider and come back; returns the operator's id."""
        address, token = await self.service.begin()
        landed = await sign_in_there(self.browser, changed(address, there or {}), login, BACK)
        return await self.returns(token, changed(landed, back or {}))

    async def returns(self, token: str, landed: str) -> str:
        query = {name: value[0] for name, value in parse_qs(urlsplit(landed).query).items()}
        operator = await self.service.finish(
            token,
            state=query.get("state", ""),
            code=query.get("code", ""),
            issuer=query.get("iss", ""),
            visit=HERE,
        )
        return operator.id


def changed(address: str, values: dict[str, str]) -> str:
    return str(URL(address).update_query(values)) if values else address


def settings_for(issuer: str, **more: str) -> OidcSettings:
    content = {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET, **more}
    return OidcSettings.model_validate(content)


@pytest.fixture
def today() -> FakeClock:
    """The provider has the machine's clock, so ours begins there."""
    return FakeClock(SystemClock().now())


@pytest.fixture
def door_to(http, operators, entries, trail, today, browser):
    def build(settings: OidcSettings, **more: float) -> Door:
        provider = OidcProvider(http, settings, BACK, today, **more)
        service = SingleSignOn(
            provider, operators, entries, trail, label="统一身份认证", has_two_factors=False
        )
        return Door(service, browser)

    return build


@pytest.fixture
async def door(door_to, issuer) -> Door:
    return door_to(settings_for(issuer))


@pytest.fixture
async def wang(operators, clock) -> str:
    operator_id = await operators.create("王芳", EDITOR, PASSWORD, now=clock.now())
    await operators.set_single_sign_on_id(operator_id, "wang")
    return operator_id


async def test_whoever_the_provider_names_is_the_operator_with_that_identity(door, wang):
    assert await door.comes_as("wang") == wang


async def test_a_claim_that_only_userinfo_tells_is_asked_for(door_to, issuer, operators, wang):
    await operators.set_single_sign_on_id(wang, "wang@city")
    door = door_to(settings_for(issuer, claim="preferred_username"))

    assert await door.comes_as("wang") == wang


async def test_nobody_is_created_for_an_unknown_person(door, operators, wang, trail):
    with pytest.raises(SignOnRefused, match="没有对应的工作人员"):
        await door.comes_as("stranger")

    assert len(await operators.list_(disabled=True)) == 1
    entries, _ = await trail.search(Wanted(action="sign_in.provider"))
    assert [entry.outcome for entry in entries] == ["refused"]
    assert "stranger" not in str(entries)


async def test_a_disabled_operator_stays_out(door, operators, wang, clock):
    await operators.disable(wang, by="op_other", now=clock.now())

    with pytest.raises(SignOnRefused):
        await door.comes_as("wang")


@pytest.mark.parametrize(
    ("there", "back", "reason"),
    [
        ({"nonce": "another"}, {}, "nonce"),
        ({"state": "another"}, {}, "wrong state"),
        ({}, {"state": "another"}, "wrong state"),
        ({}, {"state": ""}, "wrong state"),
        ({}, {"iss": "https://elsewhere.example"}, "another issuer"),
        ({}, {"code": ""}, "no code"),
        ({}, {"code": "made-up"}, "status 400"),
        # the challenge of another verifier: the provider refuses the exchange
        ({"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, {}, "status 400"),
    ],
)
async def test_what_was_changed_on_the_way_lets_nobody_in(door, wang, there, back, reason):
    with pytest.raises(SignOnRefused) as refused:
        await door.comes_as("wang", there=there, back=back)

    assert reason in refused.value.reason


async def test_an_id_token_that_is_over_lets_nobody_in(door, wang, today):
    address, token = await door.service.begin()
    landed = await sign_in_there(door.browser, address, "wang", BACK)
    today.advance(timedelta(seconds=3600 + LEEWAY + 10))

    with pytest.raises(SignOnRefused) as refused:
        await door.returns(token, landed)

    assert "Expired" in refused.value.reason


async def test_a_way_back_is_gone_once(door, wang):
    address, token = await door.service.begin()
    landed = await sign_in_there(door.browser, address, "wang", BACK)
    await door.returns(token, landed)

    with pytest.raises(SignOnRefused, match="没有完成"):
        await door.returns(token, landed)


async def test_what_another_browser_began_does_not_end_here(door, wang):
    address, _ = await door.service.begin()
    _, own = await door.service.begin()
    landed = await sign_in_there(door.browser, address, "wang", BACK)

    for token in (own, "", "x" * 500):
        with pytest.raises(SignOnRefused):
            await door.returns(token, landed)


async def test_a_code_made_for_another_client_is_none_for_us(door_to, issuer, wang, operators):
    door = door_to(settings_for(issuer, client_id="another"))
    address, token = await door.service.begin()
    landed = await sign_in_there(
        door.browser, changed(address, {"client_id": CLIENT}), "wang", BACK
    )

    with pytest.raises(SignOnRefused):
        await door.returns(token, landed)


@pytest.mark.parametrize("told", [b"", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"hang"])
async def test_a_provider_that_fails_or_hangs_is_said_to_be_unavailable(door_to, told: bytes):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if told == b"hang":
            await reader.read()  # until they give up
        writer.write(told if told != b"hang" else b"")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(SignOnUnavailable) as unavailable:
        await door_to(settings_for(f"http://127.0.0.1:{port}"), seconds=0.3).service.begin()

    assert "暂时无法使用" in unavailable.value.say
    server.close()


async def test_a_crowd_at_the_button_does_not_crowd_a_provider_that_hangs(door_to, today):
    asked = 0

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    service = door_to(settings_for(f"http://127.0.0.1:{port}"), seconds=0.3).service

    done = await asyncio.gather(*(service.begin() for _ in range(50)), return_exceptions=True)
    today.advance(timedelta(seconds=6))
    with pytest.raises(SignOnUnavailable):
        await service.begin()

    assert all(isinstance(each, SignOnUnavailable) for each in done)
    assert asked == 2
    server.close()


async def test_metadata_of_another_issuer_is_not_believed(door_to, issuer):
    other = urlunsplit(
        urlsplit(issuer)._replace(
            netloc=issuer.rpartition("/")[2].replace("127.0.0.1", "localhost")
        )
    )

    with pytest.raises(SignOnUnavailable, match="another issuer"):
        await door_to(settings_for(other)).service.begin()


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://login.example"},
        {"issuer": "login.example"},
        {"client_secret": ""},
        {"scopes": "profile"},
        {"second_factor": "none"},
        {"colour": "red"},
    ],
)
def test_settings_that_are_not_safe_are_refused(wrong):
    right = {"issuer": "https://login.example", "client_id": "x", "client_secret": "y"}
    assert OidcSettings.model_validate(right).claim == "sub"

    with pytest.raises(ValueError, match=next(iter(wrong))):
        OidcSettings.model_validate(right | wrong)
