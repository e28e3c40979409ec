"""access_token: how the platform hands it out, and how it dies."""

import pytest


async def works(sandbox, token):
    """Return the errcode of a call with this token, 0 if it works."""
    return (await sandbox.call("getcallbackip", token=token)).get("errcode", 0)


async def test_the_previous_token_works_five_more_minutes(sandbox, clock):
    old = (await sandbox.get_token())["access_token"]
    new = (await sandbox.get_token())["access_token"]

    assert (await works(sandbox, old), await works(sandbox, new)) == (0, 0)
    clock.advance(301)
    assert (await works(sandbox, old), await works(sandbox, new)) == (40001, 0)


async def test_the_token_before_the_previous_dies_at_once(sandbox):
    tokens = [(await sandbox.get_token())["access_token"] for _ in range(3)]

    assert [await works(sandbox, token) for token in tokens] == [40001, 0, 0]


async def test_a_token_expires_after_two_hours(sandbox, clock):
    token = (await sandbox.get_token())["access_token"]

    clock.advance(7201)

    assert await works(sandbox, token) == 42001


@pytest.mark.parametrize(("token", "code"), [("", 41001), ("short", 40014), ("x" * 120, 40001)])
async def test_missing_malformed_and_unknown_tokens_differ(sandbox, token, code):
    assert await works(sandbox, token) == code


async def test_the_stable_token_stays_the_same_until_its_last_five_minutes(sandbox, clock):
    first = await sandbox.stable_token()
    clock.advance(6000)
    again = await sandbox.stable_token()
    clock.advance(1000)
    renewed = await sandbox.stable_token()

    assert again["access_token"] == first["access_token"]
    assert (first["expires_in"], again["expires_in"], renewed["expires_in"]) == (7200, 1200, 7200)
    assert renewed["access_token"] != first["access_token"]
    assert await works(sandbox, first["access_token"]) == 0


async def test_the_two_kinds_of_token_do_not_kill_each_other(sandbox):
    stable = (await sandbox.stable_token())["access_token"]
    for _ in range(3):
        plain = (await sandbox.get_token())["access_token"]

    assert (await works(sandbox, stable), await works(sandbox, plain)) == (0, 0)


async def test_a_forced_refresh_kills_the_old_token_but_not_twice_in_30_seconds(sandbox, clock):
    old = (await sandbox.stable_token())["access_token"]
    forced = (await sandbox.stable_token(force=True))["access_token"]
    repeated = (await sandbox.stable_token(force=True))["access_token"]
    clock.advance(31)
    later = (await sandbox.stable_token(force=True))["access_token"]

    assert await works(sandbox, old) == 40001
    assert repeated == forced
    assert later != forced


async def test_twenty_forced_refreshes_a_day(sandbox, clock):
    for _ in range(20):
        await sandbox.stable_token(force=True)
        clock.advance(31)

    assert (await sandbox.stable_token(force=True))["errcode"] == 45009
    assert "access_token" in await sandbox.stable_token()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret": "wrong"}, 40125),
        ({"appid": "wx9999999999999999"}, 40013),
        ({"grant_type": "password"}, 40002),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
    ],
)
async def test_wrong_credentials_are_named(sandbox, changes, code):
    answer = await sandbox.get_token(**changes)

    assert answer["errcode"] == code
    assert " rid: " in answer["errmsg"]


async def test_an_address_outside_the_whitelist_is_told(sandbox):
    await sandbox.do("account", whitelist=["203.0.113.9"])

    answer = await sandbox.get_token()

    assert answer["errcode"] == 40164
    assert "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist" in answer["errmsg"]


async def test_tokens_can_be_killed_and_expired_on_purpose(sandbox):
    token = (await sandbox.get_token())["access_token"]
    await sandbox.do("tokens", expire=True)
    expired = await works(sandbox, token)
    fresh = (await sandbox.get_token())["access_token"]
    await sandbox.do("tokens", kill=True)

    assert expired == 42001
    assert await works(sandbox, fresh) == 40001


async def test_a_trace_can_be_looked_up_for_seven_days(sandbox, clock):
    answer = await sandbox.call("user/info", openid="nobody")
    rid = answer["errmsg"].rpartition("rid: ")[2]

    found = await sandbox.call("openapi/rid/get", {"rid": rid})
    clock.advance(8 * 86400)
    sandbox.token = ""
    lost = await sandbox.call("openapi/rid/get", {"rid": rid})

    assert found["request"]["request_url"] == "/cgi-bin/user/info"
    assert lost["errcode"] == 76001
