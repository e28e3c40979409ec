"""菜单、帮助, and the answer to what nobody understands."""

import pytest


@pytest.mark.parametrize("words", ["菜单", "返回", "0"])
async def test_the_menu_is_listed_in_words_with_numbers(citizen, words):
    answer = await citizen.says(words)

    assert "【全部服务】第 1/2 页" in answer
    assert "9. 更多服务" in answer


async def test_every_entry_of_both_pages_is_reached_by_its_number(citizen):
    await citizen.says("菜单")
    second = await citizen.says("9")

    assert "第 2/2 页" in second
    assert "【办件进度】" in await citizen.says("3")


async def test_help_lists_an_example_of_every_service(citizen, services):
    answer = await citizen.says("帮助")

    for title, example in services.routes_help:
        assert f"{title}：{example}" in answer
    assert "12345" in answer


async def test_help_leaves_a_running_dialog_where_it_was(citizen):
    await citizen.says("停水")

    assert "请选择所在的区" in await citizen.says("帮助")
    assert "【停水】福田区" in await citizen.says("2")


async def test_what_is_not_understood_offers_what_its_words_point_at(citizen):
    answer = await citizen.says("我想了解公积金怎么提取")

    assert "您是不是想办下面的事" in answer
    assert "1. 公积金查询" in answer
    assert "12345" in answer
