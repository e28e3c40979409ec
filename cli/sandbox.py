"""`sandbox`: the stand-ins for WeChat, phones and departments."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

import typer

from cli.common import ConfigFile, run, say, settings_of, until_stopped
from config.catalogue import load_catalogue
from config.logging import set_up_logging
from config.settings import Settings
from domain.errors import ConfigError
from sandbox.app import run_sandbox
from sandbox.world import World

SANDBOX_PORT = 8001


def sandbox(
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535)] = SANDBOX_PORT,
    config: ConfigFile = None,
) -> None:
    """Run the stand-ins for WeChat, phones and departments alone.

    Example: `python run.py sandbox --port 8001`
    """
    set_up_logging()
    run(_sandbox(settings_of(config), port))


async def _sandbox(settings: Settings, port: int) -> None:
    world = World.from_settings(
        settings.accounts,
        callback_base=settings.server.public_url,
        menu=load_catalogue().menu,
    )
    async with until_stopped() as stopped:
        serving = asyncio.create_task(run_sandbox(world, port))
        say(f"sandbox: http://127.0.0.1:{port}/sandbox/")
        try:
            await _first_of(serving, asyncio.create_task(stopped.wait()))
        except OSError as error:
            raise ConfigError(
                f"port {port} cannot be listened on ({error.strerror}): stop what uses it or "
                "choose another with --port"
            ) from error


async def _first_of(work: asyncio.Task[None], stop: asyncio.Task[Any]) -> None:
    """Wait for the stop or the end of the work, whose failure travels on."""
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        stop.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await work
