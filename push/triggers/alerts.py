"""The alert desk (预警): a CAP document is heard once, decided about, and said.

Documents come from the feed (`alert_feed`) and from the API. Hearing one:

1. what it replaces and what is still waiting (yellow and blue wait for the morning) is withdrawn,
   so that nobody reads an outdated card at seven;
2. it is decided about, in one transaction with everything of its chain (`domain.alert_plan`);
3. what it gives to say becomes broadcasts, under keys made of the alert and its level;
4. it is noted as done. A process that dies before leaves it to whoever hears it again, or to the
   sweep of the feed's trigger: the keys make that harmless.

Red and orange are urgent, which breaks quiet hours; the others wait as everything normal does.
The issuer's words go out as they came, cut only to what the account's template can hold.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from config.catalogue import Catalogue
from config.settings import AccountSettings
from connectors.cap.reader import read_alert
from domain.alert import WAKES, Alert, CapRefused
from domain.alert_plan import Setting, decide, replaced_by
from domain.alert_record import AlertRecord, AlertRefusal, Say
from domain.audience import AnyOf, Got, Not, Rule
from domain.broadcast import Audience, Broadcast, BroadcastState
from domain.clock import Clock, in_beijing
from domain.ids import AccountId, BroadcastId, RegionCode, TopicId
from push.broadcasts import Broadcasts
from push.notices import Notices
from push.orders import BroadcastOrder
from push.triggers.emit import Emitter
from push.triggers.ports import Emit
from push.triggers.wording import fit, fit_type
from storage.mongo.alerts import MongoAlertRefusals, MongoAlerts
from storage.mongo.broadcasts import MongoBroadcasts

log = logging.getLogger(__name__)

NAME = "alert"
TOPIC = TopicId("weather.alert")
TEMPLATE = "alert_notice"
SETTLED = timedelta(seconds=15)  # what was on its way when the end came has arrived by then
ABANDONED = timedelta(seconds=30)  # a decision that is not carried out by then is carried out anew
LONGEST_URL = 1024
WAITING: tuple[BroadcastState, ...] = ("draft", "in_review", "scheduled")
_WHY = "发布单位已发布更新的预警，旧消息停止发送"
_UNTYPED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of a document. `is_new`: not heard before."""

    record: AlertRecord
    is_new: bool
    broadcasts: tuple[BroadcastId, ...]


class AlertDesk:
    """Alerts of all accounts (runtime: `ctx.alerts`)."""

    def __init__(
        self,
        alerts: MongoAlerts,
        refusals: MongoAlertRefusals,
        broadcasts: Broadcasts,
        store: MongoBroadcasts,
        notices: Notices,
        accounts: Mapping[AccountId, AccountSettings],
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._alerts = alerts
        self._refusals = refusals
        self._broadcasts = broadcasts
        self._store = store
        self._notices = notices
        self._accounts = accounts
        self._catalogue = catalogue
        self._clock = clock

    async def receive(
        self, account: AccountId, document: bytes, *, via: str, charset: str = ""
    ) -> Heard:
        """Hear a document that somebody brought; `CapRefused` is kept before it is raised."""
        emit = Emitter(
            NAME, account, self._broadcasts, self._store, self._notices, self._clock, _no_lease
        )
        try:
            return await self.hear(account, document, emit, via=via, charset=charset)
        except CapRefused as refused:
            await self.refuse(account, refused, document, source=via)
            raise

    async def hear(
        self, account: AccountId, document: bytes, emit: Emit, *, via: str, charset: str = ""
    ) -> Heard:
        """Hear a document: decide about it once, and see that it is said. May be repeated."""
        # up to a megabyte of somebody else's text: not on the loop
        alert = await asyncio.to_thread(read_alert, document, charset)
        record = await self._alerts.find(account, alert.id.digest)
        is_new = record is None
        if record is None:
            record, is_new = await self._settle(account, alert, document, emit, via)
        if not record.is_done:
            record = await self._say(account, record, emit)
        return Heard(
            record=record,
            is_new=is_new,
            broadcasts=await self._ids(account, [say.key for say in record.says]),
        )

    async def finish(self, account: AccountId, emit: Emit) -> None:
        """Say what was decided by processes that died before they said it."""
        before = self._clock.now() - ABANDONED
        for record in await self._alerts.unfinished(account, before):
            await self._say(account, record, emit)

    async def refuse(
        self, account: AccountId, refused: CapRefused, document: bytes, *, source: str
    ) -> None:
        """Keep why a document was no alert, for its publisher and for the person on call."""
        await self._refusals.add(account, source, refused, document, self._clock.now())
        log.warning(
            "alert.refused",
            extra={
                "account": account,
                "source": source,
                "reason": refused.reason,
                "where": refused.where,
            },
        )

    async def latest(
        self, account: AccountId, *, limit: int = 50
    ) -> tuple[list[AlertRecord], list[AlertRefusal]]:
        """Return what came last, and what was refused last."""
        return (
            await self._alerts.latest(account, limit=limit),
            await self._refusals.latest(account, limit=limit),
        )

    # --- deciding -------------------------------------------------------------------------

    async def _settle(
        self, account: AccountId, alert: Alert, document: bytes, emit: Emit, via: str
    ) -> tuple[AlertRecord, bool]:
        digest = alert.id.digest
        references = [reference.digest for reference in alert.references]
        family = await self._alerts.family(account, digest, references)
        for record in family:
            if not record.is_done:  # its process may have died: first things first
                await self._say(account, record, emit)
        unheard = await self._unheard(account, family, replaced_by(alert, family))
        setting = Setting(
            now=self._clock.now(),
            via=via,
            find_region=self._find_region,
            key=lambda digest, phase: emit.key(digest, 1, phase),
        )
        record, is_new = await self._alerts.settle(
            account,
            digest,
            references,
            lambda family: decide(alert, family, unheard, setting),
            document,
        )
        log.info(
            "alert.heard",
            extra={
                "account": account,
                "alert": record.id,
                "type": record.message_type,
                "status": record.status,
                "level": record.level,
                "action": record.action,
                "reason": record.reason,
                "orphan": record.is_orphan,
                "new": is_new,
            },
        )
        return record, is_new

    async def _unheard(
        self, account: AccountId, family: Sequence[AlertRecord], replaced: Sequence[AlertRecord]
    ) -> frozenset[str]:
        """Return which pushes of a chain never began; what is replaced is withdrawn first."""
        found: set[str] = set()
        outdated = {say.key for record in replaced for say in record.says}
        for key, is_done in [(say.key, each.is_done) for each in family for say in each.says]:
            broadcast = await self._broadcast(account, key)
            if broadcast is None:
                found |= {key} if is_done else set()  # it could not be made; else it is about to be
                continue
            if key in outdated and broadcast.state in WAITING:
                moved = await self._store.move(
                    broadcast.id,
                    set(WAITING),
                    "cancelled",
                    reason=_WHY,
                    finished_at=self._clock.now(),
                )
                broadcast = moved or await self._store.find(broadcast.id) or broadcast
            if broadcast.started_at is None and broadcast.state in ("cancelled", "failed"):
                found.add(key)
        return frozenset(found)

    def _find_region(self, name: str) -> RegionCode | None:
        """Return the region that a name means: all of it, for more may stand behind it."""
        region, rest = self._catalogue.find_region(name) or (None, "")
        return region.code if region and (not rest or rest in region.streets) else None

    # --- saying ---------------------------------------------------------------------------

    async def _say(self, account: AccountId, record: AlertRecord, emit: Emit) -> AlertRecord:
        was_said = False
        for say in record.says:
            for key in say.stops:  # nobody is to read what this takes the place of
                await emit.withdraw(key, reason=_WHY)
            order = self._order(account, record, say, await self._ids(account, say.before))
            if order is not None:
                said = await emit.broadcast(order, event=record.id, revision=1, phase=say.phase)
                was_said = was_said or said is not None
        await self._alerts.done(account, record.id, failed=not was_said)
        return await self._alerts.find(account, record.id) or record

    def _order(
        self, account: AccountId, record: AlertRecord, say: Say, before: Sequence[BroadcastId]
    ) -> BroadcastOrder | None:
        """Return the broadcast of a push; None for the end of what never became a broadcast."""
        got: Rule | None = AnyOf(tuple(map(Got, before))) if before else None
        if say.is_end and got is None:
            return None
        data = {
            "headline": say.headline or say.level,
            "level": say.level,
            "issuer": say.issuer,
            "time": chinese(say.time),
        }
        return BroadcastOrder(
            account=account,
            title=fit(f"{say.level}：{say.headline}", 100),
            topic=TOPIC,
            audience=Audience(
                topics=(TOPIC,),
                regions=say.regions,
                rule=got if say.is_end or got is None else Not(got),
            ),
            template=TEMPLATE,
            data={name: self._cut(account, name, text) for name, text in data.items()},
            url=say.url if _can_be_opened(say.url) else None,
            at=record.received_at + SETTLED if say.is_end else None,
            expires_at=say.expires_at,
            priority="urgent" if say.phase in WAKES else "normal",
        )

    def _cut(self, account: AccountId, name: str, text: str) -> str:
        """Cut a text to what the account's template holds in this place."""
        settings = self._accounts.get(account)
        template = settings.templates.get(TEMPLATE) if settings else None
        fields = template.fields.items() if template else ()
        types = [key.rstrip("0123456789") for key, mapped in fields if mapped == name]
        for each in types:
            text = fit_type(each, text)
        return fit(text, _UNTYPED)

    async def _ids(self, account: AccountId, keys: Sequence[str]) -> tuple[BroadcastId, ...]:
        found = [await self._store.find_first_answer(account, key) for key in keys]
        return tuple(first.id for first in found if first is not None)

    async def _broadcast(self, account: AccountId, key: str) -> Broadcast | None:
        first = await self._store.find_first_answer(account, key)
        return await self._store.find(first.id) if first is not None else None


async def _no_lease() -> None:
    """Nobody else can have what came in a request."""


def chinese(moment: datetime) -> str:
    """Return a time as people write it, in Beijing: fits a time, a date and a thing alike."""
    local = in_beijing(moment)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


def _can_be_opened(address: str) -> bool:
    if len(address) > LONGEST_URL or any(letter.isspace() for letter in address):
        return False
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
