"""A broadcast's whole road, from the order to the verified end."""

from tests.support.platform import Platform
from tests.support.push import DATA, Engine


async def test_everybody_meant_gets_one_card_and_the_numbers_agree(
    engine: Engine, platform: Platform
):
    people = await engine.follow(57)

    broadcast = await engine.order()
    async with engine.working():
        counts = await engine.finished(broadcast)

    assert (counts.audience, counts.sent, counts.failed) == (57, 57, 0)
    assert platform.cards_per_person == dict.fromkeys(people, 1)


async def test_a_card_carries_the_template_the_mapped_data_and_the_link(
    engine: Engine, platform: Platform
):
    await engine.follow(1)

    broadcast = await engine.order(data=DATA | {"surplus": "x"}, url="https://example.org/n/1")
    async with engine.working():
        await engine.finished(broadcast)

    (message,) = platform.messages
    assert message["template_id"] == "city-outage_notice"
    assert message["data"]["thing1"] == {"value": DATA["area"]}
    assert set(message["data"]) == {"thing1", "time2", "time3", "thing4"}
    assert message["url"] == "https://example.org/n/1"
    assert len(message["client_msg_id"]) <= 32
