"""The push engine put together for tests, on real servers, against the platform of this folder."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from pymongo.asynchronous.database import AsyncDatabase
from redis.asyncio import Redis

from config.catalogue import load_catalogue
from config.settings import Settings
from connectors.wechat.api import WeChatApi
from connectors.wechat.tokens import TokenKeeper
from domain.broadcast import Audience, Broadcast, Counts
from domain.ids import AccountId, BroadcastId, OpenId, TopicId
from domain.people import Subscriber, Subscription
from push.approvals import Approvals
from push.broadcasts import Accepted, Broadcasts
from push.channels.ways import Ways
from push.chunks import Chunks
from push.closing import Closer
from push.collecting import Collector
from push.dead import DeadBatches
from push.digest_cards import DigestCards
from push.digest_page import DigestPages
from push.digests import Digests
from push.drafts import Drafts
from push.editing import Editing
from push.fanout import Fanout
from push.gate import Gate
from push.history import History
from push.jobs import Jobs
from push.links import Links
from push.lists import Lists
from push.notices import Notices
from push.orders import BroadcastOrder
from push.personal import Personal, personal_gateways
from push.planner import Planner
from push.preview import Previews
from push.quota import Quotas
from push.receipts import Receipts
from push.recovery import Recovery
from push.resends import Resends
from push.results import Results
from push.retention import Retention
from push.sender import Pauses, Sender
from push.trials import Trials
from push.worker import Worker
from storage.mongo.attempts import MongoAttempts
from storage.mongo.audiences import MongoAudiences
from storage.mongo.broadcast_lists import MongoBroadcastLists
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.consents import MongoConsents
from storage.mongo.dead import MongoDead
from storage.mongo.deliveries import MongoDeliveries, MongoReceipts
from storage.mongo.delivery_lists import MongoDeliveryLists
from storage.mongo.digests import MongoCaps, MongoDigests
from storage.mongo.doubles import MongoDoubles
from storage.mongo.erasures import MongoErasures
from storage.mongo.fields import FieldCipher
from storage.mongo.history import MongoHistory
from storage.mongo.keys import Marks
from storage.mongo.ledger import MongoLedger
from storage.mongo.mass_jobs import MongoMassJobs
from storage.mongo.notices import MongoNotices
from storage.mongo.papers import subscriber_fields
from storage.mongo.people import MongoPeople
from storage.mongo.quotas import MongoQuotas
from storage.mongo.readers import MongoReaders
from storage.mongo.retention import MongoRetention
from storage.mongo.reviews import MongoReviews
from storage.mongo.revisions import MongoRevisions
from storage.mongo.slots import MongoSlots
from storage.mongo.unknowns import MongoUnknowns
from storage.redis.limiter import Limiter
from storage.redis.ring import Ring
from storage.redis.sealing import Sealer
from storage.redis.tokens import RedisTokens
from storage.redis.windows import Windows
from subscriptions.audience import Audiences
from subscriptions.service import Subscriptions
from tests.support.clock import FakeClock
from tests.support.platform import Platform

CITY = AccountId("city")
WATER = TopicId("outage.water")
EVERYBODY = Audience(all=True)
QUICK = Pauses(retry=(0.001, 0.001, 0.001), no_answer=(0.001, 0.001))
DATA = {"area": "福田区园岭街道", "start": "2026-12-01 09:00", "end": "2026-12-01 18:00"}
DATA |= {"reason": "管网检修"}


class FlowingClock(FakeClock):
    """A clock that runs, `speed` times as fast as the real one."""

    def __init__(self, speed: float = 1.0) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._speed = speed

    def now(self) -> datetime:
        passed = (time.monotonic() - self._started) * self._speed
        moment = super().now() + timedelta(seconds=passed)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def order(audience: Audience = EVERYBODY, **changes: Any) -> BroadcastOrder:
    """A water outage for everybody, unless said otherwise."""
    plain = BroadcastOrder(
        account=CITY,
        title="停水通知",
        topic=WATER,
        audience=audience,
        template="outage_notice",
        data=DATA,
    )
    return replace(plain, **changes)


class Engine:
    """Everything of `push/`, wired as the runtime wires it."""

    def __init__(
        self,
        database: AsyncDatabase[dict[str, Any]],
        redis: Redis,
        fields: FieldCipher,
        http: aiohttp.ClientSession,
        settings: Settings,
        platform: Platform,
        clock: FakeClock,
        *,
        per_second: int = 50_000,
        chunk_size: int = 5,
        batch_size: int = 20,
        lease: float = 5.0,
        quiet_hours: Any = None,
        pauses: Pauses = QUICK,
    ) -> None:
        self.database, self.redis, self.clock, self.platform = database, redis, clock, platform
        self.lease = timedelta(seconds=lease)
        self.quiet_hours = quiet_hours
        self.catalogue = load_catalogue()
        self.accounts = {AccountId(account.id): account for account in settings.accounts}
        self.store = MongoBroadcasts(database)
        self.ledger = MongoLedger(database, chunk_size=chunk_size)
        self.deliveries = MongoDeliveries(database)
        self.receipt_store = MongoReceipts(database)
        self.people = MongoPeople(database, fields)
        self.subscriptions = Subscriptions(self.people)
        self.audiences = Audiences(MongoAudiences(database, fields))
        self.ring = Ring(redis)
        own = {AccountId(account.id): account.daily_quota for account in settings.accounts}
        self.quota_store = MongoQuotas(database, clock, own)
        self.limiter = Limiter(
            redis, per_second=per_second, allowance=self.quota_store, clock=clock
        )
        self.receipts = Receipts(
            self.deliveries,
            self.receipt_store,
            self.subscriptions,
            clock,
            MongoUnknowns(database),
        )
        self.consents = MongoConsents(database)
        self.attempts = MongoAttempts(database)
        self.slots = MongoSlots(database)
        self.mass_jobs = MongoMassJobs(database)
        self.windows = Windows(redis)
        self.results = Results(
            self.attempts, self.consents, self.mass_jobs, self.store, self.receipts, clock
        )
        self.delivery_lists = MongoDeliveryLists(database)
        self.notice_store = MongoNotices(database)
        self.digest_items = MongoDigests(database)
        self.caps = MongoCaps(database)
        sealer = Sealer(settings.security.master_key)
        self.links = Links(sealer, settings.server.public_url, clock)
        self.cards = DigestCards(
            self.digest_items,
            self.notice_store,
            self.audiences,
            fields,
            self.accounts,
            self.catalogue,
            self.links,
            clock,
        )
        collector = Collector(
            self.notice_store,
            self.digest_items,
            self.caps,
            self.catalogue,
            clock,
            quiet_hours=quiet_hours,
        )
        self.fanout = Fanout(
            self.store,
            self.ledger,
            self.ring,
            self.audiences,
            self.notice_store,
            collector,
            self.delivery_lists,
            clock,
            batch_size=batch_size,
        )
        self.digests = self.new_digests()
        self._add_history(fields)
        self._add_lists(sealer, fields)
        self.broadcasts = Broadcasts(
            self.store,
            self.ledger,
            self.deliveries,
            self.ring,
            self.audiences,
            self.accounts,
            self.catalogue,
            clock,
            mass_jobs=self.mass_jobs,
        )
        self.dead = DeadBatches(
            MongoDead(database), self.ledger, self.store, self.broadcasts, clock
        )
        self.editing = Editing(
            self.store, MongoRevisions(database), self.accounts, self.catalogue, clock
        )
        self.notices = Notices(
            self.store,
            self.fanout,
            self.audiences,
            fields,
            self.accounts,
            self.catalogue,
            clock,
        )
        self.closer = Closer(self.store, self.ledger, self.deliveries, self.ring, clock)
        self.jobs = Jobs(
            self.store, self.notice_store, self.audiences, fields, self.cards, self.personal
        )
        tokens = RedisTokens(redis, sealer)
        platforms = {
            account_id: WeChatApi(
                http,
                api_base=platform.url,
                app_id=account.app_id,
                app_secret="secret",
                tokens=TokenKeeper(account.app_id, "secret", platform.url, http, tokens, clock),
            )
            for account_id, account in self.accounts.items()
        }
        gateways = personal_gateways(platforms, self.personal)
        self.quotas = Quotas(
            self.quota_store, self.limiter, self.store, self.ledger, platforms, clock
        )
        self.previews = Previews(
            MongoDoubles(database),
            self.audiences,
            self.quotas,
            self.limiter,
            self.accounts,
            self.catalogue,
            clock,
            per_second=per_second,
            quiet_hours=quiet_hours,
        )
        self.sender = Sender(gateways, self.limiter, self.subscriptions, clock, pauses=pauses)
        self.ways = Ways.over(
            gateways,
            self.sender,
            consents=self.consents,
            attempts=self.attempts,
            slots=self.slots,
            mass_jobs=self.mass_jobs,
            windows=self.windows,
            clock=clock,
        )
        self.planner = self.new_planner()
        self.recovery = Recovery(
            self.store,
            self.ledger,
            self.ring,
            self.broadcasts,
            self._chunks(self._gate()),
            self.jobs,
            self.closer,
            self.receipts,
            clock,
        )

    @property
    def approvals(self) -> Approvals:
        database = self.database
        return Approvals(
            self.store,
            MongoReviews(database),
            MongoRevisions(database),
            self.broadcasts,
            self.clock,
        )

    def _add_history(self, fields: FieldCipher) -> None:
        self.digest_pages = DigestPages(self.cards, self.accounts, self.catalogue)
        self.history = History(MongoHistory(self.database), self.digest_items, self.catalogue)
        self.erasures = MongoErasures(self.database, fields)
        self.retention = self.new_retention()

    def _add_lists(self, sealer: Sealer, fields: FieldCipher) -> None:
        self.resends = Resends(self.store, self.delivery_lists, self.clock)
        self.reader_store = MongoReaders(self.database, fields)
        self.personal = Personal(self.reader_store, self.catalogue)
        self.lists = Lists(
            self.store, MongoBroadcastLists(self.database), self.delivery_lists, sealer
        )

    @property
    def trials(self) -> Trials:
        """Test sends; they keep nothing in memory."""
        return Trials(self.store, self.accounts, self.catalogue, self.clock)

    @property
    def drafts(self) -> Drafts:
        """Drafts; they keep nothing in memory either."""
        return Drafts(
            self.store,
            MongoRevisions(self.database),
            self.broadcasts,
            self.editing,
            self.audiences,
            self.catalogue,
            self.clock,
        )

    async def create_indexes(self) -> None:
        await self.ledger.create_indexes()
        for store in (
            self.store,
            self.deliveries,
            self.receipt_store,
            self.people,
            self.digest_items,
            self.caps,
            self.quota_store,
            self.consents,
            self.attempts,
            self.slots,
            self.mass_jobs,
            self.erasures,
        ):
            await self.database[store.collection].create_indexes(list(store.indexes))

    def new_planner(self) -> Planner:
        return Planner(self.store, self.fanout, self.clock, quiet_hours=self.quiet_hours)

    def new_digests(self) -> Digests:
        return Digests(
            self.notice_store,
            self.digest_items,
            self.cards,
            self.fanout,
            self.accounts,
            self.clock,
        )

    def new_retention(self, *, days: int = 395) -> Retention:
        store = MongoRetention(self.database)
        return Retention(self.erasures, store, self.clock, history=timedelta(days=days))

    def new_worker(self, *, concurrency: int = 4) -> Worker:
        gate = self._gate()
        return Worker(
            self.ring,
            self.ledger,
            self._chunks(gate),
            self.jobs,
            gate,
            self.broadcasts,
            self.closer,
            self.clock,
            concurrency=concurrency,
            lease=self.lease,
        )

    def _gate(self) -> Gate:
        return Gate(self.store, self.clock, quiet_hours=self.quiet_hours)

    def _chunks(self, gate: Gate) -> Chunks:
        return Chunks(
            self.ledger,
            self.deliveries,
            self.receipts,
            self.jobs,
            self.sender,
            self.limiter,
            gate,
            self.clock,
            self.ways,
        )

    # --- people and orders ----------------------------------------------------------------

    async def follow(self, number: int, *, topic: TopicId = WATER) -> list[OpenId]:
        """Let that many people follow the account and the topic."""
        openids = [OpenId(f"o{index:027d}") for index in range(number)]
        await self.add_people(openids, topic=topic)
        return openids

    async def add_people(
        self, openids: Iterable[OpenId], *, topic: TopicId = WATER, account: AccountId = CITY
    ) -> None:
        documents = []
        for openid in openids:
            subscriber = Subscriber(
                account=account,
                openid=openid,
                following=True,
                subscriptions=(Subscription(topic=topic),),
            )
            documents.append(
                {
                    "_id": f"{account}:{openid}",
                    "account": account,
                    "openid": openid,
                    "following": True,
                    "reachable": True,
                    **subscriber_fields(subscriber, Marks()),
                }
            )
        await self.database[self.people.collection].insert_many(documents)

    async def order(self, audience: Audience = EVERYBODY, **changes: Any) -> BroadcastId:
        accepted: Accepted = await self.broadcasts.create(
            order(audience, **changes), author="test", publish=True
        )
        return accepted.id

    # --- running --------------------------------------------------------------------------

    async def plan(self) -> None:
        """One tick of the planner, with the expansions it began."""
        await self.planner.tick()
        await self.planner.settle()

    async def begin(self, audience: Audience = EVERYBODY, **changes: Any) -> BroadcastId:
        """Order a broadcast and expand it."""
        broadcast = await self.order(audience, **changes)
        await self.plan()
        return broadcast

    @asynccontextmanager
    async def working(self, *, workers: int = 1, recovering: bool = True) -> AsyncIterator[None]:
        """Run workers, and what the scheduler calls, while the block lasts."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self.new_worker().run(stop)) for _ in range(workers)]
        if recovering:
            tasks.append(asyncio.create_task(self._tick(stop)))
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)
            await self.planner.aclose()

    async def _tick(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.planner.tick()
            await self.digests.tick()
            await self.recovery.tick()
            await asyncio.sleep(0.05)

    async def state(self, broadcast: BroadcastId) -> str:
        return (await self.find(broadcast)).state

    async def find(self, broadcast: BroadcastId) -> Broadcast:
        found = await self.store.find(broadcast)
        assert found is not None
        return found

    async def counts(self, broadcast: BroadcastId) -> Counts:
        return (await self.broadcasts.report(broadcast)).counts

    async def finished(self, broadcast: BroadcastId, *, within: float = 20.0) -> Counts:
        """Wait until a broadcast is finished and return its counts."""

        async def is_finished() -> bool:
            return await self.state(broadcast) == "finished"

        await until(is_finished, within=within)
        return await self.counts(broadcast)


async def until(condition: Callable[[], Awaitable[bool]], *, within: float = 10.0) -> None:
    """Wait until the condition holds; fails when it does not in time."""
    deadline = time.monotonic() + within
    async with asyncio.timeout(within):
        # what is waited for happens in another process's place: nothing here could set an event
        while not await condition():
            # a driver may swallow the cancellation that ends the block (Python 3.11's wait_for)
            if time.monotonic() > deadline:
                raise TimeoutError
            await asyncio.sleep(0.02)
