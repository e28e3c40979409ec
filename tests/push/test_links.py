"""Links to sealed pages: nobody can make, change or reuse one for something else."""

from datetime import timedelta

import pytest

from domain.ids import AccountId, BroadcastId, OpenId
from push.links import Links
from storage.redis.sealing import Sealer
from tests.support.clock import FakeClock
from tests.support.push import CITY

DIGEST = BroadcastId("dg_0123456789abcdef01234567")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def links(clock: FakeClock) -> Links:
    return Links(Sealer(bytes(range(96))), "https://weizheng.example", clock)


def token(address: str) -> str:
    return address.rsplit("/", 1)[1]


def test_a_link_opens_what_it_was_made_for_and_hides_it(links: Links):
    address = links.to_history(CITY, OpenId("oCitizen"))

    assert address.startswith("https://weizheng.example/h5/city/history/")
    assert "oCitizen" not in address
    assert links.person_of(CITY, token(address)) == "oCitizen"
    assert links.digest_of(CITY, token(links.to_digest(CITY, DIGEST))) == DIGEST


def test_a_link_is_over_after_its_time(links: Links, clock: FakeClock):
    day, week = links.to_history(CITY, OpenId("o")), links.to_digest(CITY, DIGEST)

    clock.advance(timedelta(hours=24))
    assert links.person_of(CITY, token(day)) is None
    assert links.digest_of(CITY, token(week)) == DIGEST
    clock.advance(timedelta(days=6))
    assert links.digest_of(CITY, token(week)) is None


def test_a_token_opens_no_other_kind_of_page_and_no_other_account(links: Links):
    good = token(links.to_history(CITY, OpenId("o")))

    assert links.digest_of(CITY, good) is None
    assert links.person_of(AccountId("plain"), good) is None


@pytest.mark.parametrize("bad", ["", "A", "not-a-token-of-ours", "é" * 20, "A" * 400])
def test_what_is_no_token_of_ours_opens_nothing(links: Links, bad: str):
    assert links.person_of(CITY, bad) is None


def test_a_changed_token_opens_nothing(links: Links):
    good = token(links.to_history(CITY, OpenId("o")))

    for place in range(0, len(good), 7):
        changed = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        assert links.person_of(CITY, changed) is None
