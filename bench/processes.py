"""Processes under measurement: pinned to a core, waited for, and stopped."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.plan import ROOT

START_SECONDS = 60.0
STOP_SECONDS = 10.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers on its port."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far, in the kernel too."""
        text = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True, eq=False)
class Program:
    """A process of ours that listens nowhere: begun, watched, stopped, killed."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far, in the kernel too."""
        return Running(self.pid, 0).cpu_seconds()

    def peak_mb(self) -> float:
        """Return the most memory that was resident at any moment of its life, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6

    def rest(self) -> None:
        """Let it stand still, so that it takes nothing from others on its core."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it work again."""
        self.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        await self.process.wait()


@contextmanager
def spread(pid: int, cores: Collection[int]) -> Iterator[None]:
    """Let all threads of a process use these cores while the block lasts, then as before."""
    before = {thread: os.sched_getaffinity(thread) for thread in _threads(pid)}
    for thread in before:
        os.sched_setaffinity(thread, cores)
    try:
        yield
    finally:
        first = next(iter(before.values()))
        for thread in _threads(pid):
            os.sched_setaffinity(thread, before.get(thread, first))


def _threads(pid: int) -> list[int]:
    return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]


@asynccontextmanager
async def program(
    arguments: Sequence[str], *, core: int, log: Path, sign: str, env: Mapping[str, str]
) -> AsyncIterator[Program]:
    """Run `python ARGUMENTS` on one core until the block ends; it works once its log says so."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    os.sched_setaffinity(process.pid, {core})
    try:
        for _ in range(int(START_SECONDS / 0.05)):
            if sign in _tail(log):
                break
            if process.returncode is not None:
                raise RuntimeError(f"{arguments} ended with {process.returncode}:\n{_tail(log)}")
            await asyncio.sleep(0.05)
        else:
            raise RuntimeError(f"{arguments} does not work after {START_SECONDS} s; see {log}")
        yield Program(process, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
        await _stop(process)


@asynccontextmanager
async def server(
    arguments: Sequence[str],
    *,
    port: int,
    core: int,
    log: Path,
    folder: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Running]:
    """Run `python ARGUMENTS` on one core until the block ends; its output goes to `log`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=folder, env=environment, stdout=output, stderr=output
        )
    os.sched_setaffinity(process.pid, {core})
    try:
        await _answers(process, port, log)
        yield Running(process.pid, port)
    finally:
        await _stop(process)


async def output_of(
    arguments: Sequence[str], *, core: int, seconds: float, quiet: bool = False
) -> bytes:
    """Run `python ARGUMENTS` on one core and return what it prints; `quiet` hides complaints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL if quiet else None,
    )
    os.sched_setaffinity(process.pid, {core})
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    finally:
        await _stop(process)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    return output


async def _answers(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    """Wait until the server accepts connections, or say why it does not."""
    for _ in range(int(START_SECONDS / 0.05)):
        if process.returncode is not None:
            raise RuntimeError(f"the server ended with {process.returncode}:\n{_tail(log)}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError(f"nobody listens on port {port} after {START_SECONDS} s; see {log}")


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
