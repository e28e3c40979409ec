"""Our service under measurement: `run.py serve --roles web` on databases of its own."""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.plan import Plan
from bench.processes import Running, free_port, server
from bench.pushes import Account
from config.settings import Settings, load_settings
from storage.embedded import open_mongo, open_redis

ACCOUNT_ID = "bench"


@dataclass(frozen=True, slots=True)
class Line:
    """What a citizen says, and what the right answer holds (an apology does not)."""

    says: str
    expects: str


PLAIN = Line("菜单", "停水")  # numbered ways on, kept in the session
ASKING = Line("停水", "区")  # nobody has bound a place: MongoDB is asked, and then the citizen

_SETTINGS = """
[server]
host = "127.0.0.1"
port = {port}
public_url = "http://127.0.0.1:{port}"

[mongo]
uri = "embedded"
database = "weizheng_bench"

[redis]
url = "embedded"

[storage]
data_dir = "{data_dir}"

[security]
secret_key = "{secret_key}"
field_key = "{field_key}"

[[accounts]]
id = "{account_id}"
app_id = "{account.app_id}"
app_secret = "bench"
token = "{account.token}"
encoding_aes_key = "{account.aes_key}"
mode = "safe"
api_base = "{api_base}"
{more}
"""


@asynccontextmanager
async def service(plan: Plan, account: Account, folder: Path) -> AsyncIterator[Running]:
    """Run the service on the server's core, MongoDB and Redis on the other one."""
    port = free_port()
    file, settings = write_settings(folder, account, port)
    async with AsyncExitStack() as stack:
        # started from here they inherit our core, and the service finds them running
        await stack.enter_async_context(open_mongo(settings))
        await stack.enter_async_context(open_redis(settings))
        running = await stack.enter_async_context(
            server(
                ["run.py", "serve", "--roles", "web", "--config", str(file)],
                port=port,
                core=plan.server_core,
                log=plan.folder / "service.log",
            )
        )
        yield running


def write_settings(
    folder: Path,
    account: Account,
    port: int,
    api_base: str = "http://127.0.0.1:9",
    more: str = "",
) -> tuple[Path, Settings]:
    """Write a settings file for a service of its own; `more` stands below the account."""
    file = folder / "settings.toml"
    file.write_text(
        _SETTINGS.format(
            port=port,
            data_dir=folder / "data",
            secret_key=secrets.token_hex(24),
            field_key=base64.b64encode(secrets.token_bytes(96)).decode(),
            account_id=ACCOUNT_ID,
            account=account,
            api_base=api_base,
            more=more,
        ),
        encoding="utf-8",
    )
    return file, load_settings(file, env={})
