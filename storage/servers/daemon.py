"""A server that outlives the process that started it.

It is started as a daemon in a session of its own, so that SIGKILL of ours leaves it running and
the next start finds it: by its pid file, checked against the command line of that process, so
that a stale file (power loss, SIGKILL) means nothing.
"""

import asyncio
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from domain.errors import ConfigError
from storage.servers.locks import Presence, exclusive

log = logging.getLogger(__name__)

START_PATIENCE = 60.0  # seconds; a server that replays its journal on a busy machine
STOP_PATIENCE = 20.0
LONGEST_SOCKET_PATH = 100  # Linux allows 107 bytes
_PAUSE = 0.02
_MISSES = 5  # a program that is rewriting its own command line is not gone


class Daemon(ABC):
    """One kind of server at home in one folder."""

    program: ClassVar[str]
    setting: ClassVar[str]  # what to change to use a server of one's own
    oldest: ClassVar[tuple[int, int]]  # the oldest version that will do
    wheel: ClassVar[tuple[str, str]]  # package and the path of the program within it
    libraries: ClassVar[str]  # the Debian packages it needs

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log_file = self.home / f"{self.program}.log"
        self._pid_file = self.home / f"{self.program}.pid"
        self._start_lock = self.home / "start.lock"
        self._users_lock = self.home / "users.lock"

    # --- for those who use it -------------------------------------------------------------

    async def attach(self) -> Presence:
        """Make sure that it runs and answers, and be counted as one of its users."""
        async with exclusive(self._start_lock, patience=START_PATIENCE):
            presence = Presence(self._users_lock)
            try:
                await self._ensure()
            except BaseException:  # Ctrl-C too: nobody is left who would stop it
                if presence.leave():
                    await self.stop()
                raise
        return presence

    async def detach(self, presence: Presence) -> None:
        """Leave; the last one to leave in order stops it. After a SIGKILL it goes on running."""
        async with exclusive(self._start_lock, patience=START_PATIENCE):
            if presence.leave():
                await self.stop()

    async def revive(self) -> bool:
        """Start it again if it died; return whether that was so."""
        if self.pid is not None:
            return False
        async with exclusive(self._start_lock, patience=START_PATIENCE):
            return await self._ensure()

    @property
    def pid(self) -> int | None:
        """The process of ours that runs, if one does."""
        pid = self._recorded_pid()
        if pid is None:
            return None
        process = Path("/proc") / str(pid)
        try:
            command = (process / "cmdline").read_text(errors="replace")
            name, _, rest = (process / "stat").read_text().rpartition(")")
            threads = len(list((process / "task").iterdir()))
        except OSError:
            return None
        if not command and (rest.split()[0] not in "ZX" or threads > 1):
            # on its way out, its files and port still held; a zombie holds nothing any more
            return pid if name.endswith(f"({self.program}") else None
        return pid if self._is_ours(command) else None

    def _recorded_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients reach it."""

    # --- what each kind knows -------------------------------------------------------------

    @abstractmethod
    def _command(self, program: Path) -> list[str]:
        """Return the command that starts it as a daemon."""

    @abstractmethod
    def _is_ours(self, command: str) -> bool:
        """Tell whether a process with this command line is the server of this home."""

    @abstractmethod
    async def _is_ready(self) -> bool:
        """Tell whether it answers, finishing what a first start still needs."""

    def _is_cut_off(self) -> bool:
        """Tell whether one that runs can never answer, so that waiting is vain."""
        return False

    # --- starting and stopping ------------------------------------------------------------

    async def _ensure(self) -> bool:
        """Start it unless it runs and answers; return whether it was started."""
        if self.pid is not None:
            if not self._is_cut_off() and await self._becomes_ready(START_PATIENCE / 2):
                return False
            log.warning("embedded.deaf", extra={"server": self.program, "pid": self.pid})
            await self.stop()
        program = await asyncio.to_thread(self._find)
        starting = asyncio.create_task(asyncio.to_thread(self._start, program))
        try:
            await asyncio.shield(starting)
        finally:  # half started it could not be stopped
            await asyncio.wait({starting})
        if not await self._becomes_ready(START_PATIENCE):
            raise ConfigError(self._sorry("does not answer", self._last_words()))
        log.info("embedded.started", extra={"server": self.program, "pid": self.pid})
        return True

    async def _becomes_ready(self, patience: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        misses = 0
        while loop.time() < deadline and misses < _MISSES:
            if self.pid is not None:
                misses = 0
                if await self._is_ready():
                    return True
            elif self._recorded_pid() is not None:
                misses += 1  # it began and ended
            await asyncio.sleep(_PAUSE)
        return False

    def _start(self, program: Path) -> None:
        self._pid_file.unlink(missing_ok=True)
        done = subprocess.run(  # noqa: S603 - our own program with our own arguments
            self._command(program),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.home,
            start_new_session=True,  # Ctrl-C is for us
            timeout=START_PATIENCE,
            check=False,
        )
        if done.returncode == 0:
            return
        said = done.stdout.decode(errors="replace")
        missing = re.search(r"loading shared libraries: (\S+?):", said)
        if missing:
            why = f"needs {missing.group(1)}, which this machine lacks"
            remedy = f"`apt-get install {self.libraries}`"
        elif done.returncode == -signal.SIGILL:
            why, remedy = "needs a processor with AVX", "take another machine"
        else:
            why = f"could not start (exit {done.returncode})"
            remedy = f"{self._last_words()}, free storage.data_dir or choose another"
        raise ConfigError(self._sorry(why, remedy))

    async def stop(self) -> None:
        """Ask it to stop, and insist after a while."""
        for order in (signal.SIGTERM, signal.SIGKILL):
            pid = self.pid
            if pid is None:
                return
            os.kill(pid, order)
            for _ in range(int(STOP_PATIENCE / _PAUSE)):
                if self.pid != pid:
                    return
                await asyncio.sleep(_PAUSE)

    # --- where things are -----------------------------------------------------------------

    def _find(self) -> Path:
        """Return the program: the machine's own if it is new enough, else the wheel's."""
        ours = str(Path(sys.prefix) / "bin")
        folders = [f for f in os.environ.get("PATH", "").split(os.pathsep) if f and f != ours]
        on_path = shutil.which(self.program, path=os.pathsep.join(folders))
        if on_path and self._version(Path(on_path)) >= self.oldest:
            return Path(on_path)
        package, inside = self.wheel
        found = find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            program = Path(folder) / inside
            if program.is_file():
                return program
        raise ConfigError(self._sorry("was not found", "`make setup` installs it on x86-64 Linux"))

    @staticmethod
    def _version(program: Path) -> tuple[int, int]:
        try:
            said = subprocess.run(  # noqa: S603 - found on PATH, as asked
                [program, "--version"], capture_output=True, timeout=10, check=False, text=True
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            return 0, 0
        found = re.search(r"v=?(\d+)\.(\d+)", said)
        return (int(found.group(1)), int(found.group(2))) if found else (0, 0)

    def sockets(self, longest: str) -> Path:
        """Return the folder for the unix socket: at home, or in a short path recorded there."""
        folder = self.home / "run"
        if len(os.fsencode(folder / longest)) <= LONGEST_SOCKET_PATH:
            folder.mkdir(exist_ok=True, mode=0o700)
            return folder
        record = self.home / "run-folder"
        folder = Path(record.read_text()) if record.exists() else Path()
        if folder != Path() and _is_private(folder):
            return folder
        folder = Path(tempfile.mkdtemp(prefix="weizheng-"))
        write_whole(record, str(folder))
        return folder

    # --- words ----------------------------------------------------------------------------

    def _last_words(self) -> str:
        return f"read the end of {self.log_file}"

    def _sorry(self, why: str, remedy: str) -> str:
        return (
            f'setting {self.setting}: it is "embedded", and {self.program} {why}: {remedy}, or '
            f"let {self.setting} name a server of your own"
        )


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that a reader finds all of it or the old one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.replace(path)


def _is_private(folder: Path) -> bool:
    """Tell whether the folder is still there and nobody else can put a socket into it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = found.st_uid == os.geteuid() and not found.st_mode & 0o077
    return stat.S_ISDIR(found.st_mode) and mine
