"""The access_token: one for all processes, bounded calls whatever the platform does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import aiohttp
import pytest
from redis.asyncio import Redis

from config.settings import Settings
from connectors.wechat.tokens import LEASE, TokenKeeper
from domain.delivery import SendFailed
from storage.embedded import open_redis
from storage.redis.sealing import Sealer
from storage.redis.tokens import RedisTokens
from tests.support.clock import FakeClock
from tests.support.wechat_stub import CUT, HTML_502, SILENCE, WeChatStub, wechat_stub

APP = "wx0123456789abcdef"
PATH = "/cgi-bin/stable_token"
SECRET = "s3cret-of-the-account"

NewKeeper = Callable[..., TokenKeeper]


@pytest.fixture
async def platform() -> AsyncIterator[WeChatStub]:
    async with wechat_stub() as stub:
        yield stub


@pytest.fixture
def new_keeper(
    platform: WeChatStub,
    redis: Redis,
    settings: Settings,
    http: aiohttp.ClientSession,
    clock: FakeClock,
) -> NewKeeper:
    """Another process, as far as tokens are concerned."""

    def build(client: Redis = redis, **options: object) -> TokenKeeper:
        cache = RedisTokens(client, Sealer(settings.security.master_key))
        return TokenKeeper(APP, SECRET, platform.url, http, cache, clock, **options)

    return build


async def test_a_token_is_asked_for_once_and_then_remembered(
    new_keeper: NewKeeper, platform: WeChatStub
) -> None:
    keeper = new_keeper()

    tokens = [await keeper.token() for _ in range(3)]

    assert tokens == ["token-1"] * 3
    (asked,) = platform.calls(PATH)
    assert asked.json == {
        "grant_type": "client_credential",
        "appid": APP,
        "secret": SECRET,
        "force_refresh": False,
    }


async def test_a_second_process_takes_the_first_ones_token(
    new_keeper: NewKeeper, platform: WeChatStub
) -> None:
    await new_keeper().token()

    assert await new_keeper().token() == "token-1"
    assert len(platform.calls(PATH)) == 1


async def test_two_processes_starting_at_once_make_one_token_call(
    new_keeper: NewKeeper, platform: WeChatStub, settings: Settings
) -> None:
    async def slow(asked: object) -> dict[str, object]:
        await asyncio.sleep(0.1)  # long enough for everybody to want one
        return platform.next_token(asked)

    platform.on(PATH, slow)

    async with open_redis(settings) as second_client:
        one, two = new_keeper(), new_keeper(second_client)
        tokens = await asyncio.gather(*(k.token() for k in (one, two) for _ in range(32)))

    assert set(tokens) == {"token-1"}
    assert len(platform.calls(PATH)) == 1
    assert one.refreshes + two.refreshes == 1


async def test_the_token_is_renewed_before_it_expires(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    keeper = new_keeper()
    await keeper.token()

    clock.advance(7200 - 301)
    before = await keeper.token()
    clock.advance(2)
    after = await keeper.token()

    assert (before, after) == ("token-1", "token-2")


async def test_when_renewing_fails_the_ageing_token_serves_on(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    keeper = new_keeper()
    await keeper.token()
    platform.on(PATH, HTML_502)

    clock.advance(7200 - 200)
    tokens = [await keeper.token() for _ in range(5)]

    assert tokens == ["token-1"] * 5
    assert len(platform.calls(PATH)) == 2  # the first, and one of the five


async def test_an_ageing_token_serves_while_another_process_renews_it(
    new_keeper: NewKeeper, redis: Redis, settings: Settings, clock: FakeClock
) -> None:
    keeper = new_keeper()
    await keeper.token()
    clock.advance(7200 - 200)
    await RedisTokens(redis, Sealer(settings.security.master_key)).claim(APP, LEASE)

    async with asyncio.timeout(3):  # it does not wait for the other
        assert await keeper.token() == "token-1"


async def test_an_ageing_token_serves_while_a_neighbour_waits_for_the_next_one(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    keeper = new_keeper(timeout=aiohttp.ClientTimeout(total=4))
    await keeper.token()
    platform.on(PATH, SILENCE)
    clock.advance(7200 - 200)
    renewing = asyncio.create_task(keeper.token())
    await asyncio.sleep(0.1)

    async with asyncio.timeout(2):
        assert [await keeper.token() for _ in range(5)] == ["token-1"] * 5

    assert not renewing.done()
    assert await renewing == "token-1"
    assert len(platform.calls(PATH)) == 2


async def test_a_rejected_token_is_compared_with_the_store_before_it_is_thrown_away(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    late, quick = new_keeper(), new_keeper()
    await late.token()
    await quick.token()
    clock.advance(120)
    await quick.replace("token-1")

    renewed = await late.replace("token-1")

    assert renewed == "token-2"
    assert len(platform.calls(PATH)) == 2
    assert late.refreshes + quick.refreshes == 2


async def test_many_rejected_sends_of_one_process_make_one_token_call(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    keeper = new_keeper()
    await keeper.token()
    clock.advance(120)

    renewed = await asyncio.gather(*(keeper.replace("token-1") for _ in range(64)))

    assert set(renewed) == {"token-2"}
    assert len(platform.calls(PATH)) == 2


async def test_a_token_rejected_right_after_it_was_given_is_replaced_at_once(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    keeper = new_keeper()
    await keeper.token()
    clock.advance(10)

    assert await keeper.replace("token-1") == "token-2"
    assert len(platform.calls(PATH)) == 2


async def test_a_replacement_rejected_at_once_is_not_replaced_again_so_soon(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    keeper = new_keeper()
    await keeper.token()
    await keeper.replace("token-1")
    clock.advance(10)

    assert await keeper.replace("token-2") == "token-2"
    assert len(platform.calls(PATH)) == 2


async def test_force_is_used_only_for_a_token_that_was_reissued_and_rejected_again(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    same = {"access_token": "the-same", "expires_in": 7200}
    platform.on(PATH, same, same, {"access_token": "forced", "expires_in": 7200})
    keeper = new_keeper()
    await keeper.token()

    clock.advance(61)
    reissued = await keeper.replace("the-same")
    clock.advance(61)
    forced = await new_keeper().replace("the-same")  # the other process knows what happened

    assert (reissued, forced) == ("the-same", "forced")
    assert [asked.json["force_refresh"] for asked in platform.calls(PATH)] == [False, False, True]


async def test_force_stays_within_what_the_platform_allows_a_day(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock
) -> None:
    """20 forced renewals a day: a token that is rejected all day must not use them up."""
    platform.on(PATH, {"access_token": "the-same", "expires_in": 7200})
    keeper = new_keeper()
    await keeper.token()

    for _ in range(24 * 6):
        clock.advance(600)
        await keeper.replace("the-same")

    forced = [asked for asked in platform.calls(PATH) if asked.json["force_refresh"]]
    assert 1 <= len(forced) <= 20


@pytest.mark.parametrize("expires_in", [0, 3, None, "soon"])
async def test_a_tiny_or_missing_lifetime_does_not_make_a_loop(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock, expires_in: object
) -> None:
    platform.on(PATH, {"access_token": "short", "expires_in": expires_in})
    keeper = new_keeper()

    for _ in range(59):
        assert await keeper.token() == "short"
        clock.advance(1)

    assert len(platform.calls(PATH)) == 1


async def test_a_wrong_ip_is_explained_and_not_asked_about_for_three_minutes(
    new_keeper: NewKeeper, platform: WeChatStub, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    errmsg = "invalid ip 203.0.113.9, not in whitelist rid: 65a1b2c3-1f2e3d4c-5b6a7988"
    platform.on(PATH, {"errcode": 40164, "errmsg": errmsg})
    keeper = new_keeper()

    failures = []
    for _ in range(4):
        with pytest.raises(SendFailed) as caught:
            await keeper.token()
        failures.append(caught.value)
        clock.advance(59)

    assert {failure.failure for failure in failures} == {"config"}
    assert "203.0.113.9" in str(failures[-1])
    assert "whitelist" in str(failures[-1])
    assert len(platform.calls(PATH)) == 1
    assert caplog.records[0].rid == "65a1b2c3-1f2e3d4c-5b6a7988"

    clock.advance(10)
    platform.on(PATH, platform.next_token)
    assert await keeper.token() == "token-1"


async def test_a_wrong_secret_is_a_matter_of_settings_and_never_in_the_log(
    new_keeper: NewKeeper, platform: WeChatStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    platform.on(PATH, {"errcode": 40001, "errmsg": "invalid credential"})

    with pytest.raises(SendFailed) as caught:
        await new_keeper().token()

    assert caught.value.failure == "config"
    assert "app_secret" in str(caught.value)
    assert SECRET not in caplog.text
    assert not any(SECRET in str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("trouble", [CUT, HTML_502, SILENCE, {}, {"access_token": 7}, b"[]"])
async def test_without_an_answer_nothing_was_sent_so_it_may_be_tried_again(
    new_keeper: NewKeeper, platform: WeChatStub, trouble: object
) -> None:
    platform.on(PATH, trouble)
    keeper = new_keeper(timeout=aiohttp.ClientTimeout(total=0.2, connect=0.1))

    with pytest.raises(SendFailed) as caught:
        await keeper.token()

    assert caught.value.failure == "retry_now"


async def test_a_claim_left_by_a_killed_process_holds_nobody_up_for_ever(
    new_keeper: NewKeeper, redis: Redis, settings: Settings
) -> None:
    killed = RedisTokens(redis, Sealer(settings.security.master_key))
    await killed.claim(APP, timedelta(milliseconds=150))

    assert await new_keeper().token() == "token-1"


async def test_who_lost_the_claim_stores_nothing(redis: Redis, settings: Settings) -> None:
    cache = RedisTokens(redis, Sealer(settings.security.master_key))
    slow = await cache.claim(APP, LEASE)
    await redis.delete(cache.claim_prefix + APP)  # its lease ran out
    quick = await cache.claim(APP, LEASE)
    assert slow
    assert quick

    saved_by_quick = await cache.save(APP, quick, b"new", timedelta(hours=2))
    saved_by_slow = await cache.save(APP, slow, b"old", timedelta(hours=2))
    await cache.release(APP, slow)

    assert (saved_by_quick, saved_by_slow) == (True, False)
    assert await cache.load(APP) == b"new"
    assert await cache.claim(APP, LEASE) is None  # still the quick one's


async def test_the_token_lies_in_redis_sealed_and_for_a_time(
    new_keeper: NewKeeper, redis: Redis
) -> None:
    token = await new_keeper().token()

    (key,) = await redis.keys("wz:token*")  # the claim is gone
    stored = await redis.get(key)
    assert token.encode() not in stored
    assert 0 < await redis.ttl(key) <= 7200


async def test_a_token_sealed_under_another_master_key_is_fetched_anew(
    new_keeper: NewKeeper, redis: Redis, platform: WeChatStub
) -> None:
    other = RedisTokens(redis, Sealer(b"another installation's key"))
    claim = await other.claim(APP, LEASE)
    assert claim
    await other.save(APP, claim, b"not for us", timedelta(hours=1))
    await other.release(APP, claim)

    assert await new_keeper().token() == "token-1"
