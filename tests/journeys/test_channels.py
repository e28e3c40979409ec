"""Consents, customer-service windows and mass sends with the real sandbox as WeChat, over HTTP."""

from dataclasses import replace

from domain.ids import AccountId, OpenId, TopicId
from storage.redis.windows import window_key
from tests.support.push import DATA
from tests.support.town import Town
from tests.support.waiting import delivered

WATER = TopicId("outage.water")
FORM = "city-sub-outage_notice"
CONSENTS, WRITES, FOLLOWS = (f"oJourney{letter * 20}" for letter in "ABC")


async def order(town: Town, headers, **changes):
    content = {
        "account": "city",
        "title": "停水通知",
        "topic": WATER,
        "audience": {"topics": [WATER]},
        "template": "outage_notice",
        "data": DATA,
    }
    status, made = await town.post("broadcasts", content | changes, headers)
    assert (status, made["state"]) == (201, "scheduled"), made
    return made["id"]


async def arrive(town: Town) -> None:
    """Let three people follow and subscribe; one consents, one has just written."""
    for openid in (CONSENTS, WRITES, FOLLOWS):
        await town.control("citizen", account="city", openid=openid, name="市民")
        await town.act("follow", "city", openid)
        await town.says("city", openid, "订阅 停水 福田区")
    for openid in (CONSENTS, FOLLOWS):  # two days later
        await town.ctx.stores.redis.delete(window_key(AccountId("city"), OpenId(openid)))
    await town.act("consent", "city", CONSENTS, template_id=FORM, answer="accept")


async def test_each_person_is_reached_by_the_way_that_is_open(town: Town):
    topics = town.ctx.catalogue.topics
    topics[WATER] = replace(topics[WATER], channels=("subscription", "custom", "template"))
    headers = await town.key("city", "broadcasts:publish")
    await arrive(town)

    counts = await delivered(town, await order(town, headers), headers, at_least=2)

    assert (counts["sent"], counts["delivered"]) == (3, 2)  # customer service has no receipts
    kinds = {}
    for openid in (CONSENTS, WRITES, FOLLOWS):
        lines = (await town.read("chat", account="city", openid=openid))["entries"]
        kinds[openid] = (lines[-1]["kind"], lines[-1].get("origin"))
    assert kinds == {
        CONSENTS: ("card", "subscription"),
        WRITES: ("text", "custom"),
        FOLLOWS: ("card", None),
    }


async def test_a_withdrawn_consent_is_heard_and_heeded(town: Town):
    topics = town.ctx.catalogue.topics
    topics[WATER] = replace(topics[WATER], channels=("subscription",))
    headers = await town.key("city", "broadcasts:publish")
    await arrive(town)
    await town.act("consent", "city", CONSENTS, template_id=FORM, manage=True)

    counts = await delivered(town, await order(town, headers), headers, at_least=0)

    assert (counts["sent"], counts["skipped"]) == (0, 3)
    assert (await town.read("notices", account="city"))["refused"] == {}


async def test_a_mass_send_reaches_everybody_and_its_counts_come_back(town: Town):
    headers = await town.key("city", "broadcasts:publish")
    await arrive(town)

    broadcast = await order(town, headers, channel="mass", audience={"all": True})
    counts = await delivered(town, broadcast, headers, at_least=3)

    assert (counts["sent"], counts["delivered"]) == (3, 3)
    (job,) = (await town.read("mass", account="city"))["jobs"]
    assert job["filtered"] == 3
    lines = (await town.read("chat", account="city", openid=FOLLOWS))["entries"]
    assert lines[-1]["origin"] == "mass"


async def test_a_lost_answer_never_shows_a_notice_twice(town: Town):
    topics = town.ctx.catalogue.topics
    topics[WATER] = replace(topics[WATER], channels=("subscription", "template"))
    headers = await town.key("city", "broadcasts:publish")
    await arrive(town)
    await town.act("consent", "city", CONSENTS, template_id=FORM, answer="accept")
    await town.control("fault", kind="cut_after", path="/cgi-bin/message/subscribe/bizsend", next=1)

    # the notice's result settles it after all: three were reached
    counts = await delivered(town, await order(town, headers), headers, at_least=3)

    assert (counts["sent"], counts["unknown"]) == (3, 0)
    assert len((await town.read("notices", account="city"))["records"]) == 1
