"""File locks (flock) between processes. The kernel lets go of them when a process dies."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from domain.errors import ConfigError

_PAUSE = 0.02  # seconds between two tries


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@asynccontextmanager
async def exclusive(path: Path, *, patience: float) -> AsyncIterator[None]:
    """Hold a lock alone, waiting up to `patience` seconds for whoever has it."""
    handle = _open(path)
    try:
        for _ in range(max(1, int(patience / _PAUSE))):
            if _try(handle, fcntl.LOCK_EX):
                break
            await asyncio.sleep(_PAUSE)
        else:
            raise ConfigError(
                f"another process has held {path} for {patience:.0f} s: see what it is doing "
                f"(`fuser {path}`), end it, and start again"
            )
        yield
    finally:
        os.close(handle)


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a lock alone while the block lasts, or tell at once that somebody else has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = _open(path)
    except OSError as error:
        raise ConfigError(
            f"setting storage.data_dir: {error.strerror} at {error.filename}; name a folder that "
            "this user may write"
        ) from error
    try:
        yield _try(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


class Presence:
    """Being one of the processes that use a server: a shared lock held until `leave`."""

    def __init__(self, path: Path) -> None:
        self._handle = _open(path)
        if not _try(self._handle, fcntl.LOCK_SH):
            os.close(self._handle)
            raise ConfigError(f"{path} is held by something that is not this program; remove it")

    def leave(self) -> bool:
        """Let go, and tell whether nobody else is left. Call it while holding the start lock."""
        try:
            return _try(self._handle, fcntl.LOCK_EX)
        finally:
            os.close(self._handle)
