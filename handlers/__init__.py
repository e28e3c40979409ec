"""One module per service: what a citizen says in, a reply out. Modules do not know each other.

A service joins by lying in this folder: `discover` imports every module and takes its `router`.
"""

import importlib
import pkgutil

from bot.router import Router
from domain.errors import ConfigError


def discover() -> tuple[Router, ...]:
    """Return the router of every handler module, in the order of their names."""
    routers = []
    for found in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{__name__}.{found.name}")
        router = getattr(module, "router", None)
        if not isinstance(router, Router):
            raise ConfigError(
                f"handlers/{found.name}.py has no `router`; write `router = Router(...)` in it, "
                "or move it out of this folder"
            )
        routers.append(router)
    return tuple(routers)
