"""`doctor` names what is wrong and what helps, and fails when something is."""

from datetime import timedelta

from console.checks.finding import TOLERANCE, about_time
from domain.clock import SystemClock


async def test_a_sound_installation_is_told_so(command):
    done = await command("doctor")

    assert done.code == 0
    assert "✓ MongoDB: version 6" in done.out
    assert "✓ Redis: version" in done.out
    assert "✓ account city: WeChat gives us a token" in done.out
    assert "! security: the keys are the public ones" in done.out
    assert done.out.rstrip().endswith("all is well")


async def test_wrong_settings_are_the_first_thing_said(command):
    done = await command("doctor", WEIZHENG_SERVER__PORT="high")

    assert done.code == 1
    assert "✗ settings: setting server.port" in done.out


async def test_databases_that_do_not_answer_are_all_named(command, free_port):
    done = await command(
        "doctor",
        WEIZHENG_MONGO__URI=f"mongodb://127.0.0.1:{free_port}/?serverSelectionTimeoutMS=100",
        WEIZHENG_REDIS__URL=f"redis://127.0.0.1:{free_port}",
    )

    assert done.code == 1
    assert "✗ MongoDB: setting mongo.uri: no MongoDB answers" in done.out
    assert "✗ Redis: setting redis.url: no Redis answers" in done.out


async def test_a_wrong_secret_is_explained(command):
    done = await command("doctor", WEIZHENG_ACCOUNTS__0__APP_SECRET="not-the-secret")

    assert done.code == 1
    assert "✗ account city: WeChat refuses: 40125" in done.out
    assert "check app_secret of this account" in done.out


async def test_a_subscription_template_of_another_kind_is_named(command):
    name = "WEIZHENG_ACCOUNTS__0__SUBSCRIPTION_TEMPLATES__CASE_NOTICE__KIND"

    done = await command("doctor", **{name: "long_term"})

    # the sandbox reads the same settings file, without this change
    assert done.code == 1
    assert "subscription_templates.case_notice: kind is long_term" in done.out
    assert 'kind = "one_time"' in done.out


async def test_a_platform_that_cannot_be_reached_is_named(command, free_port):
    done = await command("doctor", WEIZHENG_ACCOUNTS__0__API_BASE=f"http://127.0.0.1:{free_port}")

    assert done.code == 1
    assert f"✗ account city: http://127.0.0.1:{free_port} does not answer" in done.out


async def test_an_account_that_the_platform_does_not_know_is_named(command):
    done = await command("doctor", WEIZHENG_ACCOUNTS__0__APP_ID="wx0000000000000000")

    assert done.code == 1
    assert "40013" in done.out


def test_a_clock_that_is_wrong_is_told_by_how_much():
    theirs = SystemClock().now() - TOLERANCE - timedelta(seconds=60)

    finding = about_time("Redis", "version 6.2", "Redis 6.2", theirs, SystemClock().now())

    assert finding.verdict == "bad"
    assert "90 s apart" in finding.detail
    assert "timedatectl" in finding.remedy
