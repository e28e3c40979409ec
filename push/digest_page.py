"""The page behind a digest's message (汇总详情): each notice with its fields, masked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from config.catalogue import Catalogue
from config.settings import AccountSettings
from domain.free_text import mask_numbers
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Content
from domain.masking import AccountNumber
from domain.personal import general
from push.digest_cards import DigestCards, Entry

LABELS = {  # our data names (contract.md 7) as people read them
    "account": "账号",
    "act": "行为",
    "area": "范围",
    "balance": "余额",
    "case": "办件编号",
    "change": "变动",
    "due": "日期",
    "end": "结束",
    "fine": "罚款",
    "headline": "内容",
    "issuer": "发布单位",
    "level": "级别",
    "matter": "事项",
    "note": "说明",
    "place": "地点",
    "plate": "车牌",
    "reason": "原因",
    "start": "开始",
    "step": "进度",
    "time": "时间",
}
ACCOUNT_NUMBERS = frozenset({"account"})  # the last four only


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownNotice:
    """One notice as the page shows it."""

    title: str
    at: datetime
    fields: tuple[tuple[str, str], ...] = field(repr=False)  # label, value
    url: str | None
    hotline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDigest:
    """What the page shows, and to whom."""

    openid: OpenId | None
    notices: tuple[ShownNotice, ...]


class DigestPages:
    """Reads digests for their page (runtime: `ctx.digest_pages`)."""

    def __init__(
        self,
        cards: DigestCards,
        accounts: Mapping[AccountId, AccountSettings],
        catalogue: Catalogue,
    ) -> None:
        self._cards = cards
        self._accounts = accounts
        self._catalogue = catalogue

    async def show(self, account: AccountId, digest: BroadcastId) -> ShownDigest:
        """Return what was collected, without what its person has left meanwhile."""
        entries = await self._cards.entries(digest)
        return ShownDigest(
            openid=entries[0].item.openid if entries else None,
            notices=tuple(self._shown(account, entry) for entry in entries),
        )

    def _shown(self, account: AccountId, entry: Entry) -> ShownNotice:
        topic = self._catalogue.topics.get(entry.item.topic)
        return ShownNotice(
            title=topic.title if topic else "通知",
            at=entry.item.at,
            fields=tuple(self._fields(account, entry.content)),
            url=entry.content.url,
            hotline=topic.hotline if topic else "12345",
        )

    def _fields(self, account: AccountId, content: Content) -> Iterator[tuple[str, str]]:
        """Yield labels and values of the message that would have been sent first."""
        settings = self._accounts.get(account)
        template_id, values = content.template_id, content.fields
        if not values and content.notice is not None:
            template_id, values = content.notice.template_id, content.notice.fields
        known = (
            [*settings.templates.values(), *settings.subscription_templates.values()]
            if settings
            else []
        )
        names = next((each.fields for each in known if each.id == template_id), {})
        for key, value in values.items():
            name = names.get(key, "")
            yield LABELS.get(name, ""), _masked(name, general(value))
        if not values:
            yield "", mask_numbers(general(content.text))


def _masked(name: str, value: str) -> str:
    return AccountNumber(value).masked if name in ACCOUNT_NUMBERS else mask_numbers(value)
