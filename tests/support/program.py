"""Our own commands as processes, for tests that kill them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


async def start(
    *arguments: str, env: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start Python with these arguments in the repository, its output caught."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def running(
    *arguments: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a process for the length of a block; SIGTERM ends it."""
    process = await start(*arguments, env=env)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 30)


async def line_with(process: asyncio.subprocess.Process, text: str, *, seconds: float = 60) -> str:
    """Return the first line of output that holds a text."""
    assert process.stdout is not None
    async with asyncio.timeout(seconds):
        while line := (await process.stdout.readline()).decode():
            if text in line:
                return line
    assert process.stderr is not None
    raise AssertionError(f"no {text!r}; it complained: {(await process.stderr.read()).decode()}")


async def finished(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> tuple[int, str, str]:
    """Run a process to its end and return exit code, output and complaints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
