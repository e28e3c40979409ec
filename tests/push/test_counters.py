"""What is counted while sending, as a scrape finds it."""

from prometheus_client import REGISTRY

from domain.ids import AccountId
from push.counters import COUNTERS, PushCounters, SendDifferences, sending
from tests.support.platform import Fault, Platform
from tests.support.push import CITY, Engine


def found(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_every_send_is_counted_with_its_outcome(engine: Engine, platform: Platform):
    people = await engine.follow(12)
    platform.fault = lambda openid, _number: Fault(code=43004) if openid == people[0] else None
    before = {
        outcome: found("weizheng_push_sends_total", account=CITY, outcome=outcome)
        for outcome in ("accepted", "refused")
    }
    refused = found("weizheng_push_errors_total", account=CITY, errcode="43004")

    broadcast = await engine.begin()
    async with engine.working():
        await engine.finished(broadcast)

    def gained(outcome: str) -> float:
        now = found("weizheng_push_sends_total", account=CITY, outcome=outcome)
        return now - before[outcome]

    assert (gained("accepted"), gained("refused")) == (11, 1)
    assert found("weizheng_push_errors_total", account=CITY, errcode="43004") == refused + 1
    assert found("weizheng_push_in_flight", account=CITY) == 0
    assert found("weizheng_push_send_seconds_count", account=CITY) >= 12
    assert found("weizheng_push_limiter_wait_seconds_count", account=CITY) >= 1


def test_what_has_become_more_is_told_once_under_the_dashboards_names():
    account, counters = AccountId("differences"), PushCounters()
    counters.of(account).accepted = 5
    differences = SendDifferences(counters)
    counters.of(account).accepted += 2
    counters.of(account).refused[43004] += 1
    counters.of(account).unanswered += 1

    assert sorted(differences.take()) == [
        (account, "e:43004", 1),
        (account, "sent", 2),
        (account, "unanswered", 1),
    ]
    assert differences.take() == []


def test_a_call_that_ends_without_an_answer_may_have_been_sent():
    account = AccountId("unanswered")

    call = sending(account)
    call.__enter__()
    assert COUNTERS.of(account).in_flight == 1
    call.__exit__(TimeoutError, TimeoutError(), None)

    numbers = COUNTERS.of(account)
    assert (numbers.in_flight, numbers.unanswered, numbers.accepted) == (0, 1, 0)
    assert found("weizheng_push_sends_total", account=account, outcome="unanswered") == 1
