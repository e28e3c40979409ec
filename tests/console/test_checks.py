"""Each check of an account names what is wrong and what to do."""

from datetime import timedelta

import pytest
from aiohttp import web

from config.tax_calendar import FILE, load_tax_calendar
from connectors.wechat.api import WeChatApi
from connectors.wechat.inbox import Inbox, pair_of
from connectors.wechat.probe import Probe
from connectors.wechat.tokens import TokenKeeper
from console.checks.account import AccountCheck
from console.checks.finding import worst
from console.checks.local import check_mode, check_tax_calendar
from console.checks.servers import check_mongo, check_redis
from storage.facts import MongoFacts, RedisFacts, mongo_facts, redis_facts
from storage.redis.sealing import Sealer
from storage.redis.tokens import RedisTokens
from tests.support.department_server import stub_department
from tests.support.wechat_stub import EMPTY, wechat_stub

TOKEN = "/cgi-bin/stable_token"
REACH = "/cgi-bin/callback/check"


@pytest.fixture
async def platform():
    async with wechat_stub() as stub:
        yield stub


@pytest.fixture
def account(settings, platform):
    return settings.account("city").model_copy(update={"api_base": platform.url})


@pytest.fixture
def check(http, account, redis, clock):
    return checking(http, account, redis, clock, "http://127.0.0.1:9")


def checking(http, account, redis, clock, public_url) -> AccountCheck:
    secret = account.app_secret.get_secret_value()
    keeper = TokenKeeper(
        account.app_id, secret, account.api_base, http, RedisTokens(redis, Sealer(bytes(96))), clock
    )
    api = WeChatApi(
        http, api_base=account.api_base, app_id=account.app_id, app_secret=secret, tokens=keeper
    )
    return AccountCheck(account, Probe(http, account, clock), api, public_url=public_url)


async def test_an_address_outside_the_whitelist_is_named(check, platform):
    text = "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 1-2-3"
    platform.on(TOKEN, {"errcode": 40164, "errmsg": text})

    finding = await check.whitelist()

    assert finding.verdict == "bad"
    assert "203.0.113.9" in finding.do
    assert "add 203.0.113.9 to the IP whitelist" in finding.remedy


async def test_a_token_check_asks_the_platform_however_fresh_the_token_is(check, platform):
    first = await check.token()
    platform.on(TOKEN, {"errcode": 40125, "errmsg": "invalid appsecret"})

    second = await check.token()

    assert (first.verdict, second.verdict) == ("good", "bad")
    assert "错误码 40125" in second.say
    assert "AppSecret" in second.do
    assert "force_refresh" in platform.calls(TOKEN)[0].json
    assert platform.calls(TOKEN)[0].json["force_refresh"] is False


@pytest.mark.parametrize("answer", [EMPTY, {"access_token": ""}, {"errcode": 98765}])
async def test_an_odd_answer_is_explained_too(check, platform, answer):
    platform.on(TOKEN, answer)

    finding = await check.token()

    assert finding.verdict == "bad"
    assert finding.do


async def test_the_platforms_own_look_at_the_callback_is_told(check, platform):
    dns = [{"ip": "203.0.113.9", "real_operator": "UNICOM"}]
    lost = {"ip": "203.0.113.9", "from_operator": "CAP", "package_loss": "100%", "time": ""}
    platform.on(
        REACH,
        {"dns": dns, "ping": [lost | {"package_loss": "0%"}]},
        {"dns": dns, "ping": [lost]},
        {"dns": [], "ping": []},
        {"dns": "nonsense"},
        {"errcode": 40201, "errmsg": "invalid url"},
    )

    found = [(await check.callback_from_platform()).verdict for _ in range(5)]

    assert found == ["good", "note", "bad", "bad", "bad"]


async def test_our_own_verification_is_answered_or_told_apart(http, account, redis, clock):
    inbox = Inbox(account, clock)

    async def answer(request):
        return web.Response(text=inbox.echo(request.query))

    async with stub_department(answer, 404, b"welcome to another site") as here:
        check = checking(http, account, redis, clock, here.url)
        found = [
            await check.callback_from_here(pair_of(account), is_serving=True) for _ in range(3)
        ]
    nobody = await check.callback_from_here(pair_of(account), is_serving=True)
    before_start = await check.callback_from_here(pair_of(account), is_serving=False)

    assert [finding.verdict for finding in found] == ["good", "bad", "bad"]
    assert "HTTP 404" in found[1].say
    assert (nobody.verdict, before_start.verdict) == ("bad", "note")
    assert here.requests[0].path == "/wechat/city"


async def test_a_template_that_is_missing_or_differs_is_named(check, platform, account):
    listed = [
        {"template_id": t.id, "content": "\n".join(f"{{{{{k}.DATA}}}}" for k in t.fields)}
        for name, t in account.templates.items()
        if name != "alert_notice"
    ]
    listed[0]["content"] += "\n{{thing9.DATA}}"
    platform.on("/cgi-bin/template/get_all_private_template", {"template_list": listed})
    notices = [
        {"priTmplId": t.id, "content": "\n".join(f"{{{{{k}.DATA}}}}" for k in t.fields), "type": 3}
        for t in account.subscription_templates.values()
    ]
    platform.on("/wxaapi/newtmpl/gettemplate", {"errcode": 0, "data": notices})

    findings = await check.templates()

    said = "\n".join(finding.say for finding in findings)
    assert worst(findings) == "bad"
    assert "thing9" in said
    assert "alert_notice" in said


async def test_what_is_left_of_the_day_is_told(check, platform):
    path = "/cgi-bin/openapi/quota/get"
    quota = {"daily_limit": 1000, "used": 100, "remain": 900}
    platform.on(
        path,
        {"errcode": 0, "quota": quota},
        {"errcode": 0, "quota": quota | {"used": 800, "remain": 200}},
        {"errcode": 0, "quota": quota | {"used": 1000, "remain": 0}},
    )

    found = [await check.quota() for _ in range(3)]

    assert [finding.verdict for finding in found] == ["good", "note", "bad"]
    assert "还能发 900 条" in found[0].say


async def test_an_account_without_a_menu_is_told_so(check, platform):
    platform.on("/cgi-bin/menu/get", {"errcode": 46003, "errmsg": "menu no exist"})

    assert (await check.menu({"button": []})).verdict == "note"


async def test_the_servers_say_what_they_are(mongo, redis, clock):
    mongo_said, redis_said = await mongo_facts(mongo), await redis_facts(redis)

    assert check_mongo(mongo_said, mongo_said.now).verdict == "good"
    assert check_redis(redis_said, redis_said.now).verdict in ("good", "note")


def test_servers_that_lose_things_are_told(clock):
    now = clock.now()
    sound = {"version": "6.2.1", "now": now, "is_master": True, "keeps_over_restart": True}

    def redis(**more):
        return check_redis(RedisFacts(**(sound | {"evicts": ""} | more)), now).verdict

    assert redis() == "good"
    assert redis(keeps_over_restart=False) == "note"
    assert redis(is_master=False) == redis(evicts="allkeys-lru") == redis(version="5.0") == "bad"
    assert redis(now=now + timedelta(minutes=1)) == "bad"
    assert check_mongo(MongoFacts(version="4.4.1", now=now), now).verdict == "bad"


def test_a_key_typed_by_hand_and_an_open_mode_are_noticed(settings):
    account = settings.account("city")
    secret = type(account.token)
    typed = account.model_copy(update={"encoding_aes_key": secret("a" * 43), "mode": "plain"})
    server = settings.server.model_copy(update={"public_url": "http://gov.example"})
    public = settings.model_copy(update={"server": server})

    found = list(check_mode(public, typed))

    assert [finding.verdict for finding in found] == ["note", "bad", "note"]


def test_a_day_of_the_tax_calendar_that_was_typed_wrongly_is_told(tmp_path):
    sound = load_tax_calendar()
    text = FILE.read_text(encoding="utf-8")
    wrong = tmp_path / "tax.toml"
    wrong.write_text(text.replace('"03-16"', '"03-18"'), encoding="utf-8")

    assert check_tax_calendar(sound).verdict == "good"
    assert check_tax_calendar(load_tax_calendar(wrong)).verdict == "note"
