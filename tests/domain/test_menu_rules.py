"""What the platform takes as a menu, and how two menus differ."""

from typing import Any

import pytest

from config.catalogue import load_catalogue
from domain.menu import Button, Conditional, MatchRule, Menu, differences
from domain.menu_rules import CONTRACT_KEYS, all_faults, faults_of, faults_of_conditional


def click(name: str = "社保查询", key: str = "query.social") -> Button:
    return Button(name=name, type="click", key=key)


def faults(*buttons: Button) -> list[tuple[str, str, bool]]:
    return [(f.place, f.field, f.is_caution) for f in faults_of(Menu(buttons=buttons))]


def test_the_menu_that_ships_has_no_fault_and_keeps_its_form():
    shipped = load_catalogue().menu
    menu = Menu.read(shipped)

    assert [fault for _, fault in all_faults(menu) if not fault.is_caution] == []
    assert menu.json_form() == shipped
    assert Menu.read(menu.whole()) == menu


def test_the_promised_keys_are_those_of_the_shipped_menu():
    assert set(load_catalogue().menu_words) == set(CONTRACT_KEYS)


@pytest.mark.parametrize(
    ("button", "expected"),
    [
        (click("查询查询查询"), ("0", "name", False)),  # 18 bytes
        (click("查询查询查"), ("0", "name", True)),  # fits, and a phone shows four
        (click(""), ("0", "name", False)),
        (click("查\u202e询"), ("0", "name", False)),
        (click("查\n询"), ("0", "name", False)),
        (click("查询", ""), ("0", "value", False)),
        (click("查询", "k" * 129), ("0", "value", False)),
        (click("查询", "query.nothing"), ("0", "value", True)),
        (Button(name="官网", type="view", url="javascript:alert(1)"), ("0", "value", False)),
        (Button(name="官网", type="view", url="https://a b"), ("0", "value", False)),
        (Button(name="官网", type="view", url="https://[x"), ("0", "value", False)),
        (Button(name="官网", type="view", url="https://x/" + "a" * 1020), ("0", "value", False)),
        (Button(name="官网", type="view", url="http://example.org/"), ("0", "value", True)),
        (Button(name="办事", type="dance"), ("0", "type", False)),
    ],
)
def test_a_slip_is_told_where_it_is(button: Button, expected: tuple[str, str, bool]):
    assert faults(button) == [expected]


def test_a_mini_program_needs_its_id_its_page_and_an_address_for_old_phones():
    bare = Button(name="预约", type="miniprogram", appid="wx1", url="")

    assert faults(bare) == [("0", "value", False), ("0", "appid", False), ("0", "pagepath", False)]
    whole = Button(
        name="预约", type="miniprogram", appid="wx0123456789abcdef", pagepath="pages/index",
        url="https://example.org/",
    )  # fmt: skip
    assert faults(whole) == []


def test_counts_and_levels_are_bounded():
    assert ("", "name", False) in faults(*[click("查询")] * 4)
    assert ("0", "name", False) in faults(Button(name="查询", below=(click(),) * 6))
    deep = Button(name="查询", below=(Button(name="更多", below=(click(),)),))
    assert ("0.0", "name", False) in faults(deep)
    assert faults() == [("", "name", False)]


def test_a_conditional_menu_needs_a_living_rule_and_few_domains():
    def places(rule: MatchRule, *buttons: Button) -> list[str]:
        return [f.field for f in faults_of_conditional(Conditional(rule=rule, buttons=buttons))]

    links = tuple(
        Button(name="链接", type="view", url=f"https://{host}.example.org/") for host in "abcd"
    )

    assert places(MatchRule(), click("查询")) == ["tag_id"]
    assert places(MatchRule(tag_id="二"), click("查询")) == ["tag_id"]
    assert places(MatchRule(platform="9"), click("查询")) == ["platform"]
    assert places(MatchRule(tag_id="2"), Button(name="链接", below=links)) == ["name"]
    assert places(MatchRule(tag_id="2", platform="1"), click("查询")) == []


def test_of_two_conditional_menus_with_one_rule_the_second_is_warned_of():
    rule = Conditional(rule=MatchRule(tag_id="2"), buttons=(click("查询"),))
    found = all_faults(Menu(buttons=(click("查询"),), conditional=(rule, rule)))

    assert [(number, fault.is_caution) for number, fault in found] == [(2, True)]


def test_differences_are_lines_with_their_sign():
    old = Menu(buttons=(Button(name="查询", below=(click(), click("医保", "query.medical"))),))
    new = Menu(buttons=(Button(name="查询", below=(click(),)),))

    found = differences(old, new)

    assert [(sign, line.strip()) for sign, line in found if sign != " "] == [
        ("-", "医保：点击回复 query.medical")
    ]
    assert all(sign == " " for sign, _ in differences(old, old))


def test_a_new_conditional_menu_does_not_make_the_default_one_look_new():
    buttons = (Button(name="查询", below=(click(),)),)
    old = Menu(buttons=buttons)
    for_some = Conditional(rule=MatchRule(tag_id="2", platform="1"), buttons=buttons)
    new = Menu(buttons=buttons, conditional=(for_some,))

    found = differences(old, new)

    assert [sign for sign, _ in found] == [" ", " ", " ", "+", "+", "+"]
    assert found[3] == ("+", "个性化菜单：标签 2、苹果手机")


def test_what_the_platform_lists_reads_as_what_was_sent():
    listed: dict[str, Any] = {
        "button": [
            {"name": "查询", "sub_button": [click().json_form() | {"sub_button": []}]},
            {"type": "view", "name": "官网", "url": "https://x.cn/", "sub_button": []},
        ]
    }

    assert Menu.read(listed).buttons == (
        Button(name="查询", below=(click(),)),
        Button(name="官网", type="view", url="https://x.cn/"),
    )
