"""Everything we keep, opened together: MongoDB's collections with their indexes, Redis's keys."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.settings import Settings
from domain.clock import Clock
from domain.ids import AccountId
from storage.embedded import open_mongo, open_redis
from storage.mongo.alerts import MongoAlertRefusals, MongoAlerts
from storage.mongo.api_keys import MongoApiKeys
from storage.mongo.attempts import MongoAttempts
from storage.mongo.audiences import MongoAudiences
from storage.mongo.audit import MongoAudit
from storage.mongo.broadcast_lists import MongoBroadcastLists
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.callback_keys import MongoCallbackKeys
from storage.mongo.consents import MongoConsents
from storage.mongo.console_sessions import MongoConsoleSessions
from storage.mongo.dead import MongoDead
from storage.mongo.deliveries import MongoDeliveries, MongoReceipts
from storage.mongo.delivery_lists import MongoDeliveryLists
from storage.mongo.digests import MongoCaps, MongoDigests
from storage.mongo.doubles import MongoDoubles
from storage.mongo.erasures import MongoErasures
from storage.mongo.fields import FieldCipher
from storage.mongo.figures import MongoFigures
from storage.mongo.history import MongoHistory
from storage.mongo.holders import MongoHolders
from storage.mongo.incidents import MongoIncidents
from storage.mongo.ledger import MongoLedger
from storage.mongo.maintenance import MongoMaintenance
from storage.mongo.mass_jobs import MongoMassJobs
from storage.mongo.menus import MongoMenus
from storage.mongo.notices import MongoNotices
from storage.mongo.operators import MongoOperators
from storage.mongo.overview import MongoOverview
from storage.mongo.people import MongoPeople
from storage.mongo.quotas import MongoQuotas
from storage.mongo.readers import MongoReaders
from storage.mongo.reports import MongoReports
from storage.mongo.retention import MongoRetention
from storage.mongo.reviews import MongoReviews
from storage.mongo.revisions import MongoRevisions
from storage.mongo.second_factors import MongoSecondFactors
from storage.mongo.secret_marks import MongoSecretMarks
from storage.mongo.slots import MongoSlots
from storage.mongo.subscriber_lists import MongoSubscriberLists
from storage.mongo.template_forms import MongoTemplateForms
from storage.mongo.topic_numbers import MongoTopicNumbers
from storage.mongo.triggers import MongoTriggerItems, MongoTriggers
from storage.mongo.troubles import MongoTroubles
from storage.mongo.unknowns import MongoUnknowns
from storage.mongo.upgrades import upgrade
from storage.mongo.vehicle_watch import MongoVehicleWatch
from storage.mongo.work_turns import MongoTurns
from storage.redis.allowances import Allowances
from storage.redis.attempts import Attempts
from storage.redis.department_health import DepartmentHealth
from storage.redis.entries import Entries
from storage.redis.figures import MinuteFigures
from storage.redis.guards import Guards
from storage.redis.late import LateResults
from storage.redis.limiter import Limiter
from storage.redis.processes import Processes
from storage.redis.ring import Ring
from storage.redis.sealing import Sealer
from storage.redis.sessions import Sessions
from storage.redis.tokens import RedisTokens
from storage.redis.windows import Windows

log = logging.getLogger(__name__)

READY_SECONDS = 2.0
INDEXED = (
    MongoPeople,
    MongoBroadcasts,
    MongoDeliveries,
    MongoReceipts,
    MongoDigests,
    MongoCaps,
    MongoErasures,
    MongoApiKeys,
    MongoOperators,
    MongoConsoleSessions,
    MongoTriggers,
    MongoTriggerItems,
    MongoVehicleWatch,
    MongoAlerts,
    MongoAlertRefusals,
    MongoConsents,
    MongoAttempts,
    MongoSlots,
    MongoMassJobs,
    MongoQuotas,
    MongoFigures,
    MongoIncidents,
    MongoMaintenance,
    MongoReviews,
    MongoAudit,
    MongoReports,
    MongoMenus,
    MongoTemplateForms,
)

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """One field per store; `ready` asks both servers."""

    database: AsyncDatabase[Document]
    redis: Redis
    fields: FieldCipher
    people: MongoPeople
    subscriber_lists: MongoSubscriberLists
    readers: MongoReaders
    audiences: MongoAudiences
    audit: MongoAudit
    broadcasts: MongoBroadcasts
    doubles: MongoDoubles
    ledger: MongoLedger
    dead: MongoDead
    revisions: MongoRevisions
    reviews: MongoReviews
    reports: MongoReports
    broadcast_lists: MongoBroadcastLists
    delivery_lists: MongoDeliveryLists
    deliveries: MongoDeliveries
    receipts: MongoReceipts
    consents: MongoConsents
    attempts: MongoAttempts
    slots: MongoSlots
    mass_jobs: MongoMassJobs
    unknowns: MongoUnknowns
    notices: MongoNotices
    digests: MongoDigests
    caps: MongoCaps
    history: MongoHistory
    erasures: MongoErasures
    retention: MongoRetention
    api_keys: MongoApiKeys
    callback_keys: MongoCallbackKeys
    secret_marks: MongoSecretMarks
    maintenance: MongoMaintenance
    department_health: DepartmentHealth
    operators: MongoOperators
    console_sessions: MongoConsoleSessions
    second_factors: MongoSecondFactors
    tries: Attempts
    entries: Entries
    triggers: MongoTriggers
    trigger_items: MongoTriggerItems
    alerts: MongoAlerts
    alert_refusals: MongoAlertRefusals
    vehicle_watch: MongoVehicleWatch
    holders: MongoHolders
    allowances: Allowances
    menus: MongoMenus
    template_forms: MongoTemplateForms
    template_turns: MongoTurns
    topic_numbers: MongoTopicNumbers
    topic_turns: MongoTurns
    guards: Guards
    sessions: Sessions
    windows: Windows
    late_results: LateResults
    ring: Ring
    overview: MongoOverview
    processes: Processes
    limiter: Limiter
    quotas: MongoQuotas
    figures: MongoFigures
    minute_figures: MinuteFigures
    incidents: MongoIncidents
    troubles: MongoTroubles
    tokens: RedisTokens

    async def ready(self) -> dict[str, str | None]:
        """Return what is wrong with each server, None for one that answers in time."""
        return {"mongo": await self._mongo_trouble(), "redis": await self._redis_trouble()}

    async def _mongo_trouble(self) -> str | None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self.database.command("ping")
        except (PyMongoError, TimeoutError) as error:
            return f"MongoDB does not answer ({type(error).__name__})"
        return None

    async def _redis_trouble(self) -> str | None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self.redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            return f"Redis does not answer ({type(error).__name__})"
        return None


@asynccontextmanager
async def open_stores(settings: Settings, clock: Clock) -> AsyncIterator[Stores]:
    """Open MongoDB and Redis, create missing indexes, and close both afterwards."""
    async with AsyncExitStack() as stack:
        client: AsyncMongoClient[Document]
        client, redis = await _both(stack, settings)
        database = client[settings.mongo.database]
        fields = await FieldCipher.open(client, database.name, settings.security.master_key)
        stack.push_async_callback(fields.aclose)
        ledger = MongoLedger(database, chunk_size=settings.push.sub_chunk)
        await create_indexes(database, ledger)
        await upgrade(database)
        sealer = Sealer(settings.security.master_key)
        own = {AccountId(account.id): account.daily_quota for account in settings.accounts}
        quotas = MongoQuotas(database, clock, own)
        yield Stores(
            database=database,
            redis=redis,
            fields=fields,
            people=MongoPeople(database, fields),
            subscriber_lists=MongoSubscriberLists(database),
            readers=MongoReaders(database, fields),
            audiences=MongoAudiences(database, fields),
            audit=MongoAudit(database, settings.security.master_key),
            broadcasts=MongoBroadcasts(database),
            doubles=MongoDoubles(database),
            ledger=ledger,
            dead=MongoDead(database),
            revisions=MongoRevisions(database),
            reviews=MongoReviews(database),
            reports=MongoReports(database),
            broadcast_lists=MongoBroadcastLists(database),
            delivery_lists=MongoDeliveryLists(database),
            deliveries=MongoDeliveries(database),
            receipts=MongoReceipts(database),
            consents=MongoConsents(database),
            attempts=MongoAttempts(database),
            slots=MongoSlots(database),
            mass_jobs=MongoMassJobs(database),
            unknowns=MongoUnknowns(database),
            notices=MongoNotices(database),
            digests=MongoDigests(database),
            caps=MongoCaps(database),
            history=MongoHistory(database),
            erasures=MongoErasures(database, fields),
            retention=MongoRetention(database),
            api_keys=MongoApiKeys(database),
            callback_keys=MongoCallbackKeys(database, fields),
            secret_marks=MongoSecretMarks(database, fields),
            maintenance=MongoMaintenance(database),
            department_health=DepartmentHealth(redis),
            operators=MongoOperators(database),
            console_sessions=MongoConsoleSessions(database),
            second_factors=MongoSecondFactors(database, fields),
            tries=Attempts(redis),
            entries=Entries(redis, sealer),
            triggers=MongoTriggers(database),
            trigger_items=MongoTriggerItems(database),
            alerts=MongoAlerts(database),
            alert_refusals=MongoAlertRefusals(database),
            vehicle_watch=MongoVehicleWatch(database, fields),
            holders=MongoHolders(database, fields),
            allowances=Allowances(redis),
            menus=MongoMenus(database),
            template_forms=MongoTemplateForms(database),
            template_turns=MongoTurns(database, "templates"),
            topic_numbers=MongoTopicNumbers(database),
            topic_turns=MongoTurns(database, "topics"),
            guards=Guards(redis, sealer),
            sessions=Sessions(redis, sealer),
            windows=Windows(redis),
            late_results=LateResults(redis, sealer, clock),
            ring=Ring(redis),
            limiter=Limiter(
                redis, per_second=settings.push.per_second, allowance=quotas, clock=clock
            ),
            quotas=quotas,
            figures=MongoFigures(database),
            minute_figures=MinuteFigures(redis),
            incidents=MongoIncidents(database),
            troubles=MongoTroubles(database),
            overview=MongoOverview(database),
            processes=Processes(redis),
            tokens=RedisTokens(redis, sealer),
        )


async def create_indexes(database: AsyncDatabase[Document], ledger: MongoLedger) -> None:
    """Create the indexes that are missing; harmless when several processes start at once."""
    for store in INDEXED:
        await database[store.collection].create_indexes(list(store.indexes))
    await ledger.create_indexes()
    await MongoMassJobs(database).create_list_indexes()


async def _both(
    stack: AsyncExitStack, settings: Settings
) -> tuple[AsyncMongoClient[Document], Redis]:
    client = await stack.enter_async_context(open_mongo(settings))
    redis = await stack.enter_async_context(open_redis(settings))
    return client, redis
