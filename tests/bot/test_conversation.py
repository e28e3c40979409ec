"""Turns of a talk: dialogs, numbers, words that always work, expiry."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.conversation import Conversation, chosen_number, normalise
from bot.dialog import Answers, Begin, Choice, Dialog, Outcome, Step
from bot.inquiry import Inquiry
from bot.router import Router, Routes
from bot.services import Services
from bot.session import Session
from domain.conversation import (
    Follow,
    MenuClick,
    Option,
    Reply,
    Scan,
    TextMessage,
    UnknownEvent,
    VoiceMessage,
)
from domain.errors import InvalidInput
from domain.ids import AccountId, OpenId
from templates.environment import Renderer

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


def digits(text: str) -> str:
    if not text.isdigit():
        raise InvalidInput("请写数字。")
    return text


def tree() -> Routes:
    router = Router("bus", title="公交", example="公交 1路")

    async def finish(ask: Inquiry, use: Services, answers: Answers) -> Outcome:
        return Reply.of("hint.txt", say=f"{answers['colour']}/{answers['line']}")

    dialog = router.dialog(
        Dialog(
            key="bus.find",
            title="查公交",
            steps=(
                Step(
                    name="colour",
                    prompt="expired.txt",
                    choices=(Choice("red", "红"), Choice("blue", "蓝")),
                ),
                Step(name="line", prompt="expired.txt", parse=digits),
            ),
            finish=finish,
        )
    )

    @router.menu("do.bus")
    @router.text("公交", takes="线路")
    async def start(ask: Inquiry, use: Services) -> Outcome:
        return Begin(dialog, {"line": ask.argument} if ask.argument else {})

    @router.text("选择")
    async def offer(ask: Inquiry, use: Services) -> Outcome:
        return Reply.of(
            "hint.txt",
            say="选一个",
            options=[Option("甲", "说甲"), Option("乙", "说乙")],
        )

    @router.text("说甲", "说乙")
    async def said(ask: Inquiry, use: Services) -> Outcome:
        return Reply.of("hint.txt", say=f"听到{ask.text}")

    @router.always("帮助", keeps_dialog=True)
    async def help_(ask: Inquiry, use: Services) -> Outcome:
        return Reply.of("hint.txt", say="这里是帮助")

    @router.always("退出")
    async def leave(ask: Inquiry, use: Services) -> Outcome:
        return Reply.of("hint.txt", say="再见")

    @router.event(Follow)
    async def welcome(ask: Inquiry, use: Services) -> Outcome:
        return Reply.of("hint.txt", say="欢迎")

    @router.scene("window")
    async def window(ask: Inquiry, use: Services) -> Outcome:
        return Reply.of("hint.txt", say="窗口")

    @router.fallback()
    async def unknown(ask: Inquiry, use: Services) -> Outcome:
        return Reply.of("hint.txt", say="没听懂")

    return Routes.collect([router])


class Talk:
    """One citizen's session against the tree above."""

    def __init__(self) -> None:
        self.session = Session()
        self.now = NOW
        services = cast("Services", SimpleNamespace())
        self.conversation = Conversation(tree(), services, Renderer())

    async def hears(self, kind: type[Any], **own: Any) -> str:
        message = kind(
            account=AccountId("city"),
            openid=OpenId("oA"),
            at=self.now,
            dedupe_key="k",
            **own,
        )
        # a session lives as JSON between two messages
        self.session = Session.from_json(self.session.to_json())
        return (await self.conversation.answer(message, self.session)).text

    async def says(self, text: str) -> str:
        return await self.hears(TextMessage, text=text)


@pytest.fixture
def talk() -> Talk:
    return Talk()


async def test_a_dialog_asks_step_by_step_and_finishes(talk):
    await talk.says("公交")
    await talk.says("2")

    assert await talk.says("12") == "blue/12"


async def test_a_label_or_a_chinese_numeral_chooses_as_the_number_does(talk):
    await talk.says("公交")
    await talk.says("第二个")
    assert await talk.says("7") == "blue/7"

    await talk.says("公交")
    await talk.says("红")
    assert await talk.says("7") == "red/7"


async def test_an_answer_given_in_the_first_line_is_not_asked_again(talk):
    await talk.says("公交 15")

    assert await talk.says("1") == "red/15"


async def test_an_answer_that_does_not_fit_is_asked_again_with_a_hint(talk):
    await talk.says("公交")
    await talk.says("1")

    assert (await talk.says("十二路")).startswith("请写数字。")
    assert await talk.says("12") == "red/12"


async def test_back_takes_the_last_answer_back(talk):
    await talk.says("公交")
    await talk.says("1")
    await talk.says("返回")
    await talk.says("2")

    assert await talk.says("3") == "blue/3"


async def test_back_at_the_first_question_leaves(talk):
    await talk.says("公交")

    assert "已退出" in await talk.says("0")
    assert await talk.says("1") == "没听懂"


async def test_another_service_named_in_a_dialog_is_followed(talk):
    await talk.says("公交")

    assert "选一个" in await talk.says("选择")
    assert await talk.says("2") == "听到说乙"


async def test_an_option_may_lead_to_a_word_that_works_always(talk):
    talk.session.offer(["帮助"], NOW)

    assert await talk.says("1") == "这里是帮助"


async def test_help_in_a_dialog_repeats_the_question(talk):
    await talk.says("公交")

    helped = await talk.says("帮助")

    assert helped.startswith("这里是帮助")
    assert "【查公交】" in helped
    await talk.says("1")
    assert await talk.says("9") == "red/9"


async def test_leaving_works_in_every_state(talk):
    await talk.says("公交")

    assert await talk.says("退出") == "再见"
    assert await talk.says("1") == "没听懂"


async def test_a_dialog_left_lying_says_that_it_ended(talk):
    await talk.says("公交")
    talk.now += timedelta(minutes=11)

    assert "自动结束" in await talk.says("1")
    assert await talk.says("1") == "没听懂"


async def test_a_word_said_after_a_dialog_expired_is_simply_answered(talk):
    await talk.says("公交")
    talk.now += timedelta(minutes=11)

    assert await talk.says("说甲") == "听到说甲"


async def test_a_menu_tap_leaves_a_dialog(talk):
    await talk.says("公交")
    await talk.says("1")

    assert "【查公交】" in await talk.hears(MenuClick, key="do.bus")
    await talk.says("2")
    assert await talk.says("4") == "blue/4"


async def test_recognised_voice_counts_as_text(talk):
    assert await talk.hears(VoiceMessage, media_id="m", recognition="说甲。") == "听到说甲"


async def test_a_menu_key_nobody_knows_any_more_gets_the_fallback(talk):
    assert await talk.hears(MenuClick, key="gone") == "没听懂"


async def test_a_scan_by_a_follower_says_what_the_code_is_for(talk):
    assert await talk.hears(Scan, scene="window:12") == "窗口"


async def test_a_follow_by_a_code_welcomes_and_says_what_it_was_for(talk):
    assert await talk.hears(Follow, scene="window:12") == "欢迎\n\n窗口"


async def test_an_unknown_event_is_answered_with_nothing(talk):
    assert await talk.hears(UnknownEvent, name="card_pass_check") == ""


@pytest.mark.parametrize(("said", "number"), [("2", 2), ("２", 2), ("二", 2), ("第3个", 3)])
def test_numbers_are_understood_however_they_are_written(said, number):
    assert chosen_number(normalise(said)) == number


@pytest.mark.parametrize("said", ["10", "", "二十", "2路"])
def test_what_is_not_one_of_nine_is_no_number(said):
    assert chosen_number(normalise(said)) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("停水\u200b", "停水"), ("停水\u202e 福田区", "停水 福田区"), ("1️⃣", "1"), ("？", "?")],
)
def test_what_nobody_sees_does_not_change_what_is_meant(typed, meant):
    assert normalise(typed) == meant


@pytest.mark.parametrize("text", ["？", "。。。", " ", "\u200b"])
async def test_a_text_without_words_is_still_answered(talk, text):
    assert await talk.says(text) == "没听懂"


async def test_a_number_past_the_end_keeps_what_was_offered(talk):
    await talk.says("选择")

    assert await talk.says("5") == "请回复 1–2 中的一个数字。"
    assert await talk.says("2") == "听到说乙"


async def test_a_word_of_another_service_leaves_a_step_that_takes_any_text(talk):
    await talk.says("公交")
    await talk.says("1")

    assert await talk.says("说甲") == "听到说甲"
    assert talk.session.dialog is None
