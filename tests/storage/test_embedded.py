"""The embedded servers: attached to, shared, restarted, and never losing what was acknowledged."""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.settings import Settings
from domain.errors import ConfigError
from storage.embedded import keep_running, open_mongo, open_redis
from storage.servers.mongod import Mongod
from storage.servers.redis_server import RedisServer
from tests.support.program import line_with, running, start
from tests.support.settings import make_settings

# a process that opens both, writes one document and one key, says so, and then waits
WRITER = """
import asyncio, sys
from pathlib import Path
import uvloop
from storage.embedded import open_mongo, open_redis
from tests.support.settings import make_settings

async def main():
    settings = make_settings(Path(sys.argv[1]))
    async with open_mongo(settings) as mongo, open_redis(settings) as redis:
        await mongo.facts.facts.insert_one({"_id": sys.argv[2]})
        await redis.set("fact:" + sys.argv[2], 1)
        print("written", mongo.address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await asyncio.sleep(60)

uvloop.run(main())
"""
STARTER = """
import asyncio, sys
from pathlib import Path
import uvloop
from storage.embedded import open_mongo, open_redis
from storage.servers.mongod import Mongod
from storage.servers.redis_server import RedisServer
from tests.support.settings import make_settings

async def main():
    folder = Path(sys.argv[1])
    settings = make_settings(folder)
    async with open_mongo(settings), open_redis(settings):
        print("pids", Mongod(folder / "mongo").pid, RedisServer(folder / "redis").pid, flush=True)
        while not (folder / "go").exists():
            await asyncio.sleep(0.02)

uvloop.run(main())
"""


@pytest.fixture
async def home() -> AsyncIterator[Path]:
    """A data_dir of its own; whatever still runs there at the end is stopped."""
    folder = Path(tempfile.mkdtemp(prefix="wz-embedded-"))
    yield folder
    for server in (Mongod(folder / "mongo"), RedisServer(folder / "redis")):
        await server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_second_process_attaches_and_only_the_last_to_leave_stops_them(home: Path) -> None:
    settings = make_settings(home)
    mongod, redis_server = Mongod(home / "mongo"), RedisServer(home / "redis")

    async with open_mongo(settings), open_redis(settings):
        first = mongod.pid, redis_server.pid
        async with open_mongo(settings), open_redis(settings):
            second = mongod.pid, redis_server.pid
        after_one_left = mongod.pid, redis_server.pid

    assert None not in first
    assert first == second == after_one_left
    assert (mongod.pid, redis_server.pid) == (None, None)


async def test_whoever_gives_up_while_it_starts_leaves_nothing_running(home: Path) -> None:
    server = RedisServer(home / "redis")
    attaching = asyncio.create_task(server.attach())
    await asyncio.sleep(0)  # it has begun: the program is being looked for, or is starting

    attaching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attaching

    assert server.pid is None


async def test_two_processes_starting_at_once_start_one_of_each(home: Path) -> None:
    async with (
        running("-c", STARTER, str(home)) as one,
        running("-c", STARTER, str(home)) as other,
    ):
        lines = await asyncio.gather(line_with(one, "pids"), line_with(other, "pids"))
        (home / "go").touch()

    assert lines[0] == lines[1]


@pytest.mark.faults
async def test_sigkill_of_the_owner_leaves_them_running_with_everything_in_them(home: Path) -> None:
    settings = make_settings(home)
    owner = await start("-c", WRITER, str(home), "before")
    await line_with(owner, "written")
    pids = Mongod(home / "mongo").pid, RedisServer(home / "redis").pid

    owner.kill()
    await owner.communicate()

    async with open_mongo(settings) as mongo, open_redis(settings) as redis:
        assert (Mongod(home / "mongo").pid, RedisServer(home / "redis").pid) == pids
        assert await mongo.facts.facts.find_one({"_id": "before"})
        assert await redis.get("fact:before") == b"1"
    assert Mongod(home / "mongo").pid is None


@pytest.mark.faults
async def test_what_a_power_cut_leaves_behind_is_recovered_from(home: Path) -> None:
    settings = make_settings(home)
    mongod, redis_server = Mongod(home / "mongo"), RedisServer(home / "redis")
    owner = await start("-c", WRITER, str(home), "before")
    await line_with(owner, "written")

    for pid in (owner.pid, mongod.pid, redis_server.pid):
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    await owner.communicate()
    # the pid files now name somebody else's process, and the sockets lead nowhere
    for pid_file in (home / "mongo" / "mongod.pid", home / "redis" / "redis-server.pid"):
        pid_file.write_text(str(os.getpid()))

    async with open_mongo(settings) as mongo, open_redis(settings) as redis:
        assert await mongo.facts.facts.find_one({"_id": "before"})
        assert await redis.get("fact:before") == b"1"


@pytest.mark.faults
async def test_a_database_that_dies_is_started_again_and_clients_go_on(home: Path) -> None:
    settings = make_settings(home)
    mongod, redis_server = Mongod(home / "mongo"), RedisServer(home / "redis")
    restarted: list[str] = []
    both = asyncio.Event()

    def on_restart(program: str) -> None:
        restarted.append(program)
        if len(restarted) == 2:
            both.set()

    async with (
        keep_running(settings, on_restart),
        open_mongo(settings) as mongo,
        open_redis(settings) as redis,
    ):
        await mongo.facts.facts.insert_one({"_id": "before"})
        await redis.set("fact:before", 1)
        for pid in (mongod.pid, redis_server.pid):
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            await both.wait()

        assert sorted(restarted) == ["mongod", "redis-server"]
        assert await mongo.facts.facts.find_one({"_id": "before"})
        assert await redis.get("fact:before") == b"1"

    assert (mongod.pid, redis_server.pid) == (None, None)


async def test_a_taken_port_makes_the_replica_set_move_to_another(home: Path) -> None:
    settings = make_settings(home)
    async with open_mongo(settings) as mongo:
        await mongo.facts.facts.insert_one({"_id": "before"})
    port = Mongod(home / "mongo").port
    assert port is not None

    async with (
        await asyncio.start_server(_hang_up, "127.0.0.1", port),
        open_mongo(settings) as mongo,
    ):
        assert await mongo.facts.facts.find_one({"_id": "before"})
        async with mongo.start_session() as session, await session.start_transaction():
            await mongo.facts.facts.insert_one({"_id": "after"}, session=session)

    assert Mongod(home / "mongo").port != port


async def test_a_long_data_dir_gets_a_short_path_for_its_sockets(home: Path) -> None:
    deep = home / ("long" * 20) / ("longer" * 10)

    async with open_redis(make_settings(deep)) as redis:
        assert await redis.ping()

    folder = Path((deep / "redis" / "run-folder").read_text())
    assert folder.stat().st_mode & 0o077 == 0
    shutil.rmtree(folder)


async def test_a_socket_folder_swept_away_is_made_again(home: Path) -> None:
    settings = make_settings(home)
    async with open_redis(settings) as redis:
        await redis.set("fact", 1)
        shutil.rmtree(home / "redis" / "run")

        async with open_redis(settings) as again:
            assert await again.get("fact") == b"1"


async def test_a_redis_of_ones_own_that_does_not_answer_is_named(
    data_dir: Path, free_port: int
) -> None:
    url = f"redis://:a-secret@127.0.0.1:{free_port}/0"
    settings = make_settings(data_dir, redis={"url": url})

    with pytest.raises(ConfigError) as caught:
        async with open_redis(settings):
            pass

    assert str(caught.value).startswith(
        f"setting redis.url: no Redis answers at redis://127.0.0.1:{free_port}"
    )
    assert "a-secret" not in str(caught.value)


async def test_a_mongodb_of_ones_own_that_does_not_answer_is_named(
    data_dir: Path, free_port: int
) -> None:
    uri = f"mongodb://me:a-secret@127.0.0.1:{free_port}/?serverSelectionTimeoutMS=100"
    settings = make_settings(data_dir, mongo={"uri": uri})

    with pytest.raises(ConfigError) as caught:
        async with open_mongo(settings):
            pass

    assert "setting mongo.uri: no MongoDB answers at mongodb://127.0.0.1" in str(caught.value)
    assert "a-secret" not in str(caught.value)


async def test_a_data_dir_that_cannot_be_written_is_named(home: Path) -> None:
    (home / "file").write_text("not a folder")

    with pytest.raises(ConfigError, match=r"setting storage.data_dir"):
        async with open_redis(make_settings(home / "file")):
            pass


async def test_a_server_that_cannot_start_says_where_to_look(home: Path) -> None:
    (home / "redis" / "data").mkdir(parents=True)
    (home / "redis" / "data" / "appendonly.aof").write_bytes(secrets.token_bytes(100))

    with pytest.raises(ConfigError, match=r"redis-server.log"):
        async with open_redis(make_settings(home)):
            pass


async def test_instants_come_back_aware_and_in_utc(settings: Settings, mongo, clock) -> None:
    await mongo.moments.insert_one({"at": clock.now()})

    found = await mongo.moments.find_one({})

    assert found["at"] == clock.now()
    assert found["at"].tzinfo is not None
