"""What a citizen does on the phone, and what WeChat then pushes to the service (2.1, 2.2)."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.accounts import Account
from sandbox.chat import Exchange
from sandbox.courier import Parcel
from sandbox.notices import Answer
from sandbox.world import World
from sandbox.xml import Fields, write

PICTURE = "http://mmbiz.qpic.cn/mmbiz_jpg/EXAMPLE/0"


class NotPossible(Exception):
    """Something this person cannot do now, such as writing after leaving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddities:
    """How one push departs from the ordinary; for tests of the service's patience."""

    copies: int = 1
    omit: tuple[str, ...] = ()  # members left out, such as MsgId
    extra: Fields | None = None  # members added or replaced
    bad_signature: bool = False


ORDINARY = Oddities()


class Acts:
    """The things one citizen can do with one account."""

    def __init__(
        self, world: World, account: Account, openid: str, oddities: Oddities = ORDINARY
    ) -> None:
        self._world = world
        self._account = account
        self._person = world.person(account, openid)
        self._oddities = oddities

    @property
    def account(self) -> Account:
        return self._account

    async def follow(self, scene: str = "", ticket: str = "") -> Exchange:
        """关注; with a scene it came from a parametric code."""
        person = self._person
        if person.is_following:
            raise NotPossible("follows already")
        person.since = self._world.clock.timestamp()
        person.scene = scene
        person.add_scene = "ADD_SCENE_QR_CODE" if scene else "ADD_SCENE_SEARCH"
        self._account.followers.add(person)
        self._world.set_state(self._account, person, "follows")
        self._mark("已关注该公众号")
        self._acted("scan" if scene else "follow")
        fields: dict[str, object] = {"EventKey": f"qrscene_{scene}" if scene else ""}
        if scene:
            fields["Ticket"] = ticket or self._ticket(scene)
        return await self._event("subscribe", fields)

    async def unfollow(self) -> Exchange:
        """取消关注; the service's reply is not shown."""
        if self._person.is_following:
            self._world.set_state(self._account, self._person, "left")
            self._mark("已取消关注")
        return await self._event("unsubscribe", {"EventKey": ""}, shows_reply=False)

    async def scan(self, scene: str, ticket: str = "") -> Exchange:
        """Scan a parametric code: SCAN for a follower, a follow for a stranger."""
        if not self._person.is_following:
            return await self.follow(scene, ticket)
        self._mark("扫描二维码")
        self._acted("scan")
        return await self._event(
            "SCAN", {"EventKey": scene, "Ticket": ticket or self._ticket(scene)}
        )

    async def text(self, text: str, menu_id: str = "") -> Exchange:
        """Write a text; `menu_id` when it is a tap on an item of a msgmenu."""
        fields: dict[str, object] = {"Content": text}
        if menu_id:
            fields["bizmsgmenuid"] = menu_id
        return await self._message("text", fields, kind="menu" if menu_id else "message", text=text)

    async def voice(self, recognition: str | None) -> Exchange:
        """Speak; None when speech recognition is off."""
        media_id = f"mEdIa-voice-{secrets.token_hex(8)}"
        fields: dict[str, object] = {"MediaId": media_id, "Format": "amr"}
        if recognition is not None:
            fields |= {"MediaId16K": f"{media_id}-16k", "Recognition": recognition}
        return await self._message("voice", fields, text=recognition or "")

    async def image(self, url: str = "") -> Exchange:
        fields = {"PicUrl": url or PICTURE, "MediaId": f"mEdIa-image-{secrets.token_hex(8)}"}
        return await self._message("image", fields, url=url or PICTURE)

    async def video(self, *, short: bool = False) -> Exchange:
        token = secrets.token_hex(8)
        fields = {"MediaId": f"mEdIa-video-{token}", "ThumbMediaId": f"mEdIa-thumb-{token}"}
        return await self._message("shortvideo" if short else "video", fields)

    async def location(
        self, latitude: float, longitude: float, label: str, scale: int = 15
    ) -> Exchange:
        fields: dict[str, object] = {
            "Location_X": latitude,
            "Location_Y": longitude,
            "Scale": scale,
            "Label": label,
        }
        return await self._message("location", fields, label=label)

    async def link(self, title: str, description: str, url: str) -> Exchange:
        fields = {"Title": title, "Description": description, "Url": url}
        return await self._message("link", fields, title=title, url=url)

    async def click(self, key: str, name: str = "") -> Exchange:
        """Tap a `click` button of the menu."""
        self._must_follow()
        self._mark(f"点击菜单“{name or key}”")
        self._acted("menu")
        return await self._event("CLICK", {"EventKey": key})

    async def view(self, url: str, menu_id: str = "", name: str = "") -> Exchange:
        """Tap a `view` button: the page opens, and the service is told."""
        self._must_follow()
        self._mark(f"打开页面“{name or url}”")
        fields = {"EventKey": url} | ({"MenuId": menu_id} if menu_id else {})
        return await self._event("VIEW", fields, shows_reply=False)

    async def consent(self, answers: Mapping[str, Answer], scene: str = "1") -> Exchange:
        """Answer the consent window for subscription notices: template id → choice."""
        notices = self._account.notices
        for template_id, answer in answers.items():
            template = notices.templates.get(template_id)
            if template is None:
                raise NotPossible(f"the account has no notice template {template_id}")
            notices.consents.answer(self._person.openid, template, answer)
        items = [
            {"TemplateId": name, "SubscribeStatusString": answer, "PopupScene": scene}
            for name, answer in answers.items()
        ]
        wrapper = {"SubscribeMsgPopupEvent": {"List": items}}
        return await self._event("subscribe_msg_popup_event", wrapper, shows_reply=False)

    async def withdraw_consent(self, template_id: str) -> Exchange:
        """Reject a kind of notice on WeChat's management page; only that is ever told."""
        self._account.notices.consents.withdraw(self._person.openid, template_id)
        item = {"TemplateId": template_id, "SubscribeStatusString": "reject"}
        wrapper = {"SubscribeMsgChangeEvent": {"List": [item]}}
        return await self._event("subscribe_msg_change_event", wrapper, shows_reply=False)

    async def event(self, name: str, fields: Fields) -> Exchange:
        """Anything else that happens, under its own name."""
        if name.lower() in ("scancode_push", "scancode_waitmsg"):
            self._acted("menu")
        silent = name.upper().endswith("JOBFINISH") or name in ("LOCATION", "unsubscribe")
        return await self._event(name, fields, shows_reply=not silent)

    async def other_message(self, kind: str, fields: Fields) -> Exchange:
        """A message of another kind, such as `miniprogrampage` or `file`."""
        return await self._message(kind, fields)

    async def raw(self, xml: str) -> Exchange:
        """Deliver this text as the message, whatever it is."""
        parcel = Parcel(
            openid=self._person.openid,
            event="raw",
            message=xml,
            copies=self._oddities.copies,
            bad_signature=self._oddities.bad_signature,
        )
        return await self._world.push(self._account, self._person, parcel)

    def _must_follow(self) -> None:
        if not self._person.is_following:
            raise NotPossible("does not follow the account; follow first")
        if self._person.state == "blacklisted":
            raise NotPossible("is on the account's blacklist, so WeChat pushes nothing")

    def _mark(self, text: str) -> None:
        self._world.say(self._account, self._person, "system", "mark", text=text)

    def _acted(self, kind: str) -> None:
        self._person.acted(kind, self._world.clock.timestamp())

    def _ticket(self, scene: str) -> str:
        """Return the ticket of the account's code for this scene, or one that looks like it."""
        for ticket, known in self._account.qr_codes.items():
            if known == scene:
                return ticket
        return "gQ" + hashlib.sha256(scene.encode()).hexdigest()

    async def _message(
        self, msg_type: str, fields: Fields, *, kind: str = "message", **shown: object
    ) -> Exchange:
        self._must_follow()
        self._acted(kind)
        self._world.say(self._account, self._person, "citizen", msg_type, **shown)
        number = self._world.next_message_id()
        return await self._push(msg_type, {"MsgType": msg_type, **fields, "MsgId": number})

    async def _event(self, name: str, fields: Fields, *, shows_reply: bool = True) -> Exchange:
        members = {"MsgType": "event", "Event": name, **fields}
        return await self._push(name, members, is_event=True, shows_reply=shows_reply)

    async def _push(
        self, event: str, fields: Fields, *, is_event: bool = False, shows_reply: bool = True
    ) -> Exchange:
        oddities = self._oddities
        members: Mapping[str, object] = {
            "ToUserName": self._account.gh_id,
            "FromUserName": self._person.openid,
            "CreateTime": self._world.clock.timestamp(),
            **fields,
            **(oddities.extra or {}),
        }
        parcel = Parcel(
            openid=self._person.openid,
            event=event,
            message=write({k: v for k, v in members.items() if k not in oddities.omit}),
            is_event=is_event,
            shows_reply=shows_reply,
            copies=oddities.copies,
            bad_signature=oddities.bad_signature,
        )
        return await self._world.push(self._account, self._person, parcel)
