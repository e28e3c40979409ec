"""Broadcasts (群发任务) as people handle them: order, review, look at, pause, resume, cancel.

Content is composed and frozen when a broadcast is scheduled; what the account's template says
later changes nothing. All changes of state go through `domain.broadcast.TRANSITIONS`.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from config.catalogue import Catalogue
from config.settings import AccountSettings
from domain.authors import is_same_person, name_of
from domain.broadcast import (
    STATE_WORDS,
    TRANSITIONS,
    Audience,
    Broadcast,
    BroadcastState,
    Counts,
    check_transition,
)
from domain.clock import Clock
from domain.errors import NotAllowed, StateError
from domain.ids import AccountId, BroadcastId, new_id
from domain.ledger import Content, Totals
from domain.sentence import Sentence
from push.finding import find_for
from push.orders import BroadcastOrder, Fault, OrderRefused, check_broadcast
from push.plans import Times, begin_at, resume_at
from push.ports import People
from push.recurrences import ReadRecurrence, recurrence
from push.rule_checks import unknown_broadcasts
from storage.mongo.broadcasts import AlreadyThere, MongoBroadcasts
from storage.mongo.deliveries import MongoDeliveries
from storage.mongo.ledger import MongoLedger
from storage.mongo.mass_jobs import MongoMassJobs
from storage.redis.ring import Ring, notices_queue, queue_of
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

BEFORE_START: tuple[BroadcastState, ...] = ("draft", "in_review", "scheduled")
PAUSED: tuple[BroadcastState, ...] = ("paused",)
_VERBS = {"pause": Sentence("暂停"), "resume": Sentence("继续"), "cancel": Sentence("取消")}
RUNNING: tuple[BroadcastState, ...] = ("scheduled", "sending", "paused")


class KeyReused(StateError):
    """An idempotency key came again with another order."""

    code = "idempotency_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What is answered to an order, the first time and every time after."""

    id: BroadcastId
    state: BroadcastState


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A broadcast and its people, counted."""

    broadcast: Broadcast
    counts: Counts


class Broadcasts:
    """Broadcasts of all accounts (runtime: `ctx.broadcasts`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        ledger: MongoLedger,
        deliveries: MongoDeliveries,
        ring: Ring,
        people: People,
        accounts: Mapping[AccountId, AccountSettings],
        catalogue: Catalogue,
        clock: Clock,
        read: ReadRecurrence = recurrence,
        mass_jobs: MongoMassJobs | None = None,
    ) -> None:
        self._mass_jobs = mass_jobs
        self._read = read
        self._store = store
        self._ledger = ledger
        self._deliveries = deliveries
        self._ring = ring
        self._people = people
        self._accounts = accounts
        self._catalogue = catalogue
        self._clock = clock

    async def create(self, order: BroadcastOrder, *, author: str, publish: bool) -> Accepted:
        """Keep an order: scheduled when its author may publish, else in review.

        The same idempotency key with the same order gives the first answer again.
        """
        order = self._sealed(order)
        digest = order.digest()
        if order.idempotency_key and (
            first := await self._first_answer(order.account, order.idempotency_key, digest)
        ):
            return first
        now = self._clock.now()
        content = check_broadcast(order, self._account(order.account), self._catalogue, now)
        await self.check_earlier(order.account, order.audience)
        state: BroadcastState = "scheduled" if publish else "in_review"
        broadcast = Broadcast(
            id=BroadcastId(new_id("bc")),
            account=order.account,
            title=order.title.strip(),
            topic=order.topic,
            audience=order.audience,
            template=order.template,
            data=dict(order.data),
            url=order.url,
            at=order.at,
            cron=order.cron,
            expires_at=order.expires_at,
            priority=order.priority,
            ignore_quiet_hours=order.ignore_quiet_hours,
            state=state,
            window=order.window,
            late_by=order.late_by,
            channel=order.channel,
            created_at=now,
            author=author,
        )
        if publish:
            times = self._first_times(order.cron, order.at, now)
            broadcast = replace(broadcast, since=times.since, due_at=times.due_at)
        try:
            await self._store.add(
                broadcast,
                content=content if publish else None,
                idempotency=(order.idempotency_key, digest) if order.idempotency_key else None,
                reserved=await self._expected(broadcast) if publish else None,
            )
        except AlreadyThere:  # the same key at the same moment
            again = await self._first_answer(order.account, order.idempotency_key or "", digest)
            if again is None:
                raise
            return again
        return Accepted(id=broadcast.id, state=state)

    async def prepared(self, order: BroadcastOrder) -> BroadcastOrder:
        """Return an order fit to be kept elsewhere: checked, and its named things hashed.

        Broadcasts that a rule names are looked up last: only then its size is known to be bounded.
        """
        order = self._sealed(order)
        now = self._clock.now()
        check_broadcast(order, self._account(order.account), self._catalogue, now)
        await self.check_earlier(order.account, order.audience)
        return order

    async def check_earlier(self, account: AccountId, audience: Audience) -> None:
        """Refuse a rule that asks about broadcasts which the account does not have."""
        if audience.rule is None:
            return
        problems = await unknown_broadcasts(audience.rule, account, self._store.find)
        if problems:
            raise OrderRefused(tuple(Fault(field=f, code=c, message=m) for f, c, m in problems))

    async def approve(self, broadcast_id: BroadcastId, *, by: str, revision: int) -> Broadcast:
        """Schedule what is in review, if it still is the revision that was read.

        Whoever made or edited it may not approve it (双人审核).
        """
        broadcast = await self._get(broadcast_id)
        check_transition(broadcast.state, "scheduled")
        if any(is_same_person(by, each) for each in (broadcast.author, *broadcast.edited_by)):
            raise NotAllowed(Sentence("拟稿人和修改人不能审核自己的群发任务，请由另一人审核。"))
        if broadcast.revision != revision:
            raise StateError(
                Sentence(
                    "群发任务已被修改为第 {revision} 版，对第 {seen} 版的审核无效，请重新审核。",
                    revision=broadcast.revision,
                    seen=revision,
                )
            )
        now = self._clock.now()
        content = self._compose_again(broadcast, now)
        times = self._first_times(broadcast.cron, broadcast.at, now)
        moved = await self._store.move(
            broadcast_id,
            {"in_review"},
            "scheduled",
            content=content,
            revision=revision,
            since=times.since,
            due_at=times.due_at,
            reserved=await self._expected(broadcast),
        )
        return self._moved(moved, broadcast)

    async def reject(
        self, broadcast_id: BroadcastId, *, by: str, reason: str, revision: int | None = None
    ) -> Broadcast:
        """Send a broadcast in review back, with the reason; with `revision`, only if it is that."""
        broadcast = await self._get(broadcast_id)
        check_transition(broadcast.state, "rejected")
        moved = await self._store.move(
            broadcast_id,
            {"in_review"},
            "rejected",
            revision=revision,
            reason=f"{name_of(by)}: {reason}",
        )
        return self._moved(moved, broadcast)

    async def report(self, broadcast_id: BroadcastId, account: AccountId | None = None) -> Report:
        """Return a broadcast with its counts; another account's is `NotFound`."""
        broadcast = await self._get(broadcast_id, account)
        return Report(broadcast=broadcast, counts=await self._counts(broadcast))

    async def pause(
        self, broadcast_id: BroadcastId, account: AccountId | None = None, *, reason: str = ""
    ) -> Broadcast:
        """Stop sending: no send starts later than a second after this returns."""
        return await self._switch(broadcast_id, account, "pause", reason)

    async def resume(
        self, broadcast_id: BroadcastId, account: AccountId | None = None, *, revive: bool = True
    ) -> Broadcast:
        """Go on where it stopped; with `revive` its dead batches get another chance too."""
        if revive:
            await self._revive(await self._get(broadcast_id, account))
        return await self._switch(broadcast_id, account, "resume", "")

    async def resume_personal(self, account: AccountId) -> int:
        """Let notices and digests go on that paused by themselves; returns how many did."""
        number = 0
        while page := await self._store.list_stuck(account):
            for stuck in page:
                await self.resume(stuck, account)
            number += len(page)
        return number

    async def cancel(
        self, broadcast_id: BroadcastId, account: AccountId | None = None, *, reason: str = ""
    ) -> Broadcast:
        """Stop for good; whoever was not reached yet is recorded as skipped."""
        return await self._switch(broadcast_id, account, "cancel", reason)

    async def pause_by_itself(self, broadcast_id: BroadcastId, *, reason: str) -> None:
        """Stop a broadcast that is going wrong, and keep why for the person who looks."""
        moved = await self._store.move(
            broadcast_id, {"sending"}, "paused", reason=reason, by_itself=True
        )
        if moved is not None:
            await self._tell_ring(moved, "pause", self._clock.now())

    # --- inside ---------------------------------------------------------------------------

    def _sealed(self, order: BroadcastOrder) -> BroadcastOrder:
        """Let hashes stand for named things before anything of an order is kept or digested."""
        return replace(order, audience=self._people.sealed(order.audience))

    async def _revive(self, broadcast: Broadcast) -> None:
        """Make dead batches ready; nobody reads them before the broadcast goes on."""
        now = self._clock.now()
        await self._ledger.revive(broadcast.id, now)
        if broadcast.cron:
            for child in await self._store.list_children(broadcast.id, PAUSED):
                await self._ledger.revive(child.id, now)

    async def _switch(
        self,
        broadcast_id: BroadcastId,
        account: AccountId | None,
        verb: Literal["pause", "resume", "cancel"],
        reason: str,
    ) -> Broadcast:
        broadcast = await self._get(broadcast_id, account)
        switched = await self._switch_one(broadcast, verb, reason)
        if broadcast.cron:
            for child in await self._store.list_children(broadcast_id, RUNNING):
                if verb == "cancel" or _target(child, verb) in TRANSITIONS[child.state]:
                    await self._switch_one(child, verb, reason)
        return switched

    async def _switch_one(
        self, broadcast: Broadcast, verb: Literal["pause", "resume", "cancel"], reason: str
    ) -> Broadcast:
        for _ in range(3):  # the planner may move it between our reading and our writing
            to = _target(broadcast, verb)
            if broadcast.state == to or (verb == "resume" and broadcast.state != "paused"):
                if broadcast.state == to:
                    return broadcast
                raise StateError(
                    Sentence(
                        "群发任务{state}，没有暂停，不能继续。",
                        state=STATE_WORDS[broadcast.state],
                    )
                )
            if to not in TRANSITIONS[broadcast.state]:
                raise StateError(
                    Sentence(
                        "群发任务{state}，不能{verb}。",
                        state=STATE_WORDS[broadcast.state],
                        verb=_VERBS[verb],
                    )
                )
            now = self._clock.now()
            changes: dict[str, Any] = {"reason": reason, "by_itself": False}
            if to == "cancelled":
                changes["finished_at"] = now
            if to == "scheduled":
                due = max(broadcast.due_at or now, now)
                changes["due_at"] = due
                if broadcast.cron:
                    times = resume_at(self._read(broadcast.cron), broadcast, now)
                    changes |= {"since": times.since, "due_at": times.due_at}
            moved = await self._store.move(
                broadcast.id, {broadcast.state}, to, resumed=verb == "resume", **changes
            )
            if moved is not None:
                await self._tell_ring(moved, verb, now)
                return moved
            broadcast = await self._get(broadcast.id)
        raise StateError(Sentence("群发任务的状态正在变化，请稍后再试。"))

    async def _tell_ring(
        self, broadcast: Broadcast, verb: Literal["pause", "resume", "cancel"], now: datetime
    ) -> None:
        """Spare the workers useless reading; without Redis the ledger alone is enough."""
        if verb == "resume":
            await self._ledger.begun.take_up(broadcast.id, now)
        if broadcast.kind != "broadcast":
            return  # its queue is shared with other notices
        queue = queue_of(broadcast.account, broadcast.id)
        try:
            if verb == "pause":
                await self._ring.silence(queue)
            elif verb == "cancel":
                await self._ring.drop(queue)
            elif broadcast.state == "sending":
                ready = await self._ledger.list_ready([broadcast.id], now)
                await self._ring.restore(queue, broadcast.priority, ready)
        except StoreAway as error:
            log.warning(
                "ring.away",
                extra={"broadcast": broadcast.id, "reason": f"{error}; the sweep rings"},
            )

    async def _counts(self, broadcast: Broadcast) -> Counts:
        if broadcast.cron:
            totals = await self._ledger.totals_of_plan(broadcast.id)
            return _counted(totals, await self._delivered(broadcast))
        is_before_start = broadcast.state in BEFORE_START or (
            broadcast.state == "paused" and broadcast.started_at is None
        )
        if is_before_start and broadcast.resend_of:
            failed = await self._deliveries.count_by_state(broadcast.resend_of)
            return Counts(audience=failed.get("failed", 0))
        if is_before_start:
            return Counts(audience=await self._people.count(broadcast.account, broadcast.audience))
        totals = await self._store.find_totals(broadcast.id) or await self._ledger.totals(
            broadcast.id
        )
        return _counted(totals, await self._delivered(broadcast))

    async def _delivered(self, broadcast: Broadcast) -> int:
        """Count who was reached: person by person, or as a mass send's result tells it."""
        if broadcast.channel == "mass" and self._mass_jobs is not None:
            if broadcast.cron:
                return await self._mass_jobs.delivered_of_plan(broadcast.id)
            return await self._mass_jobs.delivered(broadcast.id)
        if broadcast.cron:
            return await self._deliveries.count_delivered_of_plan(broadcast.id)
        return await self._deliveries.count_delivered(broadcast.id)

    async def _expected(self, broadcast: Broadcast) -> int | None:
        """Return how many people's share of the day is reserved; a plan reserves none."""
        if broadcast.cron:
            return None
        return await self._people.count(broadcast.account, broadcast.audience)

    async def _first_answer(self, account: AccountId, key: str, digest: str) -> Accepted | None:
        first = await self._store.find_first_answer(account, key)
        if first is None:
            return None
        if first.digest != digest:
            raise KeyReused(Sentence("这个 idempotency_key 已用于另一个内容不同的群发任务。"))
        return Accepted(id=first.id, state=first.state)

    async def _get(self, broadcast_id: BroadcastId, account: AccountId | None = None) -> Broadcast:
        return await find_for(self._store, broadcast_id, account)

    def _first_times(self, cron: str | None, at: datetime | None, now: datetime) -> Times:
        """Return when the planner should look first; a time that is past means now."""
        if cron is None:
            return Times(since=None, due_at=max(at, now) if at else now)
        return begin_at(self._read(cron), at, now)

    def _account(self, account_id: AccountId) -> AccountSettings:
        account = self._accounts.get(account_id)
        if account is None:
            message = Sentence("没有账号 {account_id}", account_id=account_id)
            raise OrderRefused((Fault(field="account", code="unknown_account", message=message),))
        return account

    def _compose_again(self, broadcast: Broadcast, now: datetime) -> Content:
        order = order_of(broadcast)
        return check_broadcast(order, self._account(broadcast.account), self._catalogue, now)

    @staticmethod
    def _moved(moved: Broadcast | None, before: Broadcast) -> Broadcast:
        if moved is None:
            raise StateError(
                Sentence(
                    "群发任务的状态已经变化，不再是{state}；请刷新页面查看。",
                    state=STATE_WORDS[before.state],
                )
            )
        return moved


def order_of(broadcast: Broadcast) -> BroadcastOrder:
    """Return the order that a broadcast was made from, or edited to."""
    return BroadcastOrder(
        account=broadcast.account,
        title=broadcast.title,
        topic=broadcast.topic,
        audience=broadcast.audience,
        template=broadcast.template,
        data=broadcast.data,
        url=broadcast.url,
        at=broadcast.at,
        cron=broadcast.cron,
        expires_at=broadcast.expires_at,
        priority=broadcast.priority,
        ignore_quiet_hours=broadcast.ignore_quiet_hours,
        window=broadcast.window,
        late_by=broadcast.late_by,
        channel=broadcast.channel,
    )


def _target(broadcast: Broadcast, verb: Literal["pause", "resume", "cancel"]) -> BroadcastState:
    if verb == "pause":
        return "paused"
    if verb == "cancel":
        return "cancelled"
    return "sending" if broadcast.started_at else "scheduled"


def _counted(totals: Totals, delivered: int) -> Counts:
    return Counts(
        audience=totals.people,
        sent=totals.sent,
        delivered=delivered,
        failed=totals.failed,
        skipped=totals.skipped,
        unknown=totals.unknown,
    )


def queue_for(broadcast: Broadcast) -> str:
    """Return the queue a broadcast's batches stand in."""
    if broadcast.kind != "broadcast":
        return notices_queue(broadcast.account, broadcast.priority)
    return queue_of(broadcast.account, broadcast.id)
