"""订阅: choose topics, see and change what one receives, cancel in one step.

Everything can be said in one line (`订阅 停水 福田区`, `退订 停水`) or tapped together by numbers.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bot.dialog import Answers, Begin, Choice, Dialog, Outcome, Step
from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from config.catalogue import Catalogue
from domain.conversation import Option, Reply
from domain.errors import InvalidInput, NotFound
from domain.ids import RegionCode, TopicId
from domain.people import PLACE_LABELS, Subscription
from domain.topic import Mode, Topic

router = Router("subscriptions", title="订阅通知", example="订阅 停水 福田区")
PAGE = 6  # subscriptions on one page of a list; the other numbers are ways on
TOPIC_STEPS = ("topic", "topic_2", "topic_3")
TOPICS_A_STEP = 8
MORE = "more"
MODES: dict[Mode, str] = {"immediate": "及时提醒", "daily": "每日汇总", "weekly": "每周汇总"}
MODE_WORDS: dict[str, Mode] = {
    **{word: mode for mode, word in MODES.items()},
    "立即提醒": "immediate",
    "立即": "immediate",
    "汇总提醒": "daily",  # what it was called before there were weekly ones
}
MINE = Option("我的订阅", "我的订阅")
ADD = Option("添加订阅", "订阅")
ALL = Option("全部退订", "全部退订")


@dataclass(frozen=True, slots=True)
class _Line:
    """A subscription as a citizen reads it, and the words that name it."""

    title: str
    place: str
    mode: str
    words: str  # 停水通知 福田区


# --- what I have --------------------------------------------------------------------------


@router.menu("my.subscriptions")
@router.text("我的订阅", "订阅管理", "查看订阅")
async def mine(ask: Inquiry, use: Services) -> Reply:
    """List what the citizen follows, numbered to be changed."""
    return await _list(ask, use, 1)


@router.pattern(r"我的订阅 第(\d{1,2})页")
async def mine_page(ask: Inquiry, use: Services) -> Reply:
    """Show a later page of the list."""
    return await _list(ask, use, _page(ask.text))


@router.pattern(r"管理订阅 (\S{1,40})(?: (\S{1,20}))?")
async def one(ask: Inquiry, use: Services) -> Reply:
    """Show one subscription with what can be changed about it."""
    item = await _named(ask, use, ask.text.removeprefix("管理订阅 "))
    line = _line(item, use.catalogue)
    others = [word for mode, word in MODES.items() if mode != item.mode]
    return Reply.of(
        "subscription_one.txt",
        line=line,
        options=[
            *(Option(f"改为{word}", f"改为{word} {line.words}") for word in others),
            Option("退订这一项", f"退订 {line.words}"),
            MINE,
        ],
    )


@router.pattern(
    r"(?:改为)?(?:及时提醒|每日汇总|每周汇总|立即提醒|立即|汇总提醒) (\S{1,40})(?: (\S{1,20}))?"
)
async def change_mode(ask: Inquiry, use: Services) -> Reply:
    """Switch one subscription between at once, a daily and a weekly digest."""
    switch, _, words = ask.text.partition(" ")
    item = await _named(ask, use, words)
    return await _switch(ask, use, item, MODE_WORDS[switch.removeprefix("改为")])


@router.text("及时提醒", "立即提醒", "每日汇总", "每周汇总")
async def choose_mode(ask: Inquiry, use: Services) -> Reply:
    """Change the only subscription there is, or ask which by number."""
    mode = MODE_WORDS[ask.text]
    others = [item for item in await _held(ask, use) if item.mode != mode]
    if len(others) == 1:
        return await _switch(ask, use, others[0], mode)
    lines = [_line(item, use.catalogue) for item in others]
    word = MODES[mode]
    ways = [Option(line.words, f"改为{word} {line.words}") for line in lines[:PAGE]]
    return Reply.of(
        "subscription_modes.txt", word=word, total=len(lines), shown=PAGE, options=[*ways, MINE]
    )


async def _switch(ask: Inquiry, use: Services, item: Subscription, mode: Mode) -> Reply:
    await use.subscriptions.set_mode(ask.account, ask.openid, item.topic, item.region, mode)
    line = _line(replace(item, mode=mode), use.catalogue)
    return Reply.of("subscription_mode.txt", line=line, mode=mode, options=[MINE])


# --- cancelling ---------------------------------------------------------------------------


@router.always("退订", "取消订阅")
async def cancel(ask: Inquiry, use: Services) -> Reply:
    """List everything that can be cancelled, each by one number."""
    return await _cancel_list(ask, use, 1)


@router.pattern(r"退订 第(\d{1,2})页")
async def cancel_page(ask: Inquiry, use: Services) -> Reply:
    """Show a later page of what can be cancelled."""
    return await _cancel_list(ask, use, _page(ask.text))


@router.text("全部退订", "退订全部", "取消全部订阅")
async def cancel_all(ask: Inquiry, use: Services) -> Reply:
    """Cancel everything at once; what was bound stays bound."""
    count = await use.subscriptions.unsubscribe_all(ask.account, ask.openid)
    return Reply.of("unsubscribed_all.txt", count=count, options=[ADD])


@router.pattern(r"(?:退订|取消订阅)[ :,]?(?!第\d+页)(.{1,40})")
async def cancel_one(ask: Inquiry, use: Services) -> Reply:
    """Cancel the topic named, in the region named or everywhere."""
    words = re.sub(r"^(?:退订|取消订阅)[ :,]?", "", ask.text)
    try:
        topic, rest = _topic(words, use.catalogue)
        region = _region(rest, use.catalogue) if rest else None
    except InvalidInput as error:
        raise InvalidInput("没有找到这项订阅，请回复 退订 从列表里选。") from error
    gone = await use.subscriptions.unsubscribe(ask.account, ask.openid, topic.id, region)
    line = _line(Subscription(topic=topic.id, region=region), use.catalogue)
    again = Option("重新订阅", f"订阅 {line.words}")
    return Reply.of(
        "unsubscribed.txt", line=line, gone=gone, options=[again, MINE] if gone else [MINE]
    )


# --- subscribing --------------------------------------------------------------------------


@router.text("订阅", "添加订阅", takes="主题和地区")
async def subscribe(ask: Inquiry, use: Services) -> Outcome:
    """Subscribe to what was named, asking for what was not."""
    if not ask.argument:
        return Begin(dialog)
    topic, rest = _topic(ask.argument, use.catalogue)
    region = _region(rest, use.catalogue) if rest and topic.scope == "region" else None
    return await _subscribe(ask, use, topic, region)


@router.scene("topic")
async def scanned(ask: Inquiry, use: Services) -> Reply:
    """Say what a scanned code is for and offer to subscribe; scanning alone does nothing."""
    name, _, code = ask.argument.partition(":")
    topic = use.catalogue.topics.get(TopicId(name))
    if topic is None:
        return Reply.of("scene_unknown.txt", options=[ADD])
    region = use.catalogue.regions.get(RegionCode(code)) if topic.scope == "region" else None
    place = region.name if region else ""
    return Reply.of(
        "scene_topic.txt",
        topic=topic,
        place=place,
        options=[
            Option(f"订阅{topic.title}", f"订阅 {topic.title} {place}".strip()),
            Option("暂不订阅，看全部服务", "菜单"),
        ],
    )


@dataclass(frozen=True, slots=True)
class _TopicChoices:
    """One page of the topics; the last number leads to the next page."""

    number: int

    async def __call__(self, _: Inquiry, use: Services, __: Answers) -> Sequence[Choice]:
        topics = list(use.catalogue.topics.values())
        start = self.number * TOPICS_A_STEP
        is_last = self.number == len(TOPIC_STEPS) - 1
        shown = topics[start : start + TOPICS_A_STEP + is_last]
        choices = [Choice(f"{topic.scope}:{topic.id}", topic.title) for topic in shown]
        if not is_last and start + TOPICS_A_STEP < len(topics):
            choices.append(Choice(MORE, "更多主题"))
        return choices


async def _region_choices(ask: Inquiry, use: Services, _: Answers) -> Sequence[Choice]:
    """Offer the regions of bound places first, then the districts."""
    bound = await use.bindings.list_(ask.account, ask.openid)
    labels: dict[RegionCode, str] = {}
    for place in bound.places:
        if place.region in use.catalogue.regions:
            name = use.catalogue.regions[place.region].name
            labels.setdefault(place.region, f"{name}（{PLACE_LABELS[place.label]}）")
    for code, region in use.catalogue.regions.items():
        if not code.endswith("00"):
            labels.setdefault(code, region.name)
    return [Choice(code, label) for code, label in labels.items()][:9]


async def _finish(ask: Inquiry, use: Services, answers: Answers) -> Outcome:
    """Subscribe, or ask again for what was written and is not known."""
    chosen = [answers[name] for name in TOPIC_STEPS if name in answers]
    words = chosen[-1].partition(":")[2] or chosen[-1]
    try:
        topic, rest = _topic(words, use.catalogue)
    except InvalidInput:
        return Begin(dialog, {"wrong": "topic"})
    place = answers.get("region", rest)
    try:
        region = _region(place, use.catalogue) if place and topic.scope == "region" else None
    except InvalidInput:
        return Begin(dialog, {"topic": f"{topic.scope}:{topic.id}", "wrong": "region"})
    return await _subscribe(ask, use, topic, region)


def _asks_no_region(answers: Answers) -> bool:
    chosen = [answers[name] for name in TOPIC_STEPS if name in answers]
    return not chosen or not chosen[-1].startswith("region:")


def _unless_more(before: str) -> Callable[[Answers], bool]:
    return lambda answers: answers.get(before) != MORE


def _topic_steps() -> Iterator[Step]:
    for number, name in enumerate(TOPIC_STEPS):
        yield Step(
            name=name,
            prompt="subscribe_topic.txt",
            choices=_TopicChoices(number),
            parse=str,
            skip=_unless_more(TOPIC_STEPS[number - 1]) if number else None,
            takes_words=True,
        )


dialog = router.dialog(
    Dialog(
        key="subscribe",
        title="订阅通知",
        steps=(
            *_topic_steps(),
            Step(
                name="region",
                prompt="subscribe_region.txt",
                choices=_region_choices,
                parse=str,
                skip=_asks_no_region,
            ),
        ),
        finish=_finish,
    )
)


async def _subscribe(
    ask: Inquiry, use: Services, topic: Topic, region: RegionCode | None
) -> Outcome:
    if topic.scope == "region" and region is None:
        return Begin(dialog, {"topic": f"region:{topic.id}"})
    kind = topic.scope if topic.scope in ("vehicle", "person") else None
    if kind:
        bound = await use.bindings.list_(ask.account, ask.openid)
        if kind not in {subject.kind for subject in bound.subjects}:
            word = "绑定车辆" if kind == "vehicle" else "实名绑定"
            return Reply.of(
                "subscribe_needs_binding.txt",
                topic=topic,
                kind=kind,
                options=[Option(word, word), MINE],
            )
    item = Subscription(topic=topic.id, region=region, subject=kind)
    fresh = await use.subscriptions.subscribe(ask.account, ask.openid, item)
    line = _line(item, use.catalogue)
    return Reply.of(
        "subscribed.txt",
        line=line,
        fresh=fresh,
        is_city=bool(region and region.endswith("00")),
        options=[
            Option("继续添加订阅", "订阅"),
            Option("改为每日汇总", f"改为每日汇总 {line.words}"),
            Option("退订这一项", f"退订 {line.words}"),
            MINE,
        ],
    )


# --- words and lists ----------------------------------------------------------------------


def _topic(text: str, catalogue: Catalogue) -> tuple[Topic, str]:
    """Return the topic a text begins with, by its longest name, and the rest."""
    for end in range(len(text), 0, -1):
        topic = catalogue.topic_by_word(text[:end])
        if topic:
            return topic, text[end:].strip(" ,:，：")
    raise InvalidInput("没有找到这个订阅主题，请回复 订阅 从列表里选。")


def _region(text: str, catalogue: Catalogue) -> RegionCode:
    found = catalogue.find_region(text)
    if found is None:
        raise InvalidInput("没有找到这个地区，请写区名，例如：订阅 停水 福田区")
    return found[0].code


def _line(item: Subscription, catalogue: Catalogue) -> _Line:
    topic = catalogue.topics.get(item.topic)
    title = topic.title if topic else item.topic
    region = catalogue.regions.get(item.region) if item.region else None
    place = region.name if region else (item.region or "")
    return _Line(title, place, MODES[item.mode], f"{title} {place}".strip())


async def _held(ask: Inquiry, use: Services) -> tuple[Subscription, ...]:
    subscriber = await use.subscriptions.find(ask.account, ask.openid)
    return subscriber.subscriptions if subscriber else ()


async def _named(ask: Inquiry, use: Services, words: str) -> Subscription:
    """Return the citizen's own subscription that these words name."""
    for item in await _held(ask, use):
        if _line(item, use.catalogue).words == words:
            return item
    raise NotFound("没有找到这项订阅，请回复 我的订阅 查看。")


async def _list(ask: Inquiry, use: Services, page: int) -> Reply:
    lines = [_line(item, use.catalogue) for item in await _held(ask, use)]
    shown = lines[(page - 1) * PAGE : page * PAGE]
    ways = [Option(line.words, f"管理订阅 {line.words}") for line in shown]
    if page * PAGE < len(lines):
        ways.append(Option("下一页", f"我的订阅 第{page + 1}页"))
    ways.append(ADD)
    if lines:
        ways.append(ALL)
    return Reply.of("subscriptions.txt", lines=shown, total=len(lines), options=ways)


async def _cancel_list(ask: Inquiry, use: Services, page: int) -> Reply:
    lines = [_line(item, use.catalogue) for item in await _held(ask, use)]
    ways = [
        Option(f"退订 {line.words}", f"退订 {line.words}")
        for line in lines[(page - 1) * PAGE : page * PAGE]
    ]
    if page * PAGE < len(lines):
        ways.append(Option("下一页", f"退订 第{page + 1}页"))
    return Reply.of("unsubscribe.txt", total=len(lines), options=[*ways, ALL] if lines else [ADD])


def _page(text: str) -> int:
    return max(1, int("".join(re.findall(r"第(\d+)页", text)) or 1))
