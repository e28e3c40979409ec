"""A citizen who talks to every real handler; departments are fakes that can be told things."""

from collections.abc import Callable

import pytest

from bot.conversation import Conversation
from bot.router import Routes
from bot.services import Services
from config.catalogue import load_catalogue
from handlers import discover
from push.history import History
from push.links import Links
from push.receipts import Receipts
from push.results import Results
from storage.mongo.attempts import MongoAttempts
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.consents import MongoConsents
from storage.mongo.deliveries import MongoDeliveries, MongoReceipts
from storage.mongo.digests import MongoDigests
from storage.mongo.history import MongoHistory
from storage.mongo.mass_jobs import MongoMassJobs
from storage.mongo.people import MongoPeople
from storage.redis.sealing import Sealer
from subscriptions.bindings import BindingService
from subscriptions.consents import Consents
from subscriptions.service import Subscriptions
from templates.environment import Renderer
from tests.support.citizen import Citizen
from tests.support.departments import FakeDepartments


@pytest.fixture(scope="session")
def routes() -> Routes:
    """Every real handler's routes."""
    return Routes.collect(discover())


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    """The real templates."""
    return Renderer()


@pytest.fixture
def departments() -> FakeDepartments:
    """What the departments know; empty until a test says otherwise."""
    return FakeDepartments()


@pytest.fixture
def services(mongo, fields, settings, clock, departments, routes) -> Services:
    """What handlers may use: real subscriptions and bindings in a fresh database."""
    catalogue = load_catalogue()
    people = MongoPeople(mongo, fields)
    subscriptions = Subscriptions(people)
    receipts = Receipts(MongoDeliveries(mongo), MongoReceipts(mongo), subscriptions, clock)
    consents = MongoConsents(mongo)
    return Services(
        departments=departments.as_departments(),
        subscriptions=subscriptions,
        receipts=receipts,
        results=Results(
            MongoAttempts(mongo),
            consents,
            MongoMassJobs(mongo),
            MongoBroadcasts(mongo),
            receipts,
            clock,
        ),
        consents=Consents(consents),
        history=History(MongoHistory(mongo), MongoDigests(mongo), catalogue),
        links=Links(Sealer(settings.security.master_key), "https://weizheng.example", clock),
        bindings=BindingService(people, clock),
        catalogue=catalogue,
        clock=clock,
        public_url="https://weizheng.example",
        routes_help=tuple((r.title, r.example) for r in routes.routers if r.title and r.example),
    )


@pytest.fixture
def new_citizen(routes, services, renderer, clock) -> Callable[[str], Citizen]:
    """Bring another citizen into the test, by openid."""

    def build(openid: str) -> Citizen:
        conversation = Conversation(routes, services, renderer)
        return Citizen(conversation, services, clock, openid=openid)

    return build


@pytest.fixture
def citizen(new_citizen) -> Citizen:
    """Somebody who never wrote before."""
    return new_citizen("oCitizen0000000000000000001")
