"""The router tree: what a word means, and that no two handlers claim the same one."""

import pytest

from bot.dialog import Outcome
from bot.inquiry import Inquiry
from bot.router import Router, Routes
from bot.services import Services
from domain.conversation import Reply
from domain.errors import ConfigError


async def answer(ask: Inquiry, use: Services) -> Outcome:
    return Reply.of("hint.txt", say="")


async def other(ask: Inquiry, use: Services) -> Outcome:
    return None


def routes(*routers: Router) -> Routes:
    last = Router("last")
    last.fallback()(other)
    return Routes.collect([*routers, last])


def test_an_exact_word_wins_over_a_word_with_something_after_it():
    router = Router("outage")
    router.text("停水", takes="地点")(answer)
    router.text("停水停电")(other)

    found = routes(router).for_text("停水停电")

    assert found is not None
    assert found.handler is other


@pytest.mark.parametrize("said", ["停水 福田区", "停水福田区", "停水：福田区"])
def test_what_follows_a_word_is_its_argument(said):
    router = Router("outage")
    router.text("停水", takes="地点")(answer)

    found = routes(router).for_text(said)

    assert found is not None
    assert found.argument == "福田区"


def test_a_word_that_takes_nothing_answers_only_itself():
    router = Router("social")
    router.text("社保")(answer)

    assert routes(router).for_text("社保怎么转移") is None


def test_two_handlers_cannot_claim_one_word():
    one, two = Router("one"), Router("two")
    one.text("违章")(answer)
    two.text("违章")(other)

    with pytest.raises(ConfigError, match="two handlers claim text '违章'"):
        routes(one, two)


def test_a_word_that_works_always_cannot_also_be_an_ordinary_one():
    one, two = Router("one"), Router("two")
    one.always("帮助")(answer)
    two.text("帮助")(other)

    with pytest.raises(ConfigError, match="two handlers claim"):
        routes(one, two)


def test_two_handlers_cannot_claim_one_menu_key():
    one, two = Router("one"), Router("two")
    one.menu("query.social")(answer)
    two.menu("query.social")(other)

    with pytest.raises(ConfigError, match=r"query\.social"):
        routes(one, two)


def test_a_tree_without_a_fallback_does_not_start():
    with pytest.raises(ConfigError, match="fallback"):
        Routes.collect([Router("empty")])


def test_the_part_of_a_scene_after_the_colon_is_its_argument():
    router = Router("follow")
    router.scene("topic")(answer)

    found = routes(router).for_scene("topic:outage.water:440305")

    assert found is not None
    assert found.argument == "outage.water:440305"


def test_a_pattern_must_fit_the_whole_text():
    router = Router("traffic")
    router.pattern(r"粤B\d{5}")(answer)
    tree = routes(router)

    assert tree.for_text("粤B12345") is not None
    assert tree.for_text("我的车是粤B12345") is None
