"""The settings choose the triggers, and a mistake in them is found before anything starts."""

import pytest

from config.settings import Settings, load_settings
from domain.errors import ConfigError
from runtime.context import open_context
from runtime.triggers import make_triggers
from tests.support.settings import make_settings


async def made(settings: Settings):
    async with open_context(settings) as ctx:
        engine = make_triggers(ctx)
        await engine.tick()
        rows = [(row.account, row.trigger) for row in await ctx.stores.triggers.rows()]
        await engine.aclose()
        return rows


@pytest.fixture
def with_triggers(settings, mongo, redis):
    def build(**triggers) -> Settings:
        return make_settings(
            settings.storage.data_dir, database=settings.mongo.database, triggers=triggers
        )

    return build


async def test_without_settings_every_trigger_is_off(with_triggers):
    assert await made(with_triggers()) == []


async def test_a_trigger_speaks_for_the_accounts_that_are_named(with_triggers):
    settings = with_triggers(
        outage={"accounts": ["city", "both"]}, violation={"accounts": ["city"], "every": 3600}
    )

    assert await made(settings) == [
        ("both", "outage"),
        ("city", "outage"),
        ("city", "violation"),
    ]


async def test_a_trigger_that_does_not_exist_is_named_with_those_that_do(with_triggers):
    with pytest.raises(ConfigError, match=r"triggers\.outrage .*fund_balance.*outage"):
        await made(with_triggers(outrage={"accounts": ["city"]}))


async def test_a_balance_trigger_wants_a_template_that_can_hide_the_amount(with_triggers):
    with pytest.raises(ConfigError, match="lock screen"):
        await made(with_triggers(fund_balance={"accounts": ["city"]}))


async def test_an_account_that_does_not_exist_is_found_while_reading(with_triggers):
    with pytest.raises(ValueError, match="nowhere"):
        with_triggers(outage={"accounts": ["nowhere"]})


def test_the_settings_for_trying_out_have_every_trigger_of_departments_on():
    assert {"outage", "violation", "social_balance", "medical_balance", "fund_balance"} <= set(
        load_settings(env={}).triggers
    )
