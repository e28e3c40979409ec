"""Style sheets and scripts of the console: our own, and those npm fetched (`make setup`).

Addresses carry a version or a digest of the content, so that browsers may keep the files for a
year. Of `node_modules` only the files listed here can be asked for.
"""

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import orjson
from tornado.web import HTTPError, RedirectHandler, StaticFileHandler, url

from web.base import SECURITY_HEADERS

ROOT = Path(__file__).parent.parent.parent
MODULES = ROOT / "node_modules"
STATIC = ROOT / "static"
ALLOWED = (
    "@tabler/core/dist/css/tabler.min.css",
    "echarts/dist/echarts.min.js",
    "htmx-ext-sse/dist/sse.min.js",
    "htmx.org/dist/htmx.min.js",
    "sortablejs/Sortable.min.js",
)
REMEDY = "run `make setup`, then start the service again"
YEAR = "public, max-age=31536000, immutable"
MINUTES = "public, max-age=300"


def missing() -> list[str]:
    """Return the borrowed files that set-up has not fetched."""
    return [name for name in ALLOWED if not (MODULES / name).is_file()]


@cache
def are_there() -> bool:
    """Whether set-up has fetched everything, as this process found it."""
    return not missing()


@cache
def borrowed(name: str) -> str:
    """Return the address of a file from npm, such as `htmx.org/dist/htmx.min.js`."""
    if name not in ALLOWED:
        raise ValueError(f"{name} is not listed in web/admin/assets.py")
    package = re.match(r"(@[^/]+/)?[^/]+", name)
    wanted = orjson.loads((ROOT / "package.json").read_bytes())["dependencies"]
    return f"/static/npm/{name}?v={wanted[package[0] if package else '']}"


@cache
def own(name: str) -> str:
    """Return the address of a file below `static/`, such as `admin/console.css`."""
    digest = sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"


class StaticFile(StaticFileHandler):
    """Style sheets and scripts, with the same security headers as pages."""

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self._headers.update(SECURITY_HEADERS)
        self.set_header("Cache-Control", MINUTES)

    def set_extra_headers(self, path: str) -> None:
        """Let a browser keep what its address says the version of."""
        if self.get_query_argument("v", ""):
            self.set_header("Cache-Control", YEAR)

    def parse_url_path(self, url_path: str) -> str:
        """Refuse what no file can be called, before the system is asked."""
        if "\0" in url_path:
            raise HTTPError(404)
        return super().parse_url_path(url_path)


class BorrowedFile(StaticFile):
    """A file that npm fetched, if it is one of those the pages use."""

    allowed: ClassVar = frozenset(ALLOWED)

    def parse_url_path(self, url_path: str) -> str:
        """Refuse whatever is not listed, before anything is looked up."""
        if url_path not in self.allowed:
            raise HTTPError(404)
        return super().parse_url_path(url_path)


routes = [
    url(r"/static/npm/(.*)", BorrowedFile, {"path": str(MODULES)}),
    # asked for by every browser on every page that names no icon of its own
    url(r"/favicon\.ico", RedirectHandler, {"url": "/static/favicon.svg", "permanent": False}),
    url(r"/static/(.*)", StaticFile, {"path": str(STATIC)}),
]
