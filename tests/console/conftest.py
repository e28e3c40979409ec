"""The console's services on real databases, against a sandbox of their own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from tornado.httpserver import HTTPServer

from config.catalogue import load_catalogue
from config.settings import AccountSettings, Settings
from connectors.wechat.menus import MenuApi
from connectors.wechat.tokens import TokenKeeper
from console.menus import Menus
from domain.ids import AccountId
from domain.menu import Menu
from domain.menu_rules import CONTRACT_KEYS
from push.audit import Audit
from push.template_watch import TemplateWatch
from sandbox.app import sandbox_application
from sandbox.world import World
from storage.mongo.audit import MongoAudit
from storage.mongo.broadcast_lists import MongoBroadcastLists
from storage.mongo.menus import MongoMenus
from storage.mongo.template_forms import MongoTemplateForms
from storage.mongo.work_turns import MongoTurns
from storage.redis.sealing import Sealer
from storage.redis.tokens import RedisTokens
from tests.support.clock import FakeClock
from tests.support.ports import find_free_port

CITY = AccountId("city")
QUICK = aiohttp.ClientTimeout(total=1.0, connect=0.8)


@dataclass
class Desk:
    """The platform and what the console has of it."""

    world: World
    api: MenuApi
    menus: Menus
    watch: TemplateWatch
    settings: AccountSettings


@pytest.fixture
async def desk(
    settings: Settings, mongo, redis, http: aiohttp.ClientSession, clock: FakeClock
) -> AsyncIterator[Desk]:
    """Menus and templates of the account city."""
    world = World.from_settings(settings.accounts, callback_base="http://127.0.0.1:9", clock=clock)
    port = find_free_port()
    server = HTTPServer(sandbox_application(world))
    server.listen(port, "127.0.0.1")
    base, account = f"http://127.0.0.1:{port}", settings.account("city")
    secret = account.app_secret.get_secret_value()
    cache = RedisTokens(redis, Sealer(settings.security.master_key))
    keeper = TokenKeeper(account.app_id, secret, base, http, cache, clock)
    api = MenuApi(
        http, api_base=base, app_id=account.app_id, app_secret=secret, tokens=keeper, timeout=QUICK
    )
    store = MongoMenus(mongo)
    await mongo[MongoMenus.collection].create_indexes(list(MongoMenus.indexes))
    audit = Audit(MongoAudit(mongo, settings.security.master_key), clock)
    first = Menu.read(load_catalogue().menu)
    yield Desk(
        world,
        api,
        Menus(store, {CITY: api}, first, CONTRACT_KEYS, audit, clock),
        TemplateWatch(
            MongoTemplateForms(mongo),
            MongoTurns(mongo, "templates"),
            {CITY: api},
            {CITY: account},
            MongoBroadcastLists(mongo),
            clock,
        ),
        account,
    )
    server.stop()
    await world.aclose()
    await server.close_all_connections()
