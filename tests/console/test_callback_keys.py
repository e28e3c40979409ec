"""Changing the callback's keys loses no message, whoever restarts or edits the file meanwhile."""

from datetime import timedelta

import pytest

from connectors.wechat.inbox import Inbox, Refused, pair_of
from console.callback_keys import CallbackKeys
from domain.conversation import Answer
from domain.errors import InvalidInput, NotFound, StateError
from domain.ids import AccountId
from storage.mongo.callback_keys import MongoCallbackKeys
from tests.support.wechat import Platform

CITY = AccountId("city")
HOUR = timedelta(hours=1)


def with_pair(account, pair):
    """Return the account's settings with another pair, as an edited file has them."""
    secret = type(account.token)
    return account.model_copy(
        update={"token": secret(pair.token), "encoding_aes_key": secret(pair.aes_keys[0])}
    )


class Process:
    """One process of ours: its inbox, and the tick that tells it which pairs count."""

    def __init__(self, mongo, fields, account, clock) -> None:
        self.inbox = Inbox(account, clock)
        store = MongoCallbackKeys(mongo, fields)
        self.keys = CallbackKeys(store, {CITY: self.inbox}, clock)

    def takes(self, platform: Platform) -> bool:
        try:
            envelope = self.inbox.receive(*platform.wrap(platform.text("hi")))
        except Refused:
            return False
        reply = self.inbox.reply(envelope, Answer("text", "好"))
        return platform.read(reply)["Content"] == "好"  # under the keys it came with


@pytest.fixture
def account(settings):
    return settings.account("city")


@pytest.fixture
def here(mongo, fields, account, clock) -> Process:
    return Process(mongo, fields, account, clock)


@pytest.fixture
def there(mongo, fields, account, clock) -> Process:
    return Process(mongo, fields, account, clock)


async def test_both_pairs_count_until_the_overlap_is_over_in_every_process(
    here, there, account, clock
):
    pair = await here.keys.prepare(CITY, overlap=HOUR, by="op_1")
    await there.keys.tick()
    old, new = Platform(account, clock), Platform(with_pair(account, pair), clock)

    before = [here.takes(old), there.takes(old), here.takes(new), there.takes(new)]
    await here.keys.tick()
    clock.advance(timedelta(minutes=59))
    await there.keys.tick()
    late_old = there.takes(old)
    clock.advance(timedelta(minutes=2))
    await there.keys.tick()

    assert before == [True] * 4
    assert late_old
    assert not there.takes(old)
    assert there.takes(new)


async def test_a_pair_that_wechat_never_used_ends_nothing(here, account, clock):
    await here.keys.prepare(CITY, overlap=HOUR, by="op_1")
    clock.advance(timedelta(days=3))
    await here.keys.tick()

    assert here.takes(Platform(account, clock))
    assert (await here.keys.status(CITY)).prepared


async def test_the_form_of_the_platform_can_be_saved_with_the_new_pair(here, account, clock):
    pair = await here.keys.prepare(CITY, overlap=HOUR, by="op_1")

    platform = Platform(with_pair(account, pair), clock)

    assert here.inbox.echo(platform.query(echostr="5837397550")) == "5837397550"


async def test_a_settings_file_with_the_new_pair_is_told_to_be_right(
    here, account, clock, mongo, fields
):
    pair = await here.keys.prepare(CITY, overlap=HOUR, by="op_1")
    new = Platform(with_pair(account, pair), clock)
    here.takes(new)
    await here.keys.tick()
    told = await here.keys.status(CITY)

    restarted = Process(mongo, fields, with_pair(account, pair), clock)
    await restarted.keys.tick()

    assert told.must_go_to_file
    assert not (await restarted.keys.status(CITY)).must_go_to_file
    assert restarted.takes(new)


async def test_a_file_with_a_pair_nobody_prepared_here_is_newer_and_wins(
    here, account, clock, mongo, fields
):
    here.takes(Platform(with_pair(account, await here.keys.prepare(
        CITY, overlap=HOUR, by="op_1")), clock))  # fmt: skip
    await here.keys.tick()
    secret = type(account.token)
    by_hand = account.model_copy(update={"token": secret("madebyhand")})

    restarted = Process(mongo, fields, by_hand, clock)
    await restarted.keys.tick()

    assert restarted.takes(Platform(by_hand, clock))
    assert await restarted.keys.present(CITY) == pair_of(by_hand)


async def test_a_second_change_begins_from_the_pair_in_use(here, account, clock, mongo, fields):
    first = await here.keys.prepare(CITY, overlap=HOUR, by="op_1")
    one = Platform(with_pair(account, first), clock)
    here.takes(one)
    await here.keys.tick()
    clock.advance(timedelta(hours=2))

    second = await here.keys.prepare(CITY, overlap=HOUR, by="op_1")
    two = Platform(with_pair(account, second), clock)

    assert [here.takes(one), here.takes(two)] == [True, True]
    await here.keys.tick()
    clock.advance(timedelta(hours=2))
    await here.keys.tick()
    assert [here.takes(one), here.takes(two)] == [False, True]
    # a process that still has the first file of all knows the way
    old = Process(mongo, fields, account, clock)
    await old.keys.tick()
    assert old.takes(two)


async def test_a_prepared_pair_can_be_given_up_and_one_in_use_cannot(here, account, clock):
    given_up = await here.keys.prepare(CITY, overlap=HOUR, by="op_1")
    await here.keys.discard(CITY)
    clock.advance(timedelta(minutes=1))
    used = await here.keys.prepare(CITY, overlap=HOUR, by="op_1")
    here.takes(Platform(with_pair(account, used), clock))
    await here.keys.tick()

    assert not here.takes(Platform(with_pair(account, given_up), clock))
    with pytest.raises(NotFound):
        await here.keys.discard(CITY)


async def test_an_overlap_can_be_ended_at_once(here, account, clock):
    pair = await here.keys.prepare(CITY, overlap=timedelta(hours=72), by="op_1")
    with pytest.raises(NotFound):
        await here.keys.end_overlap(CITY)
    here.takes(Platform(with_pair(account, pair), clock))
    await here.keys.tick()

    await here.keys.end_overlap(CITY)

    assert not here.takes(Platform(account, clock))


async def test_of_two_who_change_at_once_one_is_told(here, there, monkeypatch):
    store = there.keys._store
    found = await store.find(CITY)

    async def as_before(_account):
        return found

    await here.keys.prepare(CITY, overlap=HOUR, by="op_1")
    store.find = as_before

    with pytest.raises(StateError):
        await there.keys.prepare(CITY, overlap=HOUR, by="op_2")


async def test_an_overlap_of_another_length_is_refused(here):
    with pytest.raises(InvalidInput):
        await here.keys.prepare(CITY, overlap=timedelta(days=900), by="op_1")


async def test_no_secret_lies_in_the_database_or_in_a_repr(here, mongo):
    pair = await here.keys.prepare(CITY, overlap=HOUR, by="op_1")

    stored = str(await mongo["callback_keys"].find_one({}))

    for secret in (pair.token, *pair.aes_keys):
        assert secret not in stored
        assert secret not in repr(pair)
