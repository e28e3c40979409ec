"""Live checks of one account (公众号检查): each asks WeChat, or us, and says what to do.

A check never raises for what it looks for: a refusal of the platform is its finding.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from config.settings import AccountSettings
from connectors.wechat.api import WeChatApi
from connectors.wechat.errcodes import rule_for
from connectors.wechat.probe import CallbackReach, Probe, refused_address
from console.checks.advice import explained
from console.checks.finding import Finding, about_time
from console.checks.templates import check_templates, summary
from domain.allowance import PlatformQuota
from domain.callback_keys import CallbackPair
from domain.delivery import SendFailed
from domain.sentence import Sentence, joined

NOT_WHITELISTED = 40164
NEARLY_USED = 0.8  # of the day's quota


class AccountCheck:
    """One account with what its checks need; built anew for each run, so it remembers nothing."""

    def __init__(
        self, account: AccountSettings, probe: Probe, api: WeChatApi, *, public_url: str
    ) -> None:
        self._account = account
        self._probe = probe
        self._api = api
        self._address = f"{public_url}/wechat/{account.id}"
        self.about = f"account {account.id}"

    async def token(self) -> Finding:
        """Whether WeChat gives us a token."""
        try:
            await self._probe.token()
        except SendFailed as error:
            return self._refused(error)
        return self._good("WeChat gives us a token", Sentence("微信给了访问凭证（access_token）"))

    async def whitelist(self) -> Finding:
        """Whether WeChat takes calls from this machine's address."""
        try:
            await self._probe.token()
        except SendFailed as error:
            if error.errcode != NOT_WHITELISTED:
                return self._refused(error)
            address = refused_address(str(error)) or "this machine's public address"
            return Finding(
                about=self.about,
                verdict="bad",
                detail=f"WeChat does not know {address} (40164)",
                remedy=f"add {address} to the IP whitelist in the account's console",
                say=Sentence(
                    "IP 白名单里没有 {refused_address}",
                    refused_address=refused_address(str(error)) or Sentence("本机的公网地址"),
                ),
                do=Sentence(
                    "在微信后台（设置与开发 → 基本配置 → IP 白名单）"
                    "加入 {refused_address}，几分钟后再检查。",
                    refused_address=refused_address(str(error)) or Sentence("本机的公网地址"),
                ),
            )
        return self._good("WeChat takes calls from here", Sentence("微信接受本机的地址"))

    async def callback_from_platform(self) -> Finding:
        """Whether the platform finds our callback's machine by name and by ping."""
        try:
            reach = await self._probe.callback(await self._probe.token())
        except SendFailed as error:
            return self._refused(error)
        return self._reach(reach)

    def _reach(self, reach: CallbackReach) -> Finding:
        lost = [each.address for each in reach.pinged if each.is_lost]
        if not reach.resolved and not reach.pinged:
            return Finding(
                about=self.about,
                verdict="bad",
                detail="WeChat does not find the callback's host name",
                remedy="check the URL in the account's console and the DNS record",
                say=Sentence("微信解析不到回调地址的域名"),
                do=Sentence("核对微信后台“服务器配置”中的 URL 和域名的 DNS 记录。"),
            )
        if lost:
            return Finding(
                about=self.about,
                verdict="note",
                detail=f"no ping from WeChat came back from {', '.join(lost)}",
                remedy="harmless if the firewall drops ICMP; else check the network",
                say=Sentence("微信 ping 不通 {lost}", lost=joined(lost)),
                do=Sentence("如果防火墙有意屏蔽 ICMP，可以忽略；否则检查网络。"),
            )
        found = ", ".join(dict.fromkeys([*reach.resolved, *(p.address for p in reach.pinged)]))
        return self._good(f"WeChat reaches {found}", Sentence("微信能访问到 {found}", found=found))

    async def callback_from_here(self, pair: CallbackPair, *, is_serving: bool) -> Finding:
        """Whether a signed verification at our public address comes back.

        Before the service runs nobody answers, which is no fault then.
        """
        echo = await self._probe.echo(self._address, pair)
        if not echo.problem:
            return self._good(
                f"{self._address} answers a signed verification",
                Sentence("{address} 能通过签名验证", address=self._address),
            )
        if echo.status is None:
            return Finding(
                about=self.about,
                verdict="bad" if is_serving else "note",
                detail=f"{self._address} does not answer ({echo.problem})",
                remedy="start the service; check server.public_url, DNS and the proxy",
                say=Sentence(
                    "从本机访问不到 {address}（{problem}）",
                    address=self._address,
                    problem=echo.problem,
                ),
                do=Sentence("核对设置 server.public_url、域名解析和反向代理。"),
            )
        return Finding(
            about=self.about,
            verdict="bad",
            detail=f"{self._address} answers wrongly: {echo.problem}",
            remedy="the proxy must pass /wechat/ on unchanged, to this installation",
            say=Sentence(
                "{address} 的回答不对（{problem}）", address=self._address, problem=echo.problem
            ),
            do=Sentence("反向代理应把 /wechat/ 原样转给本服务，并确认地址属于这套系统。"),
        )

    async def templates(self) -> list[Finding]:
        """Whether each mapped template exists on WeChat and its keys fit."""
        try:
            findings = await check_templates(self._api, self._account)
        except SendFailed as error:
            return [self._refused(error)]
        return findings or [summary(self._account)]

    async def menu(self, ours: Mapping[str, Any]) -> Finding:
        """Whether a menu is published."""
        try:
            live = await self._api.get_menu()
        except SendFailed as error:
            return self._refused(error)
        if live is None:
            return Finding(
                about=self.about,
                verdict="note",
                detail="no menu is published",
                remedy=f"`python run.py menu publish --account {self._account.id}`",
                say=Sentence("微信上没有发布菜单"),
                do=Sentence("到“菜单”页面发布菜单。"),
            )
        count = len(live.get("button", ()))
        expected = len(ours.get("button", ()))
        return self._good(
            f"a menu of {count} buttons is published (config/menu.toml: {expected})",
            Sentence("已发布菜单，一级菜单 {count} 个", count=count),
        )

    async def quota(self) -> Finding:
        """How much of the day's template messages is left."""
        try:
            return self._left(await self._api.quota())
        except SendFailed as error:
            return self._refused(error)

    def _left(self, said: PlatformQuota) -> Finding:
        if not said.daily_limit:
            return self._good(
                "WeChat sets no limit for today", Sentence("微信没有限制今天的发送次数")
            )
        left = max(0, said.daily_limit - said.used)
        detail = f"{left} of {said.daily_limit} template messages are left today"
        say = Sentence(
            "今天还能发 {left} 条模板消息（共 {daily_limit} 条）",
            left=left,
            daily_limit=said.daily_limit,
        )
        if not left:
            return Finding(
                about=self.about,
                verdict="bad",
                detail=detail,
                remedy="what waits goes out after midnight, Beijing time",
                say=say,
                do=Sentence(
                    "等待中的通知会在零点之后继续发出；急用时可在微信后台清零（每月十次）。"
                ),
            )
        if said.used >= NEARLY_USED * said.daily_limit:
            return Finding(
                about=self.about,
                verdict="note",
                detail=detail,
                remedy="put off what is not urgent",
                say=say,
                do=Sentence("把不紧急的群发推迟到明天。"),
            )
        return self._good(detail, say)

    async def clock(self, now: datetime) -> Finding:
        """Compare the platform's clock with ours."""
        base = self._account.api_base
        theirs = await self._probe.date()
        if theirs is None:
            return Finding(
                about=self.about,
                verdict="bad",
                detail=f"{base} does not answer",
                remedy=(
                    "run `python run.py sandbox`, or set its api_base to the demo's port"
                    if urlsplit(base).hostname in ("127.0.0.1", "localhost", "::1")
                    else "check api_base, the network and the firewall"
                ),
                say=Sentence("{base} 没有回答", base=base),
                do=Sentence("检查设置 api_base、出口网络和防火墙。"),
            )
        return about_time(
            self.about, f"{base} answers", Sentence("{base} 有回答", base=base), theirs, now
        )

    def _good(self, detail: str, say: str) -> Finding:
        return Finding(about=self.about, verdict="good", detail=detail, say=say)

    def _refused(self, error: SendFailed) -> Finding:
        advice = rule_for(error.errcode, for_token=True).advice
        say, do = explained(error)
        return Finding(
            about=self.about,
            verdict="bad",
            detail=f"WeChat refuses: {error}",
            remedy=advice or "see the code in WeChat's documentation",
            say=say,
            do=do,
        )
