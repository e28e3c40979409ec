"""A city of a million: its settings, its subscribers, its processes and the platform they call."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from bench.plan import Plan
from bench.processes import Program, free_port, output_of, program, server
from bench.pushes import Account
from bench.senders import DATA, URL
from bench.service import ACCOUNT_ID, write_settings
from config.settings import Settings
from domain.broadcast import Audience
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from push.orders import BroadcastOrder
from runtime.context import AppContext, open_context
from storage.embedded import open_mongo, open_redis

ACCOUNT = AccountId(ACCOUNT_ID)
TOPICS = ("outage.water", "outage.power", "weather.alert", "bus.detour")
DISTRICTS = ("440303", "440304", "440305", "440306")
FASTEST = 12_000  # sends a second that one process is not expected to exceed: how many to prepare
PACED, TRIAL_PACED = 6_000, 300  # people of the tag `paced`
SMALL = 20_000  # with fewer people what is repeated for precision is done once
LONGEST_BROADCAST = 120.0  # seconds
NAMES = {"thing1": "area", "time2": "start", "time3": "end", "thing4": "reason"}
NAMES |= {"character_string5": "number"}
_FIELDS = ", ".join(f'{key} = "{name}"' for key, name in NAMES.items())
_MORE = f"""
[accounts.templates.outage_notice]
id = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"
fields = {{ {_FIELDS} }}

[push]
per_second = 100000
quiet_hours = ""
"""


@dataclass(slots=True, kw_only=True)
class City:
    """Everything that the measurements share."""

    plan: Plan
    settings: Settings
    file: Path
    ctx: AppContext
    http: aiohttp.ClientSession
    platform: str
    platform_port: int
    slice_size: int  # people of each of the tags s0, s1, …
    import_seconds: float
    broadcasts: int = 0
    recipients: int = 0  # of broadcasts that ended, checked one by one
    lost: int = 0
    doubled: int = 0

    @property
    def is_small(self) -> bool:
        """Whether this is a trial of the measurements rather than a measurement."""
        return self.plan.people < SMALL

    @property
    def paced(self) -> int:
        """How many people have the tag `paced`."""
        return TRIAL_PACED if self.is_small else PACED

    @property
    def mongod(self) -> int:
        """Return the embedded mongod's process."""
        lock = self.settings.storage.data_dir / "mongo" / "data" / "mongod.lock"
        return int(lock.read_text())

    # --- processes --------------------------------------------------------------------------

    def worker(
        self, name: str, *, core: int, **push: object
    ) -> AbstractAsyncContextManager[Program]:
        """Run a push process; keywords are settings of `[push]`."""
        return self._program(name, "push", core, push)

    def scheduler(
        self, name: str, *, core: int, **push: object
    ) -> AbstractAsyncContextManager[Program]:
        """Run a scheduler process."""
        return self._program(name, "scheduler", core, push)

    def engine(self, name: str, *, core: int) -> AbstractAsyncContextManager[Program]:
        """Run both in one process."""
        return self._program(name, "push,scheduler", core, {})

    def _program(
        self, name: str, role: str, core: int, push: Mapping[str, object]
    ) -> AbstractAsyncContextManager[Program]:
        return program(
            ["run.py", "serve", "--roles", role, "--config", str(self.file)],
            core=core,
            log=self.plan.folder / f"{name}.log",
            sign="serve.started",
            env={f"WEIZHENG_PUSH__{key.upper()}": str(value) for key, value in push.items()},
        )

    # --- the platform -----------------------------------------------------------------------

    async def reset(self, *, latency: float = 0.0) -> None:
        """Begin a new book at the platform."""
        await self._ask(f"_reset?latency={latency}")

    async def tally(self) -> dict[str, Any]:
        """Return the platform's figures since then."""
        found: dict[str, Any] = await self._ask("_tally")
        return found

    async def sent(self) -> int:
        """Return how many sends the platform has seen."""
        return int((await self._ask("_count"))["total"])

    async def sends(self) -> list[tuple[str, float]]:
        """Return every send as (client_msg_id, Unix time)."""
        return [(key, at) for key, at in await self._ask("_sends")]

    async def _ask(self, what: str) -> Any:
        async with self.http.get(f"{self.platform}/{what}") as answer:
            return await answer.json(content_type=None)

    # --- broadcasts -------------------------------------------------------------------------

    async def order(self, audience: Audience, *, at: datetime | None = None) -> BroadcastId:
        """Order a broadcast as the API does."""
        self.broadcasts += 1
        order = BroadcastOrder(
            account=ACCOUNT,
            title=f"bench {self.broadcasts}",
            topic=TopicId(TOPICS[0]),
            audience=audience,
            template="outage_notice",
            data={name: DATA[key] for key, name in NAMES.items()},
            url=URL,
            at=at,
        )
        accepted = await self.ctx.broadcasts.create(order, author="bench", publish=True)
        return accepted.id

    async def state(self, broadcast: BroadcastId) -> str:
        """Return a broadcast's state, cheaply."""
        status = await self.ctx.stores.broadcasts.status(broadcast)
        return status.state if status else "gone"

    async def finished(self, broadcast: BroadcastId, people: int) -> dict[str, Any]:
        """Wait for the end of a broadcast; check the platform's book and return its figures."""

        async def is_finished() -> bool:
            state = await self.state(broadcast)
            if state not in ("scheduled", "sending", "finished"):
                raise RuntimeError(f"the broadcast is {state}")
            return state == "finished"

        await until(is_finished, LONGEST_BROADCAST)
        found = await self.tally()
        self.recipients += people
        self.lost += people - int(found["distinct"])
        self.doubled += int(found["doubled"])
        return found


async def until(condition: Callable[[], Any], seconds: float) -> None:
    """Look again and again, at most so long."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s")
        await asyncio.sleep(0.02)


def tag(name: str) -> Audience:
    """Return an audience of one tag."""
    return Audience(tags=(name,))


def somebody(numbers: range) -> Audience:
    """Return an audience of single people."""
    return Audience(openids=tuple(OpenId(openid_of(number)) for number in numbers))


def openid_of(number: int) -> str:
    """Return the openid of a person."""
    return f"oBench{number:022d}"


@asynccontextmanager
async def open_city(plan: Plan) -> AsyncIterator[City]:
    """Start databases and platform on the other core, and import everybody."""
    port = free_port()
    slice_size = max(100, min(plan.people, int(FASTEST * plan.seconds / 2)))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            server(
                ["-m", "bench.servers.recorder", str(port)],
                port=port,
                core=plan.client_core,
                log=plan.folder / "platform.log",
            )
        )
        platform = f"http://127.0.0.1:{port}"
        file, settings = write_settings(plan.folder, Account(), free_port(), platform, _MORE)
        # started from here they inherit our core, and everybody finds them running
        await stack.enter_async_context(open_mongo(settings))
        await stack.enter_async_context(open_redis(settings))
        import_seconds = await _import(plan, file, slice_size)
        yield City(
            plan=plan,
            settings=settings,
            file=file,
            ctx=await stack.enter_async_context(open_context(settings)),
            http=await stack.enter_async_context(
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
            ),
            platform=platform,
            platform_port=port,
            slice_size=slice_size,
            import_seconds=import_seconds,
        )


async def _import(plan: Plan, file: Path, slice_size: int) -> float:
    """Import by the command that operators use; return how long it took."""
    people = plan.folder / "people.jsonl"
    with people.open("w", encoding="utf-8") as lines:
        lines.writelines(_lines(plan.people, slice_size))
    begin = time.monotonic()
    await output_of(
        ["run.py", "subscribers", "import", str(people), "--account", ACCOUNT_ID,
         "--config", str(file)],
        core=plan.server_core,
        seconds=60 + plan.people / 3_000,
        quiet=True,
    )  # fmt: skip
    took = time.monotonic() - begin
    people.unlink()
    return took


def _lines(people: int, slice_size: int) -> Iterator[str]:
    slices = max(1, people // slice_size)
    paced = TRIAL_PACED if people < SMALL else PACED
    for number in range(people):
        tags = [f"s{number % slices}"] if number < slices * slice_size else []
        if number < paced:
            tags.append("paced")
        line = {
            "openid": openid_of(number),
            "topics": [topic for place, topic in enumerate(TOPICS) if number % (place + 1) == 0],
            "region": DISTRICTS[number % len(DISTRICTS)],
            "tags": tags,
        }
        yield json.dumps(line) + "\n"
