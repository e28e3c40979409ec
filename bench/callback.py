"""Messages in: a signed text message from a citizen to the answer they read.

The bare server answers one word and does nothing else. WeRoBot decrypts, loads and saves a
session in SQLite, answers a fixed text and encrypts it, in the same safe mode as ours. Ours does
everything it does for citizens: decryption and both signatures, the guard against repeated
pushes, the citizen's lock, the session, routing, a handler, its template, encryption, on a real
MongoDB and a real Redis; once with a text that needs no database, once with one for which
MongoDB is asked and a dialog begun.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import load
from bench.plan import Plan
from bench.processes import Running, free_port, server
from bench.pushes import Account, Platform, Push
from bench.report import Row, Sample, Section, ratio
from bench.servers.robot import ANSWER
from bench.service import ACCOUNT_ID, ASKING, PLAIN, Line, service

WARM_UP = 300
CHECKED = 50  # answers per round that are opened and read


@dataclass(slots=True)
class Contender:
    """A running server, the messages it gets and what it must answer."""

    name: str
    running: Running
    platform: Platform
    text: str
    accepts: Callable[[bytes, str], None]  # an answer and whom it is for; raises when it is wrong
    rate: float = 0.0  # requests a second in the warm-up
    samples: list[Sample] = field(default_factory=list)


async def measure(plan: Plan) -> Section:
    """Let every server answer, in turns."""
    async with AsyncExitStack() as stack:
        contenders = [
            await stack.enter_async_context(_bare(plan)),
            await stack.enter_async_context(_robot(plan)),
            *await stack.enter_async_context(_ours(plan)),
        ]
        for contender in contenders:
            await _warm_up(contender)
        for _ in range(plan.rounds):
            for contender in contenders:
                contender.samples.append(await _round(contender, plan.seconds))
    bare, robot, ours, _ = [each.samples for each in contenders]
    return Section(
        name="callback",
        title="A citizen's message: 64 connections, 500 citizens, every message new",
        rows=[Row.of(each.name, each.samples) for each in contenders],
        ratios=[
            ratio("ours / bare Tornado", ours, bare, aim=0.30),
            ratio("ours / WeRoBot", ours, robot, aim=3.0),
        ],
        checked=f"every status; {CHECKED} answers per round opened, verified and read",
    )


async def _warm_up(contender: Contender) -> None:
    warm = await _send(contender, contender.platform.pushes(WARM_UP, contender.text))
    contender.rate = WARM_UP / warm.seconds


async def _round(contender: Contender, seconds: float) -> Sample:
    count = max(load.CONNECTIONS * 2, int(contender.rate * seconds))
    pushes = contender.platform.pushes(count, contender.text)
    cpu = contender.running.cpu_seconds()
    done = await _send(contender, pushes)
    cpu = contender.running.cpu_seconds() - cpu
    return Sample(
        requests=count,
        seconds=done.seconds,
        p50_ms=done.percentile_ms(50),
        p99_ms=done.percentile_ms(99),
        cpu_us=cpu / count * 1e6,
    )


async def _send(contender: Contender, pushes: Sequence[Push]) -> load.Load:
    done = await load.run(contender.running.port, [push.request for push in pushes])
    if done.failures:
        raise RuntimeError(f"{contender.name}: {done.failures} of {len(pushes)} answers failed")
    for number in random.sample(range(len(pushes)), min(CHECKED, len(pushes))):
        contender.accepts(done.bodies[number], pushes[number].openid)
    return done


@asynccontextmanager
async def _bare(plan: Plan) -> AsyncIterator[Contender]:
    port = free_port()
    log = plan.folder / "hello.log"
    arguments = ["-m", "bench.servers.hello", str(port)]

    def accepts(body: bytes, _openid: str) -> None:
        assert body == b"hello", body

    async with server(arguments, port=port, core=plan.server_core, log=log) as running:
        platform = Platform(Account(), "/", safe=False)
        yield Contender("bare Tornado, one word", running, platform, PLAIN.says, accepts)


@asynccontextmanager
async def _robot(plan: Plan) -> AsyncIterator[Contender]:
    port = free_port()
    folder = _folder(plan, "robot")  # its SQLite file is written where it runs
    platform = Platform(Account(), "/", safe=True)

    def accepts(body: bytes, openid: str) -> None:
        fields = platform.open(body)
        assert fields["Content"] == ANSWER, fields
        assert fields["ToUserName"] == openid, fields

    async with server(
        ["-m", "bench.servers.robot", str(port)],
        port=port,
        core=plan.server_core,
        log=plan.folder / "robot.log",
        folder=folder,
    ) as running:
        yield Contender("WeRoBot, safe mode, SQLite", running, platform, PLAIN.says, accepts)


@asynccontextmanager
async def _ours(plan: Plan) -> AsyncIterator[list[Contender]]:
    account = Account()
    platform = Platform(account, f"/wechat/{ACCOUNT_ID}", safe=True)

    def contender(name: str, running: Running, line: Line) -> Contender:
        def accepts(body: bytes, openid: str) -> None:
            fields = platform.open(body)
            assert line.expects in fields["Content"], fields
            assert fields["ToUserName"] == openid, fields

        return Contender(name, running, platform, line.says, accepts)

    async with service(plan, account, _folder(plan, "service")) as running:
        yield [
            contender("ours, safe mode", running, PLAIN),
            contender("ours, MongoDB asked too", running, ASKING),
        ]


def _folder(plan: Plan, name: str) -> Path:
    folder = plan.folder / name
    folder.mkdir()
    return folder
