"""The check list of an account (检查清单) as the console runs it: one check at a time, by its key.

Nothing is kept: a check is made when somebody asks for it, with clients that remember no trouble.
Several may run at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from config.catalogue import Catalogue
from config.settings import AccountSettings, Settings
from config.tax_calendar import national_tax_calendar
from console.callback_keys import CallbackKeys
from console.checks.account import AccountCheck
from console.checks.finding import Finding
from console.checks.local import check_mode, check_settings, check_tax_calendar
from console.checks.servers import check_mongo, check_redis
from domain.clock import Clock
from domain.errors import NotFound
from domain.ids import AccountId
from domain.sentence import Sentence
from storage.facts import ServerAway, mongo_facts, redis_facts
from storage.stores import Stores

SECONDS = 30.0  # for one check; the platform's ping of our callback takes the longest

MakeCheck = Callable[[AccountSettings], AccountCheck]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list."""

    key: str
    title: str
    looks_at: str


CHECKS: tuple[Check, ...] = (
    Check("token", Sentence("访问凭证"), Sentence("用 AppID 和 AppSecret 向微信要 access_token")),
    Check("whitelist", Sentence("IP 白名单"), Sentence("微信是否接受本机地址的调用")),
    Check(
        "callback_platform", Sentence("回调地址（微信侧）"), Sentence("请微信解析并 ping 回调地址")
    ),
    Check("callback", Sentence("回调地址（本机侧）"), Sentence("像微信一样发一次签名验证")),
    Check("mode", Sentence("加密模式与密钥"), Sentence("消息模式、EncodingAESKey、对外地址")),
    Check("templates", Sentence("消息模板"), Sentence("每个模板在微信上都有，字段一致")),
    Check("menu", Sentence("菜单"), Sentence("微信上是否发布了菜单")),
    Check("quota", Sentence("今日配额"), Sentence("今天还能发多少条模板消息")),
    Check("clock", Sentence("时钟"), Sentence("本机与 MongoDB、Redis、微信的时间差")),
    Check("tax_calendar", Sentence("办税日历"), Sentence("公布的截止日期与规则推算是否一致")),
)


class AccountChecks:
    """Runs checks for the accounts of this installation."""

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        catalogue: Catalogue,
        keys: CallbackKeys,
        make_check: MakeCheck,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._menu: Mapping[str, Any] = catalogue.menu
        self._keys = keys
        self._make_check = make_check
        self._clock = clock

    async def run(self, account: AccountSettings, key: str) -> list[Finding]:
        """Run one check; `NotFound` for a key that is none."""
        check = self._make_check(account)
        doing: Mapping[str, Callable[[], Awaitable[list[Finding]]]] = {
            "token": lambda: _one(check.token()),
            "whitelist": lambda: _one(check.whitelist()),
            "callback_platform": lambda: _one(check.callback_from_platform()),
            "callback": lambda: self._callback(account, check),
            "mode": lambda: self._mode(account),
            "templates": check.templates,
            "menu": lambda: _one(check.menu(self._menu)),
            "quota": lambda: _one(check.quota()),
            "clock": lambda: self._clocks(check),
            "tax_calendar": self._tax_calendar,
        }
        if key not in doing:
            raise NotFound(Sentence("没有这项检查。"))
        try:
            async with asyncio.timeout(SECONDS):
                return await doing[key]()
        except TimeoutError:
            return [
                Finding(
                    about=check.about,
                    verdict="bad",
                    detail=f"not finished within {SECONDS:.0f} s",
                    remedy="try again; check the network if it happens again",
                    say=Sentence("{seconds:.0f} 秒内没有完成", seconds=SECONDS),
                    do=Sentence("再试一次；如果又这样，检查网络。"),
                )
            ]

    async def _callback(self, account: AccountSettings, check: AccountCheck) -> list[Finding]:
        pair = await self._keys.present(AccountId(account.id))
        return [await check.callback_from_here(pair, is_serving=True)]

    async def _mode(self, account: AccountSettings) -> list[Finding]:
        found = [*check_settings(self._settings), *check_mode(self._settings, account)]
        worse = [each for each in found if each.verdict != "good"]
        return worse or [
            Finding(
                about=f"account {account.id}",
                verdict="good",
                detail=f"mode {account.mode}, the key is sound",
                say=Sentence("消息模式为 {mode}，密钥格式正确", mode=account.mode),
            )
        ]

    async def _clocks(self, check: AccountCheck) -> list[Finding]:
        found = []
        try:
            facts = await mongo_facts(self._stores.database)
            found.append(check_mongo(facts, self._clock.now()))
        except ServerAway as error:
            found.append(_away("MongoDB", error))
        try:
            found.append(check_redis(await redis_facts(self._stores.redis), self._clock.now()))
        except ServerAway as error:
            found.append(_away("Redis", error))
        found.append(await check.clock(self._clock.now()))
        return found

    async def _tax_calendar(self) -> list[Finding]:
        return [check_tax_calendar(national_tax_calendar())]


async def _one(finding: Awaitable[Finding]) -> list[Finding]:
    return [await finding]


def _away(server: str, error: ServerAway) -> Finding:
    return Finding(
        about=server,
        verdict="bad",
        detail=str(error),
        remedy="check that it runs and can be reached",
        say=Sentence("{server} 没有回答", server=server),
        do=Sentence("检查它是否在运行、网络是否通。"),
    )
