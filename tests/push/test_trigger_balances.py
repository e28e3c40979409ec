"""Balance news, from the offices' feeds over real HTTP to notices (domain.md 2.1 to 2.3)."""

import pytest

from config.settings import DepartmentSettings, TemplateSettings
from connectors.booking_feeds import DEPARTMENTS, HttpBookingFeed
from connectors.http import DepartmentClient
from domain.errors import ConfigError
from domain.ids import OpenId, TopicId
from domain.people import Subscription
from push.triggers.balances import MEDICAL_WORDS, BalanceTrigger, check_card
from storage.mongo.holders import MongoHolders
from subscriptions.bindings import BindingService
from subscriptions.service import Subscriptions
from tests.support.department_server import sandbox_departments
from tests.support.push import CITY
from tests.support.triggers import Desk, Office

NUMBER = "990101199001010019"
SOMEBODY_ELSE = "990101198805120024"
FIELDS = {"thing1": "account", "thing2": "change", "thing3": "balance", "time4": "time"}
OFFICES = ("social", "medical", "fund")


@pytest.fixture
async def desk(engine) -> Desk:
    desk = Desk(engine)
    await desk.create_indexes()
    template = TemplateSettings(id="city-balance", fields=FIELDS)
    city = engine.accounts[CITY]
    templates = {**city.templates, "balance_notice": template}
    engine.accounts[CITY] = city.model_copy(update={"templates": templates})
    return desk


@pytest.fixture
async def office(http, clock):
    async with sandbox_departments(clock) as url:
        yield Office(http, url)


@pytest.fixture
def new_trigger(desk, office, http, clock, fields):
    """Build the trigger of an office."""

    def build(name: str = "fund", *, page_size: int = 500, pages: int = 5) -> BalanceTrigger:
        settings = DepartmentSettings(base_url=f"{office.url}/{name}")
        client = DepartmentClient(http, DEPARTMENTS[name], settings, clock)
        feed = HttpBookingFeed(client, name, page_size=page_size)
        holders = MongoHolders(desk.engine.database, fields)
        return BalanceTrigger(name, feed, holders, desk.engine.accounts, pages=pages)

    return build


@pytest.fixture
async def bound(desk, clock):
    """Somebody who bound their real name and follows the three topics."""
    who = (CITY, OpenId("oA"))
    await BindingService(desk.engine.people, clock).bind_real_name(*who, "张伟", NUMBER, "v1")
    for name in OFFICES:
        topic = TopicId(f"{name}.balance")
        await Subscriptions(desk.engine.people).subscribe(
            *who, Subscription(topic=topic, subject="person")
        )
    return who


async def notices(desk) -> list[dict]:
    cursor = desk.engine.database["broadcasts"].find({"kind": "notice"})
    return await cursor.sort("created_at", 1).to_list()


async def cards(desk) -> list[dict]:
    return [
        dict((await desk.engine.jobs.load(n["_id"])).content.fields) for n in await notices(desk)
    ]


async def test_a_booking_is_told_without_its_amount(desk, office, new_trigger, bound):
    engine = desk.new(new_trigger("fund"))
    await desk.run(engine)
    await office.news("fund", "book", number=NUMBER, kind="提取")
    await desk.run(engine)

    [card] = await cards(desk)
    assert card["thing1"] == "公积金账户尾号1001"
    assert card["thing2"] == "公积金提取已入账"
    assert card["thing3"] == "请点开查看"


async def test_of_a_medical_record_nothing_is_said_but_that_it_is_there(
    desk, office, new_trigger, bound
):
    engine = desk.new(new_trigger("medical"))
    await desk.run(engine)
    await office.news("medical", "book", number=NUMBER, days_ago=2)
    await desk.run(engine)

    [card] = await cards(desk)
    when = card.pop("time4")
    assert card == {"thing1": "医保", "thing2": MEDICAL_WORDS, "thing3": "请点开查看"}
    assert "11月24日" in when  # when the card was made, not when the person was at the doctor's


async def test_five_lines_of_one_run_are_one_card(desk, office, new_trigger, bound):
    engine = desk.new(new_trigger("social"))
    await desk.run(engine)
    for _ in range(5):
        await office.news("social", "book", number=NUMBER)
    await desk.run(engine)
    await office.news("social", "book", number=NUMBER)
    await office.news("social", "book", number=NUMBER, kind="benefit")
    await desk.run(engine)

    assert [card["thing2"] for card in await cards(desk)] == ["社保缴费已到账", "待遇已发放"]


async def test_of_numbers_that_nobody_bound_nothing_is_kept(desk, office, new_trigger, bound):
    engine = desk.new(new_trigger("fund"))
    await desk.run(engine)
    await office.news("fund", "book", number=SOMEBODY_ELSE, seq="BOOKING4711")
    await desk.run(engine)

    assert await notices(desk) == []
    for name in await desk.engine.database.list_collection_names():
        kept = str(await desk.engine.database[name].find().to_list())
        assert SOMEBODY_ELSE not in kept
        assert "BOOKING4711" not in kept


async def test_a_bound_number_stands_nowhere_in_plain(desk, office, new_trigger, bound, caplog):
    caplog.set_level("DEBUG")
    engine = desk.new(new_trigger("fund"))
    await desk.run(engine)
    await office.news("fund", "book", number=NUMBER)
    await desk.run(engine)

    assert len(await notices(desk)) == 1
    for name in await desk.engine.database.list_collection_names():
        assert NUMBER not in str(await desk.engine.database[name].find().to_list())
    assert not [r for r in caplog.records if NUMBER in str(vars(r)) and r.name.startswith("push")]


async def test_a_feed_that_begins_anew_tells_nothing_twice_and_nothing_old(
    desk, office, new_trigger, bound
):
    engine = desk.new(new_trigger("fund"))
    await desk.run(engine)
    await office.news("fund", "book", number=NUMBER)
    await office.news("fund", "book", number=NUMBER, kind="结息", days_ago=4)
    await desk.run(engine)
    await office.news("fund", "reset")
    await desk.run(engine)

    assert len(await notices(desk)) == 1


async def test_the_first_look_tells_nothing_even_over_several_runs(
    desk, office, new_trigger, bound
):
    for kind in ("汇缴", "补缴", "提取", "转入", "结息"):
        await office.news("fund", "book", number=NUMBER, kind=kind)
    engine = desk.new(new_trigger("fund", page_size=1, pages=2))
    for _ in range(3):
        await desk.run(engine)
    assert await notices(desk) == []

    await office.news("fund", "book", number=NUMBER, kind="还贷")
    await desk.run(engine)

    assert [card["thing2"] for card in await cards(desk)] == ["公积金还贷已入账"]


async def test_a_malformed_entry_does_not_stop_the_others(desk, office, new_trigger, bound, caplog):
    engine = desk.new(new_trigger("fund"))
    await desk.run(engine)
    await office.news("fund", "raw", entry={"zjhm": "12345", "seq": "x"})
    await office.news("fund", "book", number=NUMBER)
    await desk.run(engine)

    assert len(await notices(desk)) == 1
    [alarm] = [r for r in caplog.records if r.message == "department.broken_entry"]
    assert "12345" not in str(vars(alarm))


async def test_a_department_that_is_down_loses_nothing(desk, office, new_trigger, bound):
    engine = desk.new(new_trigger("fund"))
    await desk.run(engine)
    await office.news("fund", "book", number=NUMBER)
    await office.fault("fund", "500")
    await desk.run(engine)
    assert (await desk.row("fund_balance")).failures == 1

    await office.fault("fund", "none")
    await desk.run(engine)

    assert len(await notices(desk)) == 1


async def test_a_template_without_room_for_chinese_names_the_account_by_its_tail(
    desk, office, new_trigger, bound
):
    fields = {"character_string1": "account", "thing2": "change", "time4": "time"}
    city = desk.engine.accounts[CITY]
    template = TemplateSettings(id="city-balance", fields=fields)
    desk.engine.accounts[CITY] = city.model_copy(
        update={"templates": {**city.templates, "balance_notice": template}}
    )
    for name in ("fund", "social"):
        engine = desk.new(new_trigger(name))
        await desk.run(engine)
        await office.news(name, "book", number=NUMBER)
        await desk.run(engine)

    assert [card["character_string1"] for card in await cards(desk)] == ["****1001", "****"]


def test_a_template_that_can_only_show_the_amount_is_refused_before_it_is_used(settings):
    with pytest.raises(ConfigError, match="lock screen"):
        check_card(settings.account("city"), "fund")


@pytest.mark.parametrize("office", ["social", "medical", "fund"])
def test_a_template_that_refuses_an_offices_words_is_refused_before_it_is_used(settings, office):
    def account(**fields: str):
        template = TemplateSettings(id="city-balance", fields=fields)
        return settings.account("city").model_copy(
            update={"templates": {"balance_notice": template}}
        )

    check_card(account(phrase1="balance", thing2="change", date3="time"), office)
    for wrong in ({"phrase2": "change"}, {"number1": "balance"}, {"phrase3": "time"}):
        with pytest.raises(ConfigError, match=r"templates\.balance_notice"):
            check_card(account(**wrong), office)
