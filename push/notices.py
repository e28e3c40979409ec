"""Personal notices (个人通知): one event about one thing, for whoever bound it.

A notice is a broadcast of kind `notice`: the same ledger, the same road. The people are found
once and kept with the event in one write, so the same event again finds nothing to do and gives
the same answer. Who wants a digest, or has had enough of the topic for the day, gets it later
(`push.collecting`). What it says is personal and is encrypted at rest.
"""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from config.catalogue import Catalogue
from config.settings import AccountSettings
from domain.broadcast import Audience, Broadcast, Priority
from domain.channel import TEMPLATE_ONLY
from domain.clock import Clock
from domain.errors import InvalidInput
from domain.identifiers import default_plate_type, parse_identity, parse_plate, parse_plate_type
from domain.ids import AccountId, BroadcastId, TopicId, new_id
from domain.masking import Plate
from domain.people import Subject
from domain.sentence import Sentence
from domain.topic import SubjectKind
from push.fanout import LEASE, Fanout
from push.orders import Fault, OrderRefused, check_topic, compose
from push.ports import Cipher, People
from push.sealed import seal
from storage.mongo.broadcasts import AlreadyThere, MongoBroadcasts
from storage.mongo.notices import Notice

log = logging.getLogger(__name__)

PLATE = "plate"  # the data name that the service fills in itself


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeOrder:
    """One event about one thing, as a department announces it."""

    account: AccountId
    topic: TopicId
    subject_kind: SubjectKind
    subject_value: str = field(repr=False)
    plate_type: str | None = None
    template: str
    data: Mapping[str, str] = field(repr=False)
    url: str | None = None
    event_id: str
    priority: Priority = "normal"  # urgent: at once, whatever the modes, caps and hours
    expires_at: datetime | None = None


class Notices:
    """Announces events to their people (runtime: `ctx.notices`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        fanout: Fanout,
        people: People,
        cipher: Cipher,
        accounts: Mapping[AccountId, AccountSettings],
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._store = store
        self._fanout = fanout
        self._people = people
        self._cipher = cipher
        self._accounts = accounts
        self._catalogue = catalogue
        self._clock = clock
        self._owner = f"notices-{secrets.token_hex(6)}"

    async def announce(self, order: NoticeOrder, *, author: str) -> int:
        """Queue the event for everybody concerned and return how many they are.

        The same event again changes nothing and returns the same number.
        """
        before = await self._store.find_matched(order.account, order.topic, order.event_id)
        if before is not None:
            return before
        subject, data = self._checked_subject(order)
        topic = self._catalogue.topics.get(order.topic)
        content, faults = compose(
            order.template,
            data,
            order.url,
            self._account(order.account),
            channels=topic.channels if topic else TEMPLATE_ONLY,
            title=topic.title if topic else "",
        )
        now = self._clock.now()
        faults = check_topic(order.topic, self._catalogue) + faults
        if order.expires_at is not None and order.expires_at <= now:
            faults.append(
                Fault(field="expires_at", code="expired", message=Sentence("expires_at 已经过去"))
            )
        if faults or content is None:
            raise OrderRefused(tuple(faults))
        holders = await self._people.holders(order.account, order.topic, subject)
        broadcast = Broadcast(
            id=BroadcastId(new_id("nt")),
            account=order.account,
            kind="notice",
            title=self._catalogue.topics[order.topic].title,
            topic=order.topic,
            audience=Audience(topics=(order.topic,)),
            template=order.template,
            data={},  # sealed
            expires_at=order.expires_at,
            priority=order.priority,
            state="sending" if holders else "finished",
            created_at=now,
            started_at=now,
            finished_at=None if holders else now,
            author=author,
        )
        notice = Notice(
            event_id=order.event_id,
            immediate=tuple(openid for openid, mode in holders if mode == "immediate"),
            daily=tuple(openid for openid, mode in holders if mode == "daily"),
            weekly=tuple(openid for openid, mode in holders if mode == "weekly"),
            sealed=bytes(await self._cipher.encrypt(seal(content, subject))),
        )
        try:
            await self._store.add(
                broadcast,
                notice=notice,
                fanout=(self._owner, now + LEASE) if holders else None,
            )
        except AlreadyThere:  # the same event at the same moment
            again = await self._store.find_matched(order.account, order.topic, order.event_id)
            return again or 0
        if holders:
            await self._fanout.expand(broadcast, owner=self._owner)
        log.info("notice.announced", extra={"broadcast": broadcast.id, "matched": len(holders)})
        return len(holders)

    def _checked_subject(self, order: NoticeOrder) -> tuple[Subject, dict[str, str]]:
        """Return the subject in its normalised spelling, and the data with the plate masked."""
        data = dict(order.data)
        try:
            if order.subject_kind == "person":
                number = parse_identity(order.subject_value)
                return Subject(kind="person", value=number.plain), data
            plate: Plate = parse_plate(order.subject_value)
            kind = (
                parse_plate_type(order.plate_type)
                if order.plate_type
                else default_plate_type(plate)
            )
        except InvalidInput as error:
            fault = Fault(
                field="subject",
                code="invalid_subject",
                message=Sentence("subject 无效：{say}", say=error.say),
            )
            raise OrderRefused((fault,)) from error
        data[PLATE] = plate.masked
        return Subject(kind="vehicle", value=plate.plain, plate_type=kind), data

    def _account(self, account_id: AccountId) -> AccountSettings:
        account = self._accounts.get(account_id)
        if account is None:
            message = Sentence("没有账号 {account_id}", account_id=account_id)
            raise OrderRefused((Fault(field="account", code="unknown_account", message=message),))
        return account
