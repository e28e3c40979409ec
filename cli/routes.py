"""`routes`: what citizens can say and what answers over HTTP, as tables."""

from rich.markup import escape
from rich.table import Table

from bot.router import Routes
from cli.common import ConfigFile, console, settings_of
from handlers import discover
from web.app import http_routes


def routes(config: ConfigFile = None) -> None:
    """Show the conversation's routes and the HTTP routes.

    Example: `python run.py routes`
    """
    settings_of(config)
    console.print(conversation_table(Routes.collect(discover())))
    table = Table("Methods", "Path", "What", title="HTTP", title_justify="left")
    for methods, path, what in http_routes():
        table.add_row(methods, escape(path), escape(what))
    console.print(table)


def conversation_table(collected: Routes) -> Table:
    """Return the table of all ways into the conversation, router by router."""
    table = Table("Router", "Kind", "Key", "Answered by", title="Conversation 对话")
    table.title_justify = "left"
    for router in collected.routers:
        for route in router.routes:
            key = f"{route.key} <{route.takes}>" if route.takes else route.key
            where = route.where if route.handler else "(dialog)"
            table.add_row(router.title or router.name, route.kind, escape(key), where)
        table.add_section()
    return table
