"""Customer-service allowances: taken one by one, given back at most to where they came from."""

import pytest

from domain.conversation import MenuClick, TextMessage
from domain.ids import AccountId, OpenId
from storage.redis.guards import Guards
from storage.redis.sealing import Sealer
from storage.redis.windows import BY_MESSAGE, BY_TAP, Windows

CITY, ANNA = AccountId("city"), OpenId("oAnna")


@pytest.fixture
def windows(redis) -> Windows:
    return Windows(redis)


@pytest.fixture
def acts(redis, settings, clock):
    guards = Guards(redis, Sealer(settings.security.master_key))

    async def act(kind, number=1, **content):
        common = {"account": CITY, "openid": ANNA, "at": clock.now(), "dedupe_key": f"k{number}"}
        await guards.begin(kind(**common, **content))

    return act


async def left(windows, clock):
    taken = 0
    while await windows.take(CITY, ANNA, clock.now()):
        taken += 1
    return taken


async def test_nobody_who_never_acted_may_be_written_to(windows, clock):
    assert await windows.reserve(CITY, ANNA, clock.now()) is None


async def test_the_shorter_lived_allowance_is_used_first(windows, acts, clock):
    await acts(TextMessage, text="好")
    await acts(MenuClick, number=2, key="k")

    names = [(await windows.reserve(CITY, ANNA, clock.now())).name for _ in range(4)]

    assert names == [BY_TAP.name] * 3 + [BY_MESSAGE.name]
    clock.advance(61)
    assert await left(windows, clock) == 4


async def test_what_was_not_sent_is_given_back(windows, acts, clock):
    await acts(TextMessage, text="好")
    taken = await windows.reserve(CITY, ANNA, clock.now())

    await windows.give_back(CITY, ANNA, taken)

    assert await left(windows, clock) == 5


async def test_nothing_is_given_back_to_a_newer_allowance(windows, acts, clock):
    await acts(TextMessage, text="好")
    taken = await windows.reserve(CITY, ANNA, clock.now())
    clock.advance(1)
    await acts(TextMessage, number=2, text="好")

    await windows.give_back(CITY, ANNA, taken)

    assert await left(windows, clock) == 5
