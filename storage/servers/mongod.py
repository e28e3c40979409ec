"""The embedded mongod: a replica set of one, so that transactions and change streams work.

Clients use its unix socket. The replica set itself needs a TCP port, on 127.0.0.1 only; it is
recorded beside the data and kept while it is free.
"""

import secrets
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, NotPrimaryError, OperationFailure

from domain.errors import ConfigError
from storage.servers.daemon import Daemon, write_whole

REPLICA_SET = "rs0"
_NOT_YET_INITIALISED = 94
_ALREADY_INITIALISED = 23


class Mongod(Daemon):
    """One mongod."""

    program = "mongod"
    setting = "mongo.uri"
    oldest = (6, 0)
    wheel = ("fiftyone", "db/bin/mongod")
    libraries = "libcurl4 libssl3"

    @property
    def port(self) -> int | None:
        """The recorded port."""
        try:
            return int((self.home / "port").read_text())
        except (OSError, ValueError):
            return None

    @property
    def address(self) -> str:
        path = self.sockets("mongodb-65535.sock") / f"mongodb-{self.port}.sock"
        return f"mongodb://{quote(str(path), safe='')}/?directConnection=true"

    def _command(self, program: Path) -> list[str]:
        port = self.port
        if port is None or not _is_free(port):
            port = _free_port()
            write_whole(self.home / "port", str(port))
        data = self.home / "data"
        data.mkdir(exist_ok=True, mode=0o700)
        folder = self.sockets("mongodb-65535.sock")
        for left_over in folder.glob("mongodb-*.sock"):  # of a port given up
            left_over.unlink(missing_ok=True)
        return [
            str(program), "--fork", "--dbpath", str(data), "--replSet", REPLICA_SET,
            "--bind_ip", "127.0.0.1", "--port", str(port),
            "--unixSocketPrefix", str(folder), "--filePermissions", "0700",
            "--pidfilepath", str(self._pid_file), "--logpath", str(self.log_file), "--logappend",
            "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "128",
            "--setParameter", "diagnosticDataCollectionEnabled=false",
            "--setParameter", "ttlMonitorSleepSecs=1",
            # nobody reads the past: files of what was dropped go at once, not after five minutes
            "--setParameter", "minSnapshotHistoryWindowInSeconds=0",
            # nobody takes over from a set of one, so an orderly stop need not wait for that
            "--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100",
        ]  # fmt: skip

    def _is_ours(self, command: str) -> bool:
        return "mongod" in command and str(self.home / "data") in command.split("\0")

    async def _is_ready(self) -> bool:
        """Tell whether it is primary; on the way found the replica set, or move it to its port."""
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            self.address, serverSelectionTimeoutMS=200, connectTimeoutMS=1000, socketTimeoutMS=5000
        )
        try:
            hello = await client.admin.command("hello")
            if hello.get("isWritablePrimary"):
                return True
            if not hello.get("secondary"):
                await self._found(client)
        except (ConnectionFailure, NotPrimaryError):
            pass  # not yet: it is coming up or electing itself; the caller asks again
        finally:
            await client.close()
        return False

    async def _found(self, client: AsyncMongoClient[dict[str, Any]]) -> None:
        """Found the replica set on a first start, or tell it its new port."""
        host = f"127.0.0.1:{self.port}"
        try:
            config = (await client.admin.command("replSetGetConfig"))["config"]
        except OperationFailure as error:
            if error.code != _NOT_YET_INITIALISED:
                raise
            fresh = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]}
            try:
                await client.admin.command("replSetInitiate", fresh)
            except OperationFailure as refusal:
                if refusal.code != _ALREADY_INITIALISED:
                    raise
            return
        if config["members"][0]["host"] != host:
            config["members"][0]["host"] = host
            config["version"] += 1
            await client.admin.command("replSetReconfig", config, force=True)


def _free_port() -> int:
    """Return a free port outside the range from which the kernel gives ports to clients."""
    start = 20_000 + secrets.randbelow(9_000)
    for port in range(start, start + 1_000):
        if _is_free(port):
            return port
    raise ConfigError("setting mongo.uri: no port of 127.0.0.1 is free for the embedded mongod")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
