"""Everything on one machine (演示): databases, the sandbox and the service, with sample data."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Annotated

import typer
from rich.panel import Panel

from cli import demo_people, sample_data
from cli.common import ConfigFile, console, log_restart, run, settings_of, until_stopped
from config.logging import set_up_logging
from config.settings import Settings
from domain.audit import Actor
from domain.errors import ConfigError
from domain.ids import AccountId
from runtime.context import AppContext, open_context
from runtime.roles import ALL_ROLES, running, stopped_or_failed
from sandbox import departments
from sandbox.app import sandbox_routes
from sandbox.world import World
from storage.embedded import keep_running
from storage.servers.locks import held
from web.app import SERVER_OPTIONS, make_app

log = logging.getLogger(__name__)

MENU_SECONDS = 10.0


def demo(
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535)] = 8000,
    config: ConfigFile = None,
) -> None:
    """Run everything on this machine with sample data: databases, sandbox and service.

    Example: `python run.py demo --port 8080`
    """
    set_up_logging()
    settings = settings_of(config)
    with suppress(KeyboardInterrupt), alone(settings, port):
        run(run_demo(settings, port))


@contextmanager
def alone(settings: Settings, port: int) -> Iterator[None]:
    """Refuse a second demo on the same data, whose phones would get the first one's messages."""
    folder = settings.storage.data_dir
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with held(folder / "demo.lock") as is_ours:
            if not is_ours:
                raise ConfigError(
                    f"a demo runs already on setting storage.data_dir ({folder.resolve()}): use "
                    "that one, stop it with Ctrl-C, or give this one a folder of its own: "
                    "`WEIZHENG_STORAGE__DATA_DIR=var2 make demo PORT=8080`"
                )
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise ConfigError(
                    f"port {port} cannot be listened on ({error.strerror}): stop what uses it, or "
                    "choose another: `make demo PORT=8080`"
                ) from error
            probe.close()
            yield


async def run_demo(settings: Settings, port: int) -> None:
    """Run until stopped; the sandbox answers on the service's own port."""
    if not settings.accounts:
        raise ConfigError("setting accounts: the demo needs one; add [[accounts]]")
    demo = demo_settings(settings, port)
    account = AccountId(demo.accounts[0].id)
    async with (
        until_stopped() as stopped,
        keep_running(demo, log_restart),
        open_context(demo) as ctx,
    ):
        for each in demo.accounts:  # this platform knows nothing of an earlier one's tokens
            await ctx.stores.tokens.forget(each.app_id)
        world = World.from_settings(
            demo.accounts, callback_base=demo.server.public_url, menu=ctx.catalogue.menu
        )
        routes = [*sandbox_routes(world, ctx.renderer), *departments.routes(world.clock)]
        app = partial(make_app, extra_routes=routes)
        try:
            async with running(ctx, ALL_ROLES, app, SERVER_OPTIONS) as failed:
                async with asyncio.timeout(MENU_SECONDS):
                    await _publish_menu(ctx, account)
                await demo_people.load(ctx, account)
                await sample_data.load(ctx, world, account)
                _greet(demo)
                await stopped_or_failed(stopped, failed)
        finally:
            await world.aclose()


async def _publish_menu(ctx: AppContext, account: AccountId) -> None:
    """Publish what was published last: this platform knows nothing of an earlier one's menus."""
    versions = await ctx.menus.versions(account)
    last = next((each.menu for each in versions if each.state == "published"), ctx.menus.first)
    await ctx.menus.publish(account, last, by=Actor("demo", "演示"), note="演示环境启动")


def demo_settings(settings: Settings, port: int) -> Settings:
    """Return the settings with the service, WeChat and the departments all on this port."""
    here = f"http://127.0.0.1:{port}"
    return settings.model_copy(
        update={
            "server": settings.server.model_copy(
                update={"host": "127.0.0.1", "port": port, "public_url": here}
            ),
            # so that trying it out takes no phone; a real installation asks for one
            "console": settings.console.model_copy(update={"second_factor": "optional"}),
            "accounts": tuple(
                account.model_copy(update={"api_base": here}) for account in settings.accounts
            ),
            "departments": {
                name: department.model_copy(
                    update={"base_url": f"{here}/sandbox/departments/{name}"}
                )
                for name, department in settings.departments.items()
            },
        }
    )


def _greet(settings: Settings) -> None:
    here = settings.server.public_url
    lines = [
        f"手机 phone      {here}/sandbox/",
        f"管理 console    {here}/admin/",
        *demo_people.lines(),
        f"接口 API        {here}/api/v1/docs",
        f"回调 callback   {here}/wechat/{settings.accounts[0].id}",
        f"健康 health     {here}/readyz · {here}/metrics",
        "",
        "一分钟内会有停水通知送达 · a notice arrives within a minute · Ctrl-C 结束",
    ]
    console.print(Panel("\n".join(lines), title="微政 Weizheng", expand=False))
