"""Followers (关注者): looked for, shown masked, and one value whole for a purpose.

No openid stands in an address: a search is posted and becomes a sealed word, and so does every
person. Each look at a person is in the audit log before anything is shown.
"""

from datetime import UTC, datetime

from pydantic import BaseModel, Field

from domain.ids import OpenId, RegionCode, TopicId
from domain.looking import Item, Sought
from domain.people import PLACE_LABELS
from domain.sentence import Sentence
from push.followers import LONGEST, PURPOSES
from web.admin.base import AdminPage
from web.admin.broadcast_words import CHANNELS
from web.admin.forms import FormRefused
from web.admin.table import ACCOUNT, route
from web.admin.words import mark

HISTORY_PAGE = 20
SEALED = r"([A-Za-z0-9_-]{30,400})"
PURPOSE_WORDS = {
    "enquiry": mark("答复市民咨询"),
    "complaint": mark("处理投诉举报"),
    "delivery": mark("核对通知送达"),
    "correction": mark("更正登记信息"),
    "legal": mark("依法协助调查"),
}
ITEM_WORDS = {
    "openid": mark("openid"),
    "vehicle": mark("车牌"),
    "place": mark("地点"),
    "name": mark("姓名"),
    "id_number": mark("证件号码"),
    "imported": mark("导入的车牌或证件"),
}
PLACE_WORDS = {"home": mark("家"), "work": mark("单位"), "parents": mark("父母家")}
MODE_WORDS = {"immediate": mark("立即"), "daily": mark("每日汇总"), "weekly": mark("每周汇总")}
_NO_TOPIC = mark("没有这个主题，请从列表中选择。")
_NO_REGION = mark("没有这个地区，请从列表中选择。")


class Search(BaseModel):
    """What the form asks; everything may be left out."""

    openid: str = Field("", max_length=64)
    tag: str = Field("", max_length=64)
    region: str = Field("", max_length=12)
    topic: str = Field("", max_length=64)


class Reveal(BaseModel):
    """Which value, and what for; the rules of a purpose are in `push.followers`."""

    item: str = Field(min_length=1, max_length=64)
    purpose_kind: str = Field("", max_length=32)
    purpose: str = Field("", max_length=4 * LONGEST)


class FollowersPage(AdminPage):
    """`…/subscribers`: the followers of an account, in the order of openids."""

    async def get(self) -> None:
        token = self.get_query_argument("q", "")
        followers = self.ctx.followers
        if token:
            sought, after = followers.search_of(self.account_id, token)
        else:
            sought, after = self._plain(), None
        found = await followers.page(self.account_id, sought, after=after)
        here = self.address("subscribers")
        again = followers.search(self.account_id, sought)
        onward = followers.search(self.account_id, sought, found.after) if found.after else ""
        self.page(
            "admin/people.html",
            **self.choices(),
            people=[
                (followers.reference(self.account_id, person.openid), person)
                for person in found.people
            ],
            values={
                "openid": sought.openid,
                "tag": sought.tag,
                "region": sought.region or "",
                "topic": sought.topic or "",
            },
            next=f"{here}?q={onward}" if onward else "",
            first=f"{here}?q={again}" if after else "",
            is_asked=sought != Sought(),
        )

    async def post(self) -> None:
        form = self.form(Search)
        errors = {}
        if form.topic and TopicId(form.topic) not in self.ctx.catalogue.topics:
            errors["topic"] = self.say(_NO_TOPIC)
        if form.region and RegionCode(form.region) not in self.ctx.catalogue.regions:
            errors["region"] = self.say(_NO_REGION)
        if errors:
            raise FormRefused(errors, form.model_dump())
        sought = _sought(form.openid, form.tag, form.region, form.topic)
        self.go("subscribers", query=f"q={self.ctx.followers.search(self.account_id, sought)}")

    async def again(self, refused: FormRefused) -> None:
        """Show the form once more."""
        empty = {"openid": "", "tag": "", "region": "", "topic": ""}
        self.page(
            "admin/people.html",
            **self.choices(),
            people=[],
            values={**empty, **refused.values},
            errors=refused.errors,
            next="",
            first="",
            is_asked=True,
        )

    def choices(self) -> dict[str, object]:
        """Return what the search form offers."""
        catalogue = self.ctx.catalogue
        return {
            "regions": {code: region.name for code, region in catalogue.regions.items()},
            "topics": {name: topic.title for name, topic in catalogue.topics.items()},
        }

    def _plain(self) -> Sought:
        """Read a search that names nobody, such as a link from a topic brings."""
        catalogue = self.ctx.catalogue
        topic = TopicId(self.get_query_argument("topic", "")[:64])
        region = RegionCode(self.get_query_argument("region", "")[:12])
        return _sought(
            "",
            self.get_query_argument("tag", "")[:64],
            region if region in catalogue.regions else "",
            topic if topic in catalogue.topics else "",
        )


class FollowerPage(AdminPage):
    """`…/subscribers/{sealed}`: one follower, masked."""

    async def get(self, reference: str) -> None:
        await self.show(reference)

    async def show(
        self,
        reference: str,
        *,
        shown: tuple[Item, str] | None = None,
        refused: FormRefused | None = None,
    ) -> None:
        """Show the follower, and the one value that was just asked for."""
        followers, account = self.ctx.followers, self.account_id
        openid = followers.openid_of(account, reference)
        card = await followers.card(
            self.operator, account, openid, remote=self.request.remote_ip or ""
        )
        before = self._before()
        history = await self.ctx.history.page(account, openid, before=before, limit=HISTORY_PAGE)
        here = self.address("subscriber", reference)
        older = int(history.before.timestamp() * 1000) if history.before else None
        catalogue = self.ctx.catalogue
        self.page(
            "admin/person.html",
            card=card,
            reference=reference,
            shown=shown,
            history=history.rows,
            channels=CHANNELS,
            next=f"{here}?before={older}#history" if older else "",
            first=f"{here}#history" if before else "",
            regions={code: region.name for code, region in catalogue.regions.items()},
            topics={name: topic.title for name, topic in catalogue.topics.items()},
            purposes=[(name, self.say(PURPOSE_WORDS[name])) for name in PURPOSES],
            choices=[(item.key, self.described(item)) for item in card.items],
            described=self.described,
            modes={name: self.say(text) for name, text in MODE_WORDS.items()},
            values=refused.values if refused else {},
            errors=refused.errors if refused else {},
        )

    def described(self, item: Item) -> str:
        """Return what an item is, in words."""
        words = self.say(ITEM_WORDS[item.kind])
        if item.label in PLACE_LABELS:
            words += self.say(Sentence("（{place}）", place=PLACE_WORDS[item.label]))
        return f"{words} {item.masked}"

    def _before(self) -> datetime | None:
        text = self.get_query_argument("before", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 14):
            return None
        return datetime.fromtimestamp(int(text) / 1000, UTC)


class FollowerValue(FollowerPage):
    """`…/subscribers/{sealed}/value`: shows one value whole, once, for a purpose."""

    async def get(self, reference: str) -> None:
        """Lead back: what was shown is not shown again."""
        self.ctx.followers.openid_of(self.account_id, reference)
        self.redirect(self.address("subscriber", reference))

    async def post(self, reference: str) -> None:
        form = self.form(Reveal)
        openid = self.ctx.followers.openid_of(self.account_id, reference)
        shown = await self.ctx.followers.reveal(
            self.operator,
            self.account_id,
            openid,
            form.item,
            kind=form.purpose_kind,
            purpose=form.purpose,
            remote=self.request.remote_ip or "",
        )
        await self.show(reference, shown=shown)

    async def again(self, refused: FormRefused, reference: str) -> None:
        """Show the form once more."""
        await self.show(reference, refused=refused)


def _sought(openid: str, tag: str, region: str, topic: str) -> Sought:
    return Sought(
        openid=OpenId(openid.strip()),
        tag=tag.strip(),
        region=RegionCode(region) if region else None,
        topic=TopicId(topic) if topic else None,
    )


routes = (
    route(
        ACCOUNT + "subscribers",
        FollowersPage,
        "subscribers",
        get="subscribers.read",
        post="subscribers.read",
        nav=mark("关注者"),
    ),
    route(ACCOUNT + rf"subscribers/{SEALED}", FollowerPage, "subscriber", get="subscribers.read"),
    route(
        ACCOUNT + rf"subscribers/{SEALED}/value",
        FollowerValue,
        "subscriber-value",
        get="subscribers.unmask",
        post="subscribers.unmask",
    ),
)
