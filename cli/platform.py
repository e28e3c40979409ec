"""One account's way to WeChat for a single command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import AccountSettings, Settings
from connectors.session import open_http
from connectors.wechat.menus import MenuApi
from connectors.wechat.probe import Probe
from connectors.wechat.tokens import TokenKeeper
from console.checks.account import AccountCheck
from domain.clock import SystemClock
from storage.embedded import open_redis
from storage.redis.sealing import Sealer
from storage.redis.tokens import RedisTokens


@asynccontextmanager
async def open_platform(settings: Settings, account: AccountSettings) -> AsyncIterator[MenuApi]:
    """Give the account's API; its token is shared with the running service through Redis."""
    async with open_redis(settings) as redis, open_http(connections=4) as http:
        secret = account.app_secret.get_secret_value()
        cache = RedisTokens(redis, Sealer(settings.security.master_key))
        yield MenuApi(
            http,
            api_base=account.api_base,
            app_id=account.app_id,
            app_secret=secret,
            tokens=TokenKeeper(
                account.app_id, secret, account.api_base, http, cache, SystemClock()
            ),
        )


@asynccontextmanager
async def open_check(settings: Settings, account: AccountSettings) -> AsyncIterator[AccountCheck]:
    """Give what checks the account."""
    async with open_platform(settings, account) as api, open_http(connections=4) as http:
        probe = Probe(http, account, SystemClock())
        yield AccountCheck(account, probe, api, public_url=settings.server.public_url)
