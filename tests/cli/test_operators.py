"""`run.py admin`: what helps when nobody can get in, with the console's own rules."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from console.second_factor import SecondFactors
from domain.errors import ConfigError, NotAllowed
from push.audit import Audit
from storage.mongo.audit import MongoAudit
from storage.mongo.operators import MongoOperators
from storage.mongo.second_factors import MongoSecondFactors
from tests.support.people import EDITOR, PASSWORD, SECURITY, phone_code
from tests.support.settings import FIELD_KEY


@pytest.fixture
def command(env, redis) -> Callable[..., Awaitable[Result]]:
    """Run a command in a thread of its own: a process would take seconds to start."""

    own = env | {"WEIZHENG_SECURITY__FIELD_KEY": FIELD_KEY, "COLUMNS": "200"}

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, [*words], env=own)

    return run


@pytest.fixture
async def operators(mongo) -> MongoOperators:
    return MongoOperators(mongo)


async def test_operators_are_listed_helped_and_disabled(
    command, operators, mongo, fields, settings, clock
):
    wang = await operators.create("王芳", EDITOR, PASSWORD, now=clock.now())
    factors = SecondFactors(MongoSecondFactors(mongo, fields), clock)
    offered = await factors.offer(wang, "王芳", to="t")
    await factors.confirm(wang, phone_code(offered.secret, clock), to="t")

    listed = await command("admin", "list")
    reset = await command("admin", "reset-second-factor", "王芳")
    again = await command("admin", "reset-second-factor", "王芳")
    disabled = await command("admin", "disable", "王芳")

    assert [each.exit_code for each in (listed, reset, again, disabled)] == [0, 0, 0, 0]
    assert await operators.find(wang) is None
    chain = Audit(MongoAudit(mongo, settings.security.master_key), clock).chain()
    done = [(entry.action, entry.actor[:4]) async for entry in chain if entry.outcome == "done"]
    assert done == [
        ("second_factor.reset", "cli:"),
        ("second_factor.reset", "cli:"),
        ("operator.disable", "cli:"),
    ]


async def test_the_last_security_administrator_and_strangers_are_refused(command, operators, clock):
    await operators.create("钱安全", SECURITY, PASSWORD, now=clock.now())

    last = await command("admin", "disable", "钱安全")
    nobody = await command("admin", "disable", "没有人")

    assert isinstance(last.exception, NotAllowed)
    assert "最后一位安全管理员" in last.exception.say
    assert isinstance(nobody.exception, ConfigError)
    assert "there is no operator '没有人'" in str(nobody.exception)


async def test_the_only_security_administrator_is_confirmed_at_the_server(
    command, operators, clock
):
    security = await operators.create("钱安全", SECURITY, PASSWORD, now=clock.now())
    await operators.unconfirm(security, now=clock.now())

    listed = await command("admin", "list")
    done = await command("admin", "confirm", "钱安全")
    again = await command("admin", "confirm", "钱安全")

    assert "to be confirmed" in listed.stdout
    assert "count now" in done.output
    assert "need not be" in again.output
    assert (await operators.get(security)).in_force.grants == SECURITY
