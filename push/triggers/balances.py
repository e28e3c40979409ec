"""Balance news (社保、医保、公积金变动, domain.md 2.1 to 2.3): a booking becomes a notice.

One notice per person, kind of booking and Beijing day: five insurance lines booked in one run
are one card. Numbers that nobody bound are passed over before anything is kept; the event's name
is a keyed hash. Amounts stay off the lock screen (domain.md 1.8): the card asks to be opened.
Of medical insurance it says that there is a new record, and when the card was made, no more.

The first look sets the baseline, and what is older than three days is no news: a department that
publishes last year again tells nobody anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from config.settings import AccountSettings
from connectors.booking_feeds import BookingFeed, BookingPage, Office
from domain.booking import Booking
from domain.clock import in_beijing
from domain.errors import ConfigError
from domain.ids import AccountId, TopicId
from domain.people import Subject
from push.field_types import problem_with
from push.notices import NoticeOrder
from push.triggers.ports import Outcome, Visit
from push.triggers.reading import read_pages
from push.triggers.together import each
from push.triggers.wording import fit

TEMPLATE = "balance_notice"
FRESH = timedelta(days=3)
PAGES = 5
AT_ONCE = 8
MEDICAL_WORDS = "你有一条新的医保记录"  # domain.md 2.2: never more than this
HIDDEN = "请点开查看"
_SOCIAL_WORDS: Mapping[str, str] = {
    "contribution": "社保缴费已到账",
    "gap": "连续两个月没有缴费记录",
    "benefit": "待遇已发放",
    "certification": "待遇资格认证即将到期",
}
_NAMELESS = "****"  # where a template takes no Chinese characters


def _social(booking: Booking) -> str:
    return _SOCIAL_WORDS.get(booking.kind, "社保账户有新的变动")


def _medical(_: Booking) -> str:
    return MEDICAL_WORDS


def _fund(booking: Booking) -> str:
    return fit(f"公积金{booking.kind}已入账") if booking.kind else "公积金账户有新的变动"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How one office's bookings are said."""

    topic: TopicId
    account: str
    change: Callable[[Booking], str]
    tells_when: bool = True  # whether the moment of the booking may be told


WORDINGS: Mapping[Office, Wording] = {
    "social": Wording(topic=TopicId("social.balance"), account="社保账户", change=_social),
    "medical": Wording(
        topic=TopicId("medical.balance"), account="医保", change=_medical, tells_when=False
    ),
    "fund": Wording(topic=TopicId("fund.balance"), account="公积金账户", change=_fund),
}


class Holders(Protocol):
    """Who is bound at all, and names that tell nothing (`storage.mongo.holders`)."""

    async def bound(
        self, account: AccountId, topic: TopicId, subjects: Sequence[Subject]
    ) -> set[Subject]: ...

    def blind(self, kind: str, value: str) -> str: ...


class BalanceTrigger:
    """One office's feed of bookings, told to the people concerned."""

    every = timedelta(seconds=120)

    def __init__(
        self,
        office: Office,
        feed: BookingFeed,
        holders: Holders,
        accounts: Mapping[AccountId, AccountSettings],
        *,
        pages: int = PAGES,
    ) -> None:
        self.name = f"{office}_balance"
        self.office: Office = office
        self._wording = WORDINGS[office]
        self._feed = feed
        self._holders = holders
        self._accounts = accounts
        self._pages = pages

    async def run(self, visit: Visit) -> Outcome:
        """Read the pages that are new and tell those who bound their real name."""

        async def ask(since: str, etag: str) -> BookingPage:
            return await self._feed.changes(since=since, etag=etag)

        async def hear(page: BookingPage, is_first: bool) -> int:
            if not is_first:
                await self._tell(visit, page.bookings)
            return len(page.bookings)

        return await read_pages(visit, ask, hear, trigger=self.name, pages=self._pages)

    async def _tell(self, visit: Visit, bookings: Sequence[Booking]) -> None:
        fresh = [booking for booking in bookings if booking.at > visit.now - FRESH]
        subjects = {_subject(booking) for booking in fresh}
        bound = await self._holders.bound(visit.account, self._wording.topic, list(subjects))
        events = {self._event(one): one for one in fresh if _subject(one) in bound}

        async def tell(event: str) -> None:
            await visit.emit.notice(self._order(visit, events[event], event))

        await each(events, tell, at_once=AT_ONCE)

    def _order(self, visit: Visit, booking: Booking, event: str) -> NoticeOrder:
        return NoticeOrder(
            account=visit.account,
            topic=self._wording.topic,
            subject_kind="person",
            subject_value=booking.id_number.plain,
            template=TEMPLATE,
            data=self._card(self._accounts[visit.account], booking, visit.now),
            event_id=event,
        )

    def _event(self, booking: Booking) -> str:
        """Return the same name for all bookings of one person, kind and day."""
        day = f"{in_beijing(booking.at):%Y-%m-%d}"
        what = f"{booking.id_number.plain}|{booking.kind}|{day}"
        return f"trigger:{self.name}:{self._holders.blind('booking', what)}"

    def _card(self, account: AccountSettings, booking: Booking, now: datetime) -> dict[str, str]:
        name = self._wording.account + (f"尾号{booking.tail}" if booking.tail else "")
        takes_chinese = not _key_of(account, "account").startswith("character_string")
        moment = booking.at if self._wording.tells_when else now
        return {
            "account": name if takes_chinese else _NAMELESS + booking.tail,
            "change": self._wording.change(booking),
            "balance": HIDDEN,
            "time": moment.isoformat(),
        }


def check_card(account: AccountSettings, office: Office) -> None:
    """Raise `ConfigError` if the account's template cannot hold what the office's cards say.

    Every card would be refused, one by one, and nobody be told.
    """
    for name, texts in _samples(office).items():
        key = _key_of(account, name)
        for text in texts:
            if not key or _takes(key, name, text):
                continue
            raise ConfigError(
                f"setting accounts ({account.id}) templates.{TEMPLATE}: it maps {name} to {key}, "
                f"which does not take {text!r} (amounts do not belong on a lock screen); choose a "
                f"template with a thing for it, or take {account.id} out of the balance triggers"
            )


def _samples(office: Office) -> Mapping[str, Sequence[str]]:
    """Return the longest texts of an office's cards."""
    changes = {
        "social": (*_SOCIAL_WORDS.values(), "社保账户有新的变动"),
        "medical": (MEDICAL_WORDS,),
        "fund": ("公积金汇缴已入账", "公积金账户有新的变动"),
    }
    name = WORDINGS[office].account + ("尾号1001" if office == "fund" else "")
    return {
        "account": (name,),
        "change": changes[office],
        "balance": (HIDDEN,),
        "time": ("2026年11月24日 09:00",),
    }


def _takes(key: str, name: str, text: str) -> bool:
    if name == "account" and key.startswith("character_string"):
        return True  # it gets the tail alone
    return problem_with(key, text) is None


def _key_of(account: AccountSettings, name: str) -> str:
    """Return the WeChat key that the account maps a data name to; empty if none."""
    mapped = account.templates.get(TEMPLATE)
    keys = [key for key, field in mapped.fields.items() if field == name] if mapped else []
    return keys[0] if keys else ""


def _subject(booking: Booking) -> Subject:
    return Subject(kind="person", value=booking.id_number.plain)
