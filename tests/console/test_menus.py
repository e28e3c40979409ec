"""Menus from draft to phone and back: against a platform that refuses, and two editors at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest

from console.menus import MenuRefused, Menus
from domain.audit import Actor
from domain.errors import NotFound, StateError
from domain.ids import AccountId, OpenId
from domain.menu import Button, Conditional, MatchRule, Menu, MenuChanged, differences
from domain.menu_rules import CONTRACT_KEYS
from sandbox.faults import Fault
from storage.mongo.menus import MongoMenus
from tests.console.conftest import CITY, Desk

LI, WANG = Actor("op_li", "李敏"), Actor("op_wang", "王强")


def menu(name: str = "查询", *conditional: Conditional) -> Menu:
    button = Button(name=name, type="click", key="query.social")
    return Menu(buttons=(button,), conditional=conditional)


def for_tag(tag: str, name: str) -> Conditional:
    return Conditional(rule=MatchRule(tag_id=tag), buttons=menu(name).buttons)


async def entries(mongo) -> list[tuple[str, str]]:
    found = mongo["audit"].find({}).sort("_id", 1)
    return [(entry["action"], entry["outcome"]) async for entry in found]


async def test_the_second_of_two_editors_is_refused_and_nothing_is_overwritten(desk: Desk):
    await desk.menus.save(CITY, menu("甲"), revision=0, by=LI)

    with pytest.raises(MenuChanged, match="李敏") as refused:
        await desk.menus.save(CITY, menu("乙"), revision=0, by=WANG)

    assert refused.value.draft.menu == menu("甲")
    assert (await desk.menus.draft(CITY)).menu == menu("甲")
    with pytest.raises(MenuChanged):
        await desk.menus.publish_draft(CITY, revision=0, by=WANG)


class Overtaken(MongoMenus):
    """A store in which somebody is quicker: `first` happens just before the right is taken."""

    first: Callable[[], Awaitable[object]]

    async def claim(self, account: AccountId, *, now: datetime) -> bool:
        await self.first()
        return await super().claim(account, now=now)


async def test_an_older_draft_does_not_follow_a_newer_one_that_went_live(desk: Desk, mongo, clock):
    async def overtake() -> None:
        await desk.menus.save(CITY, menu("新的"), revision=1, by=WANG)
        await desk.menus.publish_draft(CITY, revision=2, by=WANG)

    await desk.menus.save(CITY, menu("旧的"), revision=0, by=LI)
    store = Overtaken(mongo)
    store.first = overtake
    slow = Menus(store, {CITY: desk.api}, desk.menus.first, CONTRACT_KEYS, desk.menus._audit, clock)

    with pytest.raises(MenuChanged, match="菜单没有发布"):
        await slow.publish_draft(CITY, revision=1, by=LI)

    assert await desk.menus.live(CITY) == menu("新的")
    assert [version.number for version in await desk.menus.versions(CITY)] == [1]


async def test_of_many_saves_at_once_one_wins(desk: Desk):
    saves = (desk.menus.save(CITY, menu(f"甲{n}"), revision=0, by=LI) for n in range(6))

    results = await asyncio.gather(*saves, return_exceptions=True)

    assert sum(not isinstance(result, MenuChanged) for result in results) == 1
    assert (await desk.menus.draft(CITY)).revision == 1


async def test_before_the_first_save_the_draft_is_the_menu_of_the_file(desk: Desk):
    draft = await desk.menus.draft(CITY)

    assert draft.revision == 0
    assert draft.menu == desk.menus.first


async def test_a_published_menu_is_live_with_its_conditional_ones(desk: Desk):
    wanted = menu("查询", for_tag("2", "老人"), for_tag("3", "企业"))
    desk.world.add_openids("city", ["oTestAnnaAAAAAAAAAAAAAAAAAAA"])
    desk.world.accounts["city"].traits["oTestAnnaAAAAAAAAAAAAAAAAAAA"] = (("3",), "2")

    version = await desk.menus.publish(CITY, wanted, by=LI)

    assert (version.number, version.state, version.by) == (1, "published", "李敏")
    assert await desk.menus.live(CITY) == wanted
    seen = await desk.api.menu_for(OpenId("oTestAnnaAAAAAAAAAAAAAAAAAAA"))
    assert seen[0].name == "企业"


async def test_conditional_menus_that_stay_are_not_touched(desk: Desk):
    await desk.menus.publish(CITY, menu("查询", for_tag("2", "老人")), by=LI)
    before = dict(desk.world.accounts["city"].conditional_menus)

    await desk.menus.publish(CITY, menu("办事", for_tag("2", "老人")), by=LI)
    kept = dict(desk.world.accounts["city"].conditional_menus)
    await desk.menus.publish(CITY, menu("办事"), by=LI)

    assert kept == before
    assert desk.world.accounts["city"].conditional_menus == {}


async def test_a_menu_that_breaks_a_rule_never_reaches_the_platform(desk: Desk):
    with pytest.raises(StateError, match="还不能发布"):
        await desk.menus.publish(CITY, menu("名称太长的一级菜单"), by=LI)

    assert await desk.menus.live(CITY) is None
    assert await desk.menus.versions(CITY) == []


async def test_what_the_platform_refuses_stays_in_the_history_with_its_reason(desk: Desk, mongo):
    desk.world.faults.add(Fault(kind="errcode", path="/cgi-bin/menu/create", errcode=45064, left=1))

    with pytest.raises(MenuRefused, match="45064"):
        await desk.menus.publish(CITY, menu(), by=LI)
    await desk.menus.publish(CITY, menu(), by=LI)  # the right to publish was given back

    states = [(version.number, version.state) for version in await desk.menus.versions(CITY)]
    assert states == [(2, "published"), (1, "failed")]
    assert await entries(mongo) == [
        ("menu.publish", "intended"),
        ("menu.publish", "refused"),
        ("menu.publish", "intended"),
        ("menu.publish", "done"),
    ]


async def test_a_platform_that_does_not_answer_is_told_in_a_sentence(desk: Desk):
    desk.world.faults.add(Fault(kind="slow", path="/cgi-bin/menu/get", delay=3))

    with pytest.raises(MenuRefused, match="暂时读不到"):
        await desk.menus.live(CITY)


async def test_publishing_again_mends_what_a_failure_in_the_middle_left(desk: Desk):
    wanted = menu("查询", for_tag("2", "老人"), for_tag("3", "企业"))
    fault = Fault(kind="errcode", path="/cgi-bin/menu/addcond", errcode=-1, skip=1, left=1)
    desk.world.faults.add(fault)

    with pytest.raises(MenuRefused):
        await desk.menus.publish(CITY, wanted, by=LI)
    half = await desk.menus.live(CITY)
    await desk.menus.publish(CITY, wanted, by=LI)

    assert half is not None
    assert any(sign != " " for sign, _ in differences(half, wanted))
    assert await desk.menus.live(CITY) == wanted


async def test_two_publishings_at_once_do_not_interleave(desk: Desk, clock):
    desk.world.faults.add(Fault(kind="slow", path="/cgi-bin/menu/create", delay=0.2, left=1))
    both = (desk.menus.publish(CITY, menu(name), by=LI) for name in ("甲", "乙"))

    results = await asyncio.gather(*both, return_exceptions=True)

    refused = [result for result in results if isinstance(result, StateError)]
    assert [error.say for error in refused] == ["另一位同事正在发布菜单，请一分钟后再试。"]


async def test_a_publisher_who_died_blocks_others_for_minutes_only(desk: Desk, clock):
    await desk.menus._store.claim(CITY, now=clock.now())
    with pytest.raises(StateError):
        await desk.menus.publish(CITY, menu(), by=LI)
    clock.advance(181)

    assert (await desk.menus.publish(CITY, menu(), by=LI)).state == "published"


async def test_an_earlier_version_comes_back_as_a_new_one_and_as_the_draft(desk: Desk, mongo):
    await desk.menus.publish(CITY, menu("甲"), by=LI)
    await desk.menus.publish(CITY, menu("乙"), by=LI)

    version = await desk.menus.roll_back(CITY, 1, by=WANG)

    assert (version.number, version.note, version.menu) == (3, "恢复第 1 版", menu("甲"))
    assert await desk.menus.live(CITY) == menu("甲")
    assert (await desk.menus.draft(CITY)).menu == menu("甲")
    numbers = [found.number for found in await desk.menus.versions(CITY, before=3)]
    assert numbers == [2, 1]
    with pytest.raises(NotFound):
        await desk.menus.roll_back(CITY, 9, by=WANG)


async def test_accounts_do_not_see_each_others_menus(desk: Desk, mongo):
    await desk.menus.save(CITY, menu("甲"), revision=0, by=LI)
    other = replace(menu("乙"))

    await desk.menus.save("both", other, revision=0, by=LI)

    assert (await desk.menus.draft(CITY)).menu == menu("甲")
    assert isinstance(desk.menus, Menus)
