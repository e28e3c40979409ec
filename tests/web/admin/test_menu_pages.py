"""The menu editor over HTTP: without script, with two editors, and with what nobody should send."""

import re

import pytest

from domain.ids import AccountId
from domain.menu import Button, Menu
from tests.support.console import Client, Console

CITY = AccountId("city")
MENU = "/admin/a/city/menu"


@pytest.fixture
async def manager(console: Console) -> Client:
    return await console.as_(("account_manager",), name="李敏")


def form(*rows: tuple[str, str, str, str], revision: int = 0, **more: str) -> dict[str, object]:
    """Fill the editor's form: (token, name, type, value) in the order of the page."""
    fields: dict[str, object] = {"part": "0", "revision": str(revision), "do": "save"}
    fields["row"] = [row[0] for row in rows]
    for token, name, kind, value in rows:
        fields |= {f"{token}-name": name, f"{token}-type": kind, f"{token}-value": value}
    return fields | more


ONE = ("t0", "查询", "click", "query.social")
TWO = ("t1", "我的", "", "")
BELOW = ("s1_0", "我的订阅", "click", "my.subscriptions")


async def draft(console: Console) -> Menu:
    return (await console.ctx.menus.draft(CITY)).menu


async def test_the_order_of_the_rows_is_the_order_of_the_menu(console, manager):
    saved = await manager.post(MENU, form(TWO, BELOW, ONE))

    assert (saved.status, saved.location) == (303, MENU)
    assert [button.name for button in (await draft(console)).buttons] == ["我的", "查询"]
    assert (await draft(console)).buttons[0].below[0].key == "my.subscriptions"


async def test_a_slip_is_saved_and_told_beside_its_field(console, manager):
    await manager.post(MENU, form(("t0", "名称太长的菜单", "view", "ftp://x")))

    page = await manager.get(MENU)

    assert 'aria-describedby="f-t0-name-error" aria-invalid="true"' in page.text
    assert "现有 21 字节" in page.text
    assert "网址以 https://" in page.text
    assert "发布到微信" not in (await manager.get(f"{MENU}/publish")).text


async def test_rows_are_moved_added_and_removed_without_script(console, manager):
    async def after(order: str) -> list[str]:
        page = await manager.post(MENU, form(ONE, TWO, BELOW, do=order))
        names = re.findall(r'name="(?:t|s)[0-9_]+-name" value="([^"]*)"', page.text)
        assert page.status == 200
        return names

    assert await after("up:t1") == ["我的", "我的订阅", "查询"]
    assert await after("up:s1_0") == ["查询", "我的订阅", "我的"]  # into the list before
    assert await after("add:t0") == ["查询", "", "我的", "我的订阅"]
    assert await after("remove:t1") == ["查询"]
    assert await after("up:t0") == ["查询", "我的", "我的订阅"]  # nowhere to go
    assert await after("dance:t0") == ["查询", "我的", "我的订阅"]
    assert await after("up:t9") == ["查询", "我的", "我的订阅"]
    assert (await console.ctx.menus.draft(CITY)).revision == 0  # nothing was saved


async def test_the_second_editor_sees_the_first_ones_draft_and_may_overwrite_it(console, manager):
    other = await console.as_(("account_manager",), name="王强")
    await manager.post(MENU, form(ONE))

    clash = await other.post(MENU, form(("t0", "别的", "click", "query.fund")))
    kept = (await draft(console)).buttons[0].name
    forced = form(("t0", "别的", "click", "query.fund"), do="overwrite")
    unseen = await other.post(MENU, forced)
    shown = re.findall(r'name="shown" value="(\d+)"', clash.text)
    await other.post(MENU, forced | {"shown": shown[0]})
    third = await manager.post(MENU, forced | {"shown": shown[0]})

    assert (clash.status, unseen.status, third.status) == (409, 409, 409)  # what nobody has seen
    assert "李敏 刚刚保存了新的草稿" in clash.text
    assert 'value="别的"' in clash.text  # what was typed is still there
    assert kept == "查询"
    assert (await draft(console)).buttons[0].name == "别的"


async def test_a_look_answers_with_the_phone_and_every_sentence(manager):
    slip = form(("t0", "", "click", "query.nothing"), do="look")

    part = await manager.post(MENU, slip, htmx=True)

    assert "<html" not in part.text
    assert 'id="f-t0-name-error" hx-swap-oob="true">名称不能为空' in part.text
    assert "智能应答不认识 query.nothing" in part.text


async def test_conditional_menus_come_move_forward_and_go(console, manager):
    await manager.post(MENU, form(ONE, do="add-part"))
    rule = {"part": "1", "menu-tag_id": "2", "menu-platform": "1"}
    again = await manager.post(MENU, form(ONE, revision=1, do="add-part", **rule))
    await manager.post(MENU, form(ONE, revision=2, do="part-up", part="2"))
    moved = await draft(console)
    await manager.post(MENU, form(ONE, revision=3, do="remove-part", part="1"))
    missing = await manager.post(MENU, form(ONE, revision=4, part="7"))

    assert again.location == f"{MENU}?part=2"
    assert [each.rule.tag_id for each in moved.conditional] == ["", "2"]
    assert [each.rule.tag_id for each in (await draft(console)).conditional] == ["2"]
    assert missing.status == 422


@pytest.mark.parametrize(
    "more",
    [
        {"t0-name": "字" * 3000},
        {"t0-value": "x" * 500_000},
        {"row": [f"t{number}" for number in range(99)]},
    ],
)
async def test_what_no_draft_may_hold_is_refused_with_a_sentence(console, manager, more):
    refused = await manager.post(MENU, form(ONE) | more)

    assert refused.status == 422
    assert "没有保存" in refused.text
    assert (await console.ctx.menus.draft(CITY)).revision == 0


async def test_what_is_too_long_is_said_beside_it_and_everything_typed_stays(console, manager):
    await manager.post(MENU, form(ONE))
    typed = form(("t0", "字" * 201, "click", "x"), ("t1", "办事", "click", "y"), revision=1)

    refused = await manager.post(MENU, typed)
    looked = await manager.post(MENU, typed | {"do": "look"}, htmx=True)
    moved = await manager.post(MENU, typed | {"do": "up:t1"}, htmx=True)
    saved = await manager.post(MENU, typed | {"t0-name": "查询"})

    for answer in (refused, moved):
        assert answer.status == 422
        assert f'value="{"字" * 201}"' in answer.text
        assert 'value="办事"' in answer.text
        assert 'd-block" id="f-t0-name-error">内容太长' in answer.text
    assert 'id="f-t0-name-error" hx-swap-oob="true">内容太长' in looked.text
    assert saved.status == 303


async def test_hostile_names_are_shown_as_text(console, manager):
    name = '"><script>alert(1)</script>{{7*7}}\u202e'
    await manager.post(MENU, form(("t0", name, "view", "javascript:alert(1)")))

    page = (await manager.get(MENU)).text + (await manager.get(f"{MENU}/publish")).text

    assert "<script>alert" not in page
    assert "{{7*7}}" in page
    assert "\u202e" not in page
    assert 'href="javascript:' not in page


async def test_a_platform_that_is_away_is_a_sentence_and_the_publishing_a_version(console, manager):
    await manager.post(MENU, form(ONE))
    live = await manager.get(f"{MENU}/live", htmx=True)
    await manager.post(f"{MENU}/publish", {"revision": "1", "note": "试"})

    versions = await manager.get(f"{MENU}/versions")
    stale = await manager.post(f"{MENU}/publish", {"revision": "0"})

    assert "暂时读不到微信上的菜单" in live.text
    assert "没有成功" in versions.text
    assert stale.location == f"{MENU}/publish"
    assert len(await console.ctx.menus.versions(CITY)) == 1


@pytest.mark.parametrize("path", ["/versions/9", "/versions/x", "/nowhere"])
async def test_what_is_not_there_is_404(manager, path):
    assert (await manager.get(MENU + path)).status == 404


async def test_another_accounts_menu_is_not_there(console, manager):
    await console.ctx.menus.save(
        AccountId("both"),
        Menu(buttons=(Button(name="秘密", type="click", key="k"),)),
        revision=0,
        by=manager.operator,
    )

    assert (await manager.get("/admin/a/both/menu")).status == 404
    assert "秘密" not in (await manager.get(MENU)).text
