"""The console's services on real servers, with a clock that stands still."""

import pytest
from argon2 import PasswordHasher

from console.desk import OperatorDesk
from console.entry import Entrance, Visit
from console.lockout import Lockout
from console.second_factor import SecondFactors
from console.sign_in import SignIn
from domain.ids import AccountId
from push.audit import Audit
from storage.mongo.audit import MongoAudit
from storage.mongo.console_sessions import MongoConsoleSessions
from storage.mongo.hashing import PasswordHashes
from storage.mongo.operators import MongoOperators
from storage.mongo.second_factors import MongoSecondFactors
from storage.redis.attempts import Attempts
from storage.redis.entries import Entries
from storage.redis.sealing import Sealer
from tests.support.people import HERE


@pytest.fixture
async def operators(mongo) -> MongoOperators:
    await mongo[MongoOperators.collection].create_indexes(list(MongoOperators.indexes))
    return MongoOperators(mongo, PasswordHashes(PasswordHasher(1, 64, 1)))


@pytest.fixture
def factors(mongo, fields, clock) -> SecondFactors:
    return SecondFactors(MongoSecondFactors(mongo, fields), clock)


@pytest.fixture
def lockout(redis, clock) -> Lockout:
    return Lockout(Attempts(redis), "for-tests-and-nothing-else", clock)


@pytest.fixture
def entries(redis, settings) -> Entries:
    return Entries(redis, Sealer(settings.security.master_key))


@pytest.fixture
async def trail(mongo, settings, clock) -> Audit:
    return Audit(MongoAudit(mongo, settings.security.master_key), clock)


@pytest.fixture
def sessions(mongo, operators, clock) -> SignIn:
    return SignIn(MongoConsoleSessions(mongo), operators, clock)


@pytest.fixture
def entrance(operators, factors, lockout, entries, trail, clock) -> Entrance:
    return Entrance(operators, factors, lockout, entries, trail, clock, second_factor_required=True)


@pytest.fixture
def desk(operators, factors, sessions, trail, clock) -> OperatorDesk:
    return OperatorDesk(operators, factors, sessions, trail, (AccountId("city"),), clock)


@pytest.fixture
def visit() -> Visit:
    return HERE
