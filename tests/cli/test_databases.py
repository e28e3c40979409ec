"""`databases`: in the foreground, restarting what dies, gone after SIGTERM."""

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.embedded import open_mongo, open_redis
from storage.servers.mongod import Mongod
from storage.servers.redis_server import RedisServer
from tests.support.program import finished, line_with, running
from tests.support.settings import make_settings


@pytest.fixture
async def home() -> AsyncIterator[Path]:
    """A data_dir of its own."""
    folder = Path(tempfile.mkdtemp(prefix="wz-databases-"))
    yield folder
    for server in (Mongod(folder / "mongo"), RedisServer(folder / "redis")):
        await server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.faults
async def test_it_restarts_what_dies_and_stops_them_in_the_end(home: Path) -> None:
    env = {"WEIZHENG_STORAGE__DATA_DIR": str(home)}
    mongod, redis_server = Mongod(home / "mongo"), RedisServer(home / "redis")

    async with running("run.py", "databases", env=env) as command:
        await line_with(command, "databases: running under")
        async with open_mongo(make_settings(home)) as mongo, open_redis(make_settings(home)):
            await mongo.facts.facts.insert_one({"_id": "before"})
            for server in (mongod, redis_server):
                assert server.pid is not None
                os.kill(server.pid, signal.SIGKILL)
                await line_with(command, f"{server.program} had died and was started again")
            assert await mongo.facts.facts.find_one({"_id": "before"})

    assert command.returncode == 0
    assert (mongod.pid, redis_server.pid) == (None, None)


async def test_with_servers_of_ones_own_there_is_nothing_for_it_to_do(free_port: int) -> None:
    env = {
        "WEIZHENG_MONGO__URI": f"mongodb://127.0.0.1:{free_port}",
        "WEIZHENG_REDIS__URL": f"redis://127.0.0.1:{free_port}",
    }

    code, _, said = await finished("run.py", "databases", env=env)

    assert code == 2
    assert "there is nothing to run here" in said
