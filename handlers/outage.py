"""停水停电停气查询: what is announced for a place (L0, domain.md 3.1).

A place in the line wins; else the citizen's bound places; else a short dialog.
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.dialog import Answers, Begin, Choice, Dialog, Outcome, Step
from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from domain.conversation import Option, Reply
from domain.errors import DepartmentError, InvalidInput
from domain.ids import RegionCode
from domain.outage import UTILITY_NAMES, Match, Outage, Outages, Utility
from domain.people import PLACE_LABELS
from domain.records import Source
from domain.topic import Region

router = Router("outage", title="停水停电停气", example="停水 福田区")
log = logging.getLogger(__name__)

WORDS: Mapping[str, tuple[Utility, ...]] = {
    "停水": ("water",),
    "停电": ("power",),
    "停气": ("gas",),
    "停水停电停气": ("water", "power", "gas"),
}
_ANY = "停水停电停气"
_SAME = {"停燃气": "停气", "断气": "停气", "断水": "停水", "断电": "停电", "停水停电": _ANY}
_WORD = "(停水停电停气|停水停电|停水|停电|停气|停燃气|断水|断电|断气)"
_KIND_OF_PLACE = "(?:区|街道|新区|镇)"
# a number or plate of somebody, a link: never repeated in an answer, and no place either
_NO_PLACE = re.compile(r"[0-9A-Za-z]{6}|[<>]")
PAGE = 3  # interruptions that fit into one message


@dataclass(frozen=True, slots=True)
class _Place:
    """A place asked about; `label` says whose: 家, 单位."""

    region: Region
    rest: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        return f"{self.region.name} {self.rest}".strip()


@dataclass(frozen=True, slots=True)
class _Section:
    """What hits one place."""

    place: _Place
    hits: Sequence[tuple[Outage, Match]]
    more: int = 0
    is_unnamed: bool = False  # nothing names the place: the whole region is shown instead


@router.menu("query.outage")
@router.text("停水停电停气", "停水停电", "停水停电查询", "停水停电通知")
async def anything_near(ask: Inquiry, use: Services) -> Outcome:
    """Answer for water, power and gas at the bound places, or ask which and where."""
    return await _near(ask, use, _ANY) or Begin(dialog)


@router.text("停水", "停水查询", "停水通知", "停水公告", "停水信息", "查停水", "断水")
async def water(ask: Inquiry, use: Services) -> Outcome:
    return await _near(ask, use, "停水") or Begin(dialog, {"utility": "停水"})


@router.text("停电", "停电查询", "停电通知", "停电公告", "停电信息", "查停电", "断电")
async def power(ask: Inquiry, use: Services) -> Outcome:
    return await _near(ask, use, "停电") or Begin(dialog, {"utility": "停电"})


@router.text("停气", "停气查询", "停气通知", "停气公告", "停燃气", "停天然气", "查停气", "断气")
async def gas(ask: Inquiry, use: Services) -> Outcome:
    return await _near(ask, use, "停气") or Begin(dialog, {"utility": "停气"})


@router.pattern(_WORD + r"[ :,、](?P<place>.{2,40}?)(?: 第(?P<page>\d)页)?")
@router.pattern(_WORD + rf"(?P<place>(?!了|怎|为|什|是|的)\S{{1,15}}?{_KIND_OF_PLACE}.{{0,20}})")
async def in_one_line(ask: Inquiry, use: Services) -> Outcome:
    """Answer `停水 福田区 园岭街道`."""
    found = re.match(_WORD + r"[ :,、]?(.+?)(?: 第(\d)页)?$", ask.argument)
    if found is None:  # the patterns above are narrower
        return Begin(dialog)
    return await _at(ask, use, _word(found[1]), found[2], page=int(found[3] or 1))


@router.pattern(
    rf"\S{{1,15}}?{_KIND_OF_PLACE} ?(?:今天|明天|今晚|现在)?(?:会|有|又)?(?:没有)?"
    + _WORD
    + "(?:了|吗|了吗|嘛|没有|信息|通知|公告)?"
)
async def place_first(ask: Inquiry, use: Services) -> Outcome:
    """Answer `福田区今天停水吗`."""
    place, word, _ = re.split(_WORD, ask.argument, maxsplit=1)
    place = re.sub(rf"({_KIND_OF_PLACE}) ?(?:今天|明天|今晚|现在|会|有|又|没有)*$", r"\1", place)
    return await _at(ask, use, _word(word), place)


async def _districts(ask: Inquiry, use: Services, _: Answers) -> Sequence[Choice]:
    """Offer the districts; a place that was typed and is known is the one choice that fits."""
    if ask.text and use.catalogue.find_region(ask.text):
        return [Choice(ask.text, ask.text)]
    return [Choice(name, name) for name in _district_names(use)][:9]


def _unknown(_: str) -> str:
    raise InvalidInput("没有找到这个地方，请回复数字选择所在的区，或输入街道名称，例如 园岭街道。")


async def _finish(ask: Inquiry, use: Services, answers: Answers) -> Outcome:
    return await _at(ask, use, answers["utility"], answers["place"])


dialog = router.dialog(
    Dialog(
        key="outage",
        title="停水停电停气",
        steps=(
            Step(
                name="utility",
                prompt="outage_ask_utility.txt",
                choices=[
                    Choice("停水", "停水"),
                    Choice("停电", "停电"),
                    Choice("停气", "停气"),
                    Choice(_ANY, "全部"),
                ],
            ),
            Step(
                name="place",
                prompt="outage_ask_place.txt",
                choices=_districts,
                parse=_unknown,
            ),
        ),
        finish=_finish,
    )
)


def _word(text: str) -> str:
    return _SAME.get(text, text)


def _district_names(use: Services) -> list[str]:
    return [
        region.name for code, region in use.catalogue.regions.items() if not code.endswith("00")
    ]


async def _near(ask: Inquiry, use: Services, word: str) -> Reply | None:
    """Answer for the bound places, or None when there are none."""
    bindings = await use.bindings.list_(ask.account, ask.openid)
    places = [
        _Place(region, bound.street, PLACE_LABELS[bound.label])
        for bound in bindings.places
        if (region := use.catalogue.regions.get(bound.region))
    ]
    return await _answer(ask, use, word, places) if places else None


async def _at(ask: Inquiry, use: Services, word: str, text: str, *, page: int = 1) -> Reply:
    """Answer for the place that was typed, or offer the districts when it is none of ours."""
    found = use.catalogue.find_region(text)
    if found is None:
        names = _district_names(use)[:9]
        return Reply.of(
            "outage_unknown_place.txt",
            options=[Option(name, f"{word} {name}") for name in names],
        )
    region, rest = found
    if _NO_PLACE.search(rest):
        rest = ""
    return await _answer(ask, use, word, [_Place(region, rest)], page=page)


async def _answer(
    ask: Inquiry, use: Services, word: str, places: Sequence[_Place], *, page: int = 1
) -> Reply:
    utilities = WORDS[word]
    regions = list(dict.fromkeys(place.region.code for place in places))
    announced, away = await _ask_all(use, utilities, regions)
    now = use.clock.now()
    size = PAGE if len(places) == 1 else 1
    sections = [_section(announced, place, now, size=size, page=page) for place in places]
    first = places[0]
    # a whole city is too much for a subscription: without a region its dialog asks for one
    where = "" if first.region.code.endswith("00") else f" {first.region.name}"
    options = [
        Option(f"订阅{UTILITY_NAMES[utility]}通知", f"订阅 {UTILITY_NAMES[utility]}{where}")
        for utility in utilities
    ]
    if len(places) == 1 and sections[0].more:
        options.insert(0, Option("下一页", f"{word} {first.name} 第{page + 1}页"))
    if first.rest and not sections[0].is_unnamed:
        options.append(Option(f"查看{first.region.name}全部", f"{word} {first.region.name}"))
    return Reply.of(
        "outage.txt",
        title=word,
        names=UTILITY_NAMES,
        sections=sections,
        sources=_sources(announced),
        is_stale=any(outages.is_stale for outages in announced),
        away=away,
        now=now,
        utilities={outage.utility for s in sections for outage, _ in s.hits},
        options=options,
    )


async def _ask_all(
    use: Services, utilities: Sequence[Utility], regions: Sequence[RegionCode]
) -> tuple[list[Outages], list[str]]:
    """Ask all companies at once; what one cannot answer is said beside what the others can.

    Raises the error when nobody answers.
    """
    results = await asyncio.gather(
        *(
            use.departments.utilities.outages(name, region)
            for region in regions
            for name in utilities
        ),
        return_exceptions=True,
    )
    found, errors = [], []
    for result in results:
        if isinstance(result, DepartmentError):
            log.warning("outage.partly_away", extra={"reason": str(result)})
            errors.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            found.append(result.relevant(use.clock.now()))
    if not found:
        raise errors[0]
    return found, list(dict.fromkeys(error.say for error in errors))


def _sources(announced: Sequence[Outages]) -> list[Source]:
    """Return each department once, with the hotlines of all its companies."""
    found: dict[str, Source] = {}
    for source in (outages.source for outages in announced):
        known = found.setdefault(source.department, source)
        if source.hotline not in known.hotline.split("、"):
            hotlines = f"{known.hotline}、{source.hotline}"
            found[source.department] = replace(known, hotline=hotlines)
    return list(found.values())


def _section(
    announced: Sequence[Outages], place: _Place, now: datetime, *, size: int, page: int
) -> _Section:
    """Return what hits a place, each interruption once, what is going on first."""
    hits = _hits(announced, place.region.code, place.rest)
    unnamed = False
    if not hits and place.rest and place.rest.split()[0] not in place.region.streets:
        hits, unnamed = _hits(announced, place.region.code, ""), True
    hits.sort(key=lambda hit: hit[0].order(now))
    page = min(page, max(1, -(-len(hits) // size)))  # the list may have become shorter
    shown = hits[(page - 1) * size : page * size]
    return _Section(place, shown, max(0, len(hits) - page * size), unnamed and bool(hits))


def _hits(
    announced: Sequence[Outages], region: RegionCode, rest: str
) -> list[tuple[Outage, Match]]:
    found: dict[str, tuple[Outage, Match]] = {}
    for outages in announced:
        for outage, match in outages.hitting(region, rest):
            found.setdefault(outage.id, (outage, match))
    return list(found.values())
