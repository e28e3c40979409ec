"""Calls to the WeChat platform for one account.

Nothing is repeated blindly: a rejected token is renewed and the call made once more, because a
rejected call was not carried out; every other failure travels up as `SendFailed`, which says
how to go on. A send that got no answer may have been carried out: its failure is "unknown".
"""

import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from connectors.wechat.answers import (
    FollowerPage,
    QrCode,
    TemplateInfo,
    UserInfo,
    pieces_of,
    read_followers,
    read_notice_templates,
    read_quota,
    read_templates,
    read_user,
)
from connectors.wechat.errcodes import (
    NO_CODE,
    NO_MENU,
    TOKEN_CODES,
    failure_for,
    failure_outside,
    rule_for,
)
from connectors.wechat.tokens import TokenKeeper
from connectors.wechat.wire import (
    TIMEOUT,
    CallFailed,
    Json,
    encode,
    errcode_of,
    errmsg_of,
    exchange,
    rid_of,
)
from domain.allowance import PlatformQuota
from domain.delivery import SendFailed
from domain.ids import OpenId

OFFICIAL = "https://api.weixin.qq.com"
FALLBACK = "https://api2.weixin.qq.com"  # the same platform, when the first name is away
PICTURES = "https://mp.weixin.qq.com"
TEMPLATE_SEND = "/cgi-bin/message/template/send"
CUSTOM_SEND = "/cgi-bin/message/custom/send"
SUBSCRIPTION_SEND = "/cgi-bin/message/subscribe/bizsend"
MASS_SEND = "/cgi-bin/message/mass/send"
MASS_SEND_ALL = "/cgi-bin/message/mass/sendall"
NOTICE_TEMPLATES = "/wxaapi/newtmpl/gettemplate"
LONGEST_CLIENTMSGID = 32  # bytes
REJECTED_PAUSE = timedelta(minutes=1)
TOKEN_IN_TIME = 0.3  # seconds for which the permission to send still holds
COMMONS_KEPT = 64  # messages being sent at the same time

log = logging.getLogger(__name__)

_LEVELS: Mapping[str, int] = {
    "config": logging.ERROR,
    "config_message": logging.ERROR,
    "drop": logging.INFO,
    "unreachable": logging.INFO,
}


class WeChatApi:
    """One account's way to the platform. Safe to share between tasks."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        api_base: str,
        app_id: str,
        app_secret: str,
        tokens: TokenKeeper,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
        fallback: str | None = None,
    ) -> None:
        self._http = http
        self._bases = [api_base.rstrip("/")]
        if fallback or self._bases[0] == OFFICIAL:
            self._bases.append(fallback or FALLBACK)
        self._pictures = PICTURES if self._bases[0] == OFFICIAL else self._bases[0]
        self._app_id = app_id
        self._app_secret = app_secret
        self._tokens = tokens
        self._timeout = timeout
        self._urls: dict[str, URL] = {}  # path → address with the present token
        self._urls_token = ""
        # the data's identity → the data (so that the identity stays its own), and what was made
        self._commons: dict[int, tuple[Mapping[str, str], str, str | None, bytes]] = {}

    # --- sends ----------------------------------------------------------------------------

    async def send_template(
        self,
        *,
        openid: str,
        template_id: str,
        data: Mapping[str, str],
        url: str | None = None,
        client_msg_id: str,
    ) -> str:
        """Send one template message 模板消息 and return its msgid.

        The platform carries out one `client_msg_id` per person once in ten minutes: repeat
        with the same one, never with a new one. `data` must not be changed afterwards: what
        everybody gets is written once.

        This is the busiest call by far, so what usually happens takes the shortest way.
        """
        token = self._tokens.held() or await self._in_time(self._tokens.token())
        address = self._url(TEMPLATE_SEND, token, "")
        try:
            common = self._common(template_id, data, url)
            own = b'{"touser":%b,"client_msg_id":%b,' % (encode(openid), encode(client_msg_id))
            body = own + common
            answer = await exchange(self._http, address, body, self._timeout)
        except CallFailed as error:
            raise self._no_answer(error, address, is_send=True) from error
        if "msgid" not in answer or answer.get("errcode"):
            answer = await self._answered(
                answer, token, TEMPLATE_SEND, body, is_send=True, needs="msgid", in_time=True
            )
        return str(answer["msgid"])  # 64 bits: never a float

    async def send_text(self, openid: OpenId, text: str) -> None:
        """Send a customer-service message 客服消息; a long text goes out in several.

        It has no key against repetition: after "unknown" prefer silence to a second copy.
        """
        for piece in pieces_of(text):
            message = {"touser": openid, "msgtype": "text", "text": {"content": piece}}
            await self._call(CUSTOM_SEND, message, is_send=True)

    async def send_subscription(
        self, *, openid: str, template_id: str, data: Mapping[str, str], url: str | None = None
    ) -> None:
        """Send one subscription notice 订阅通知; its result comes as subscribe_msg_sent_event.

        The platform offers no key against repetition: after "unknown", or -1, never repeat.
        """
        message: Json = {
            "touser": openid,
            "template_id": template_id,
            "data": {key: {"value": value} for key, value in data.items()},
        }
        if url:
            message["page"] = url
        await self._call(SUBSCRIPTION_SEND, message, is_send=True, needs="errcode")

    async def mass_send_openids(
        self, *, openids: Sequence[str], text: str, clientmsgid: str
    ) -> str:
        """Send a text to 2–10,000 followers 群发 and return the job's msg_id.

        The platform carries out one `clientmsgid` once in 24 hours: a repeat returns the msg_id
        of the first. Accepted is not delivered: MASSSENDJOBFINISH tells how many got it.
        """
        return await self._mass(MASS_SEND, {"touser": list(openids)}, text, clientmsgid)

    async def mass_send_tag(self, *, tag_id: int | None, text: str, clientmsgid: str) -> str:
        """Send a text to a tag of the platform, or with None to every follower."""
        everybody = tag_id is None
        target: Json = {"is_to_all": everybody} | ({} if everybody else {"tag_id": tag_id})
        return await self._mass(MASS_SEND_ALL, {"filter": target}, text, clientmsgid)

    async def _mass(self, path: str, target: Json, text: str, clientmsgid: str) -> str:
        if len(clientmsgid.encode()) > LONGEST_CLIENTMSGID:
            raise ValueError(f"clientmsgid has more than {LONGEST_CLIENTMSGID} bytes")
        message = {
            **target,
            "msgtype": "text",
            "text": {"content": text},
            "clientmsgid": clientmsgid,
        }
        answer = await self._call(path, message, is_send=True, needs="msg_id")
        return str(answer["msg_id"])

    # --- the account ----------------------------------------------------------------------

    async def check_token(self) -> None:
        """Make sure that there is a token, or raise what is wrong and what helps."""
        await self._tokens.token()

    async def templates(self) -> list[TemplateInfo]:
        """Return the account's templates with the keys their messages need."""
        path = "/cgi-bin/template/get_all_private_template"
        return read_templates(await self._call(path, needs="template_list"))

    async def notice_templates(self) -> list[TemplateInfo]:
        """Return the account's templates for subscription notices 订阅通知."""
        return read_notice_templates(await self._call(NOTICE_TEMPLATES, needs="data"))

    async def create_menu(self, menu: Mapping[str, Any]) -> None:
        """Publish the menu; followers see it within five minutes."""
        await self._call("/cgi-bin/menu/create", menu)

    async def get_menu(self) -> dict[str, Any] | None:
        """Return the published menu `{"button": […]}`, or None when there is none."""
        try:
            answer = await self._call("/cgi-bin/menu/get", needs="menu")
        except SendFailed as error:
            if error.errcode == NO_MENU:
                return None
            raise
        menu: dict[str, Any] = answer["menu"]
        return menu

    async def delete_menu(self) -> None:
        """Remove the default menu and all conditional ones."""
        await self._call("/cgi-bin/menu/delete")

    async def quota(self, cgi_path: str = TEMPLATE_SEND) -> PlatformQuota:
        """Return how often a call may be made today, how often it was, and at what rate."""
        path = "/cgi-bin/openapi/quota/get"
        return read_quota(await self._call(path, {"cgi_path": cgi_path}, needs="quota"))

    async def clear_quota(self) -> None:
        """Set the day's counters of all calls to zero; allowed ten times a month."""
        content = {"appid": self._app_id, "appsecret": self._app_secret}
        url = URL(self._bases[0] + "/cgi-bin/clear_quota/v2")
        answer = await self._exchange(url, encode(content), is_send=False)
        self._raise_for(answer, "/clear_quota/v2")

    # --- people ---------------------------------------------------------------------------

    async def user_info(self, openid: OpenId) -> UserInfo:
        """Return what the platform tells about a person: since 2021 no name and no picture."""
        query = f"&openid={quote(openid, safe='')}&lang=zh_CN"
        answer = await self._call("/cgi-bin/user/info", query=query, needs="subscribe")
        return read_user(answer)

    async def followers(self, next_openid: str = "") -> FollowerPage:
        """Return up to 10,000 followers after `next_openid`, in the order of following."""
        query = f"&next_openid={quote(next_openid, safe='')}"
        return read_followers(await self._call("/cgi-bin/user/get", query=query, needs="count"))

    async def create_qr(self, scene: str, expires: timedelta | None) -> QrCode:
        """Make a parametric QR code; `expires` None means one of the 100,000 permanent ones."""
        kind = "QR_LIMIT_STR_SCENE" if expires is None else "QR_STR_SCENE"
        content: Json = {"action_name": kind, "action_info": {"scene": {"scene_str": scene}}}
        if expires is not None:
            content["expire_seconds"] = int(expires.total_seconds())
        answer = await self._call("/cgi-bin/qrcode/create", content, needs="ticket")
        ticket = str(answer["ticket"])
        return QrCode(
            ticket=ticket,
            url=str(answer.get("url", "")),
            picture=self.picture_of(ticket),
            expires=expires,
        )

    def picture_of(self, ticket: str) -> str:
        """Return where the image of a QR code can be fetched, without a token."""
        return f"{self._pictures}/cgi-bin/showqrcode?ticket={quote(ticket, safe='')}"

    # --- how a call is made ---------------------------------------------------------------

    async def _call(
        self,
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        query: str = "",
        is_send: bool = False,
        needs: str | None = None,
    ) -> Json:
        """Make one call; with a rejected token, once more with the next one."""
        token = await self._tokens.token()
        address = self._url(path, token, query)
        try:
            body = None if content is None else encode(content)
        except CallFailed as error:
            raise self._no_answer(error, address, is_send=is_send) from error
        answer = await self._exchange(address, body, is_send=is_send)
        return await self._answered(
            answer, token, path, body, query=query, is_send=is_send, needs=needs
        )

    async def _answered(
        self,
        answer: Json,
        token: str,
        path: str,
        body: bytes | None,
        *,
        query: str = "",
        is_send: bool,
        needs: str | None,
        in_time: bool = False,
    ) -> Json:
        """Return what a call was answered, or that of its repetition with the next token.

        With `in_time` it is only repeated if the next token came while permission still held.
        """
        if "errcode" in answer and errcode_of(answer) in TOKEN_CODES:
            renewing = self._tokens.replace(token)
            token = await (self._in_time(renewing) if in_time else renewing)
            answer = await self._exchange(self._url(path, token, query), body, is_send=is_send)
        self._raise_for(answer, path)
        if needs is not None and needs not in answer:
            log.warning(
                "wechat.member_missing",
                extra={"app_id": self._app_id, "path": path, "has": sorted(answer)},
            )
            raise failure_outside(
                "no_member",
                f"{path}: no {needs} in the answer",
                self._now(),
                repeatable=not is_send,
            )
        return answer

    async def _in_time(self, obtaining: Awaitable[str]) -> str:
        """Wait for a token before a send; one that took long must not be used without asking.

        Its broadcast may have been paused, or have expired, meanwhile.
        """
        began = time.monotonic()
        token = await obtaining
        if time.monotonic() - began > TOKEN_IN_TIME:
            raise SendFailed(NO_CODE, "waited for the access_token, nothing was sent", "retry_now")
        return token

    async def _exchange(self, url: URL, body: bytes | None, *, is_send: bool) -> Json:
        try:
            return await exchange(self._http, url, body, self._timeout)
        except CallFailed as error:
            raise self._no_answer(error, url, is_send=is_send) from error

    def _no_answer(self, error: CallFailed, url: URL, *, is_send: bool) -> SendFailed:
        log.warning(
            "wechat.no_answer",
            extra={"app_id": self._app_id, "path": url.path, "reason": error.detail},
        )
        if error.symptom == "no_connection" and len(self._bases) > 1:
            self._bases.reverse()  # the next call takes the other name
            self._urls.clear()
        detail = f"{url.path}: {error.detail}"
        return failure_outside(error.symptom, detail, self._now(), repeatable=not is_send)

    def _common(self, template_id: str, data: Mapping[str, str], url: str | None) -> bytes:
        """Return the end of a message's JSON, which is the same for all its readers."""
        kept = self._commons.get(id(data))
        if kept is not None and kept[0] is data and kept[1:3] == (template_id, url):
            return kept[3]
        message: Json = {
            "template_id": template_id,
            "data": {key: {"value": value} for key, value in data.items()},
        }
        if url:
            message["url"] = url
        common = encode(message)[1:]
        if len(self._commons) >= COMMONS_KEPT:
            self._commons.clear()
        self._commons[id(data)] = data, template_id, url, common
        return common

    def _raise_for(self, answer: Json, path: str) -> None:
        if "errcode" not in answer:
            return
        code = errcode_of(answer)
        if code == 0 or rule_for(code).verdict == "ok":
            return
        errmsg = errmsg_of(answer)
        failed = failure_for(code, errmsg, self._now())
        if failed.failure == "refresh_token":  # even the renewed one was rejected
            failed = SendFailed(code, errmsg, "retry_later", retry_after=REJECTED_PAUSE)
        log.log(
            logging.INFO if code == NO_MENU else _LEVELS.get(failed.failure, logging.WARNING),
            "wechat.refused",
            extra={
                "app_id": self._app_id,
                "path": path,
                "errcode": code,
                "failure": failed.failure,
                "rid": rid_of(errmsg),
            },
        )
        raise failed

    def _url(self, path: str, token: str, query: str) -> URL:
        if query:
            return self._address(path, token, query)
        if token != self._urls_token:
            self._urls.clear()
            self._urls_token = token
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._address(path, token)
        return url

    def _address(self, path: str, token: str, query: str = "") -> URL:
        token = quote(token, safe="")
        return URL(f"{self._bases[0]}{path}?access_token={token}{query}", encoded=True)

    def _now(self) -> datetime:
        return self._tokens.clock.now()
