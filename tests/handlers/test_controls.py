"""Words that work in every state, the menu, help, and the answer to what nobody understands."""

from datetime import UTC, datetime

import pytest

from domain.conversation import TextMessage
from handlers.controls import is_desk_open


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-24T09:00", True),  # a Tuesday
        ("2026-11-24T08:59", False),
        ("2026-11-24T18:00", False),
        ("2026-11-22T10:00", False),  # a Sunday
        ("2026-10-01T10:00", False),  # National Day, a Thursday
        ("2026-10-10T10:00", True),  # a Saturday worked for it
        ("2031-01-06T10:00", True),  # not published yet: Monday to Friday
        ("2031-01-05T10:00", False),
    ],
)
def test_the_desk_keeps_chinese_working_hours(moment, is_open):
    assert is_desk_open(beijing(moment)) is is_open


@pytest.mark.parametrize("said", ["人工", "转人工", "人工客服"])
async def test_in_service_hours_a_person_takes_over(citizen, said):
    message = TextMessage(
        text=said,
        account=citizen.account,
        openid=citizen.openid,
        at=datetime(2026, 11, 24, 2, 0, tzinfo=UTC),
        dedupe_key="k",
    )

    assert (await citizen.sends(message)).kind == "transfer"


async def test_outside_service_hours_the_hotline_is_named(citizen):
    citizen.clock.set(beijing("2026-11-24T21:00"))

    for answer in (await citizen.says("人工"), await citizen.taps("ask.human")):
        assert "12345" in answer
        assert "工作日 9:00–18:00" in answer


async def test_help_keeps_a_dialog_and_leaving_ends_it(citizen):
    await citizen.says("绑定车辆")

    assert "【绑定车辆】" in await citizen.says("帮助")
    assert "已退出" in await citizen.says("退出")
    assert "没有听懂" in await citizen.says("粤Z")


async def test_large_print_is_switched_and_remembered(citizen):
    await citizen.says("绑定车辆")

    answer = await citizen.says("大字版")

    assert "打开大字版" in answer
    assert "/h5/city/" in answer
    assert "【绑定车辆】" in answer
    subscriber = await citizen.use.subscriptions.find(citizen.account, citizen.openid)
    assert subscriber.large_print
    assert "已关闭" in await citizen.says("大字版")


async def test_the_menu_lists_every_service_by_number(citizen, services):
    first = await citizen.says("菜单")
    second = await citizen.says("9")

    for button in services.catalogue.menu["button"]:
        for entry in button["sub_button"]:
            assert entry["name"] in first + second


async def test_every_menu_key_and_its_word_are_answered(citizen, services):
    for key, word in services.catalogue.menu_words.items():
        if key == "ask.human":
            continue
        assert "没有听懂" not in await citizen.taps(key), key
        assert "没有听懂" not in await citizen.says(word), word
        await citizen.says("退出")


@pytest.mark.parametrize("key", ["do.appointment", "do.case", "ask.robot"])
async def test_what_the_chat_cannot_do_says_where_else_to_go(citizen, key):
    assert "12345" in await citizen.taps(key)


async def test_complaints_name_emergency_numbers_first(citizen):
    answer = await citizen.says("我要投诉")

    assert answer.index("110") < answer.index("12345")


async def test_what_nobody_understands_gets_short_help_with_numbers(citizen):
    answer = await citizen.says("今晚吃什么")

    assert "没有听懂" in answer
    assert len(answer) < 120
    assert "【全部服务】" in await citizen.says("1")


async def test_a_service_named_inside_a_sentence_is_offered(citizen):
    answer = await citizen.says("请问公积金怎么提取呀")

    assert "1. 公积金查询" in answer
