"""An installation of real processes: databases, sandbox, web, workers, schedulers.

Every process writes into a log file of its own (a pipe nobody reads would stop it). A member can
be killed and started again under its name; a start is over when its log says so.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from pymongo.asynchronous.database import AsyncDatabase

from config.settings import Settings, load_settings
from domain.clock import SystemClock
from domain.ids import AccountId
from sandbox.followers import synthetic_openids
from sandbox.quotas import TEMPLATE_SEND
from storage.embedded import Document, open_mongo, open_redis
from storage.mongo.api_keys import MongoApiKeys
from storage.redis.limiter import Limiter
from storage.redis.scripts import StoreAway
from tests.support.ports import find_free_port
from tests.support.program import ROOT, finished

ACCOUNT = "city"
TOPIC = "outage.water"
CONFIG = ROOT / "config" / "settings.toml"
PREFIX = "oFault"
GROUPS = 10  # tags g0 … g9: the smaller broadcasts
START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(slots=True)
class Member:
    """One process of ours, by its name; it may have several lives."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    sign: str  # what its log says once it works
    env: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    is_killed: bool = False  # on purpose, and not started again yet
    born_at: int = 0  # where the log of its present life begins

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def is_up(self) -> bool:
        """Whether its present life has begun to work and goes on."""
        if self.is_killed or self.process is None or self.process.returncode is not None:
            return False
        return self.sign.encode() in self.log.read_bytes()[self.born_at :]

    async def start(self) -> None:
        self.born_at = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.arguments,
                cwd=ROOT,
                env={**os.environ, **self.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.is_killed = False

    async def up(self) -> None:
        """Wait until it works; say why when it does not."""
        async with asyncio.timeout(START_SECONDS):
            while not self.is_up:
                assert self.process is not None
                if self.process.returncode is not None and not self.is_killed:
                    tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                    raise AssertionError(f"{self.name} ended: {tail}")
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """SIGKILL: it does not get to do anything more."""
        assert self.process is not None
        self.is_killed = True
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            await self.kill()


@dataclass(slots=True, kw_only=True)
class Fleet:
    """A running installation and the ways to look at it from outside."""

    folder: Path
    settings: Settings
    env: Mapping[str, str]
    http: aiohttp.ClientSession
    database: AsyncDatabase[Document]
    limiter: Limiter
    sandbox_url: str
    web_url: str
    pushers: list[Member] = field(default_factory=list)
    schedulers: list[Member] = field(default_factory=list)
    key: str = ""
    has_passed: bool = False  # set at the end of a test: then nothing needs to be kept

    # --- the platform's side ----------------------------------------------------------------

    async def control(self, verb: str, **body: Any) -> dict[str, Any]:
        """Tell the platform how to behave."""
        address = f"{self.sandbox_url}/sandbox/control/{verb}"
        async with self.http.post(address, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def read(self, what: str, **query: str) -> dict[str, Any]:
        """Read what the platform knows."""
        address = f"{self.sandbox_url}/sandbox/control/{what}"
        async with self.http.get(address, params=query) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    # --- the service's side -----------------------------------------------------------------

    async def order(self, **content: Any) -> str:
        """Order a broadcast through the departments' API and return its id."""
        body = {
            "account": ACCOUNT,
            "title": "停水通知",
            "topic": TOPIC,
            "template": "outage_notice",
            "data": {
                "area": "福田区园岭街道",
                "start": "2026年12月1日 09:00",
                "end": "2026年12月1日 18:00",
            },
            **content,
        }
        async with self.http.post(
            f"{self.web_url}/api/v1/broadcasts", json=body, headers=self._headers
        ) as answer:
            assert answer.status == 201, await answer.text()
            return str((await answer.json())["id"])

    async def report(self, broadcast: str) -> dict[str, Any]:
        """Return what the API says of a broadcast."""
        address = f"{self.web_url}/api/v1/broadcasts/{broadcast}"
        async with self.http.get(address, headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def resume(self, broadcast: str) -> bool:
        """Do what a person does who has read why a broadcast paused itself."""
        address = f"{self.web_url}/api/v1/broadcasts/{broadcast}/resume"
        async with self.http.post(address, headers=self._headers) as answer:
            return answer.status == 200

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def redis_pid(self) -> int:
        """Return the process of the embedded redis-server."""
        file = self.settings.storage.data_dir / "redis" / "redis-server.pid"
        return int(file.read_text())

    async def held_by(self, member: Member) -> dict[str, int]:
        """Return the batches that a worker holds, with their attempt."""
        owner = f"^{socket.gethostname()}:{member.pid}:"
        query = {"state": "leased", "owner": {"$regex": owner}}
        found = self.database["batches"].find(query, {"attempt": 1})
        return {document["_id"]: document["attempt"] async for document in found}

    async def waiting_of(self, batches: Mapping[str, int]) -> list[str]:
        """Return those of the batches that nobody has taken over or ended since."""
        found = self.database["batches"].find(
            {"_id": {"$in": list(batches)}}, {"attempt": 1, "state": 1}
        )
        return [
            document["_id"]
            async for document in found
            if document["attempt"] == batches[document["_id"]] and document["state"] != "done"
        ]

    async def may_send(self) -> bool:
        """Whether the account is neither held (45011, silence) nor Redis away."""
        try:
            return not await self.limiter.held_for(AccountId(ACCOUNT))
        except StoreAway:
            return False

    async def pushers_up(self) -> None:
        """Wait until every worker works."""
        await asyncio.gather(*(member.up() for member in self.pushers))

    async def all_up(self) -> None:
        """Wait until every worker and scheduler works."""
        await asyncio.gather(*(member.up() for member in [*self.pushers, *self.schedulers]))


@asynccontextmanager
async def open_fleet(
    folder: Path,
    people: int,
    *,
    pushers: int,
    schedulers: int,
    push: Mapping[str, str],
) -> AsyncIterator[Fleet]:
    """Start everything with so many subscribers, and stop it afterwards."""
    env = _environment(folder, push)
    settings = load_settings(CONFIG, env=env)
    sandbox_url = settings.accounts[0].api_base
    web_url = settings.server.public_url
    async with AsyncExitStack() as stack:
        members: list[Member] = []

        async def begin(name: str, sign: str, *arguments: str) -> Member:
            member = Member(name, ("run.py", *arguments), folder / f"{name}.log", sign, env)
            await member.start()
            stack.push_async_callback(member.stop)
            members.append(member)
            return member

        port = sandbox_url.rpartition(":")[2]
        await begin("sandbox", "sandbox:", "sandbox", "--port", port)
        await (await begin("databases", "databases: running", "databases")).up()
        client = await stack.enter_async_context(open_mongo(settings))
        redis = await stack.enter_async_context(open_redis(settings))
        fleet = Fleet(
            folder=folder,
            settings=settings,
            env=env,
            http=await stack.enter_async_context(
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
            ),
            database=client[settings.mongo.database],
            limiter=Limiter(redis, per_second=settings.push.per_second),
            sandbox_url=sandbox_url,
            web_url=web_url,
        )
        fleet.key = await MongoApiKeys(fleet.database).create(
            AccountId(ACCOUNT), "faults", ("broadcasts:publish",), now=SystemClock().now()
        )
        # Redis is killed again and again, and what it had granted of the day goes with it: a
        # day just as large as the audience would end before everybody is reached
        await fleet.control("limits", path=TEMPLATE_SEND, per_day=20 * people + 100_000)
        await begin("web", "serve.started", "serve", "--roles", "web")
        for number in range(schedulers):
            name = f"scheduler-{number}"
            arguments = ("serve", "--roles", "scheduler")
            fleet.schedulers.append(await begin(name, "serve.started", *arguments))
        for number in range(pushers):
            arguments = ("serve", "--roles", "push")
            fleet.pushers.append(await begin(f"push-{number}", "serve.started", *arguments))
        await _import(fleet, people)
        await asyncio.gather(*(member.up() for member in members))
        await fleet.control("followers", add_followers=people, prefix=PREFIX)
        yield fleet


def openids_of(people: int) -> list[str]:
    """Return the openids of everybody in the fleet's town."""
    return list(synthetic_openids(PREFIX, 0, people))


def tag_of(number: int) -> str:
    """Return the group of a person: half of all are `half`, the rest g0 … g9."""
    return "half" if number % 2 == 0 else f"g{number // 2 % GROUPS}"


def _environment(folder: Path, push: Mapping[str, str]) -> dict[str, str]:
    web, sandbox = find_free_port(), find_free_port()
    return {
        "WEIZHENG_CONFIG": str(CONFIG),
        "WEIZHENG_STORAGE__DATA_DIR": str(folder / "data"),
        "WEIZHENG_MONGO__DATABASE": "faults",
        "WEIZHENG_SERVER__PORT": str(web),
        "WEIZHENG_SERVER__PUBLIC_URL": f"http://127.0.0.1:{web}",
        "WEIZHENG_ACCOUNTS__0__API_BASE": f"http://127.0.0.1:{sandbox}",
        "WEIZHENG_PUSH__QUIET_HOURS": "",
        **{f"WEIZHENG_PUSH__{name.upper()}": value for name, value in push.items()},
    }


async def _import(fleet: Fleet, people: int) -> None:
    file = fleet.folder / "people.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for number, openid in enumerate(openids_of(people)):
            line = {"openid": openid, "topics": [TOPIC], "tags": [tag_of(number)]}
            lines.write(json.dumps(line) + "\n")
    code, _, err = await finished(
        "run.py", "subscribers", "import", str(file), "--account", ACCOUNT, env=fleet.env
    )
    assert code == 0, err
