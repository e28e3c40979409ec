"""绑定: vehicles, places and the real name; seen masked, taken back with one tap.

The one-line forms ask nothing that was said already: `绑定车辆 粤B12345 02 1234`,
`绑定地点 家 福田区 园岭街道`. An identity number is only ever asked for after the consent.
"""

import re
from collections.abc import Sequence
from typing import get_args

from bot.dialog import Answers, Begin, Choice, Dialog, Outcome, Step
from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from config.privacy_notices import load_notice
from domain.conversation import Option, Reply
from domain.errors import InvalidInput
from domain.identifiers import (
    PLATE_TYPES,
    default_plate_type,
    parse_digits,
    parse_identity,
    parse_name,
    parse_plate,
    parse_plate_type,
)
from domain.ids import RegionCode
from domain.masking import Plate
from domain.people import PLACE_LABELS, Bindings, PlaceLabel

router = Router("bindings", title="绑定车辆和地点", example="绑定车辆 粤B12345 02 1234")
PAGE = 5  # bindings on one page; the other numbers are ways on
COMMON_TYPES = ("02", "52", "51", "01", "07", "08", "15", "26", "99")
LABELS = {name: label for label, name in PLACE_LABELS.items()}
NO_STREET = "-"
STREET_LENGTH = 40
AGREE = "同意"
MINE = Option("我的绑定", "我的绑定")


# --- what is bound ------------------------------------------------------------------------


@router.menu("my.bindings")
@router.text("我的绑定", "绑定管理", "绑定", "查看绑定")
async def mine(ask: Inquiry, use: Services) -> Reply:
    """List what is bound, masked; its number unbinds."""
    return await _list(ask, use, 1)


@router.pattern(r"我的绑定 第(\d{1,2})页")
async def mine_page(ask: Inquiry, use: Services) -> Reply:
    """Show a later page of the list."""
    return await _list(ask, use, max(1, int(re.sub(r"\D", "", ask.text))))


@router.text("解绑", "解除绑定", "取消绑定")
async def unbind_which(ask: Inquiry, use: Services) -> Reply:
    """Show the list, whose numbers unbind."""
    return await _list(ask, use, 1)


@router.pattern(r"(?:解绑|解除绑定|取消绑定)[ :]?(\S.{0,40})")
async def unbind(ask: Inquiry, use: Services) -> Reply:
    """Unbind at once and erase what was bound: as easy as binding was."""
    name = re.sub(r"^(?:解绑|解除绑定|取消绑定)[ :]?", "", ask.text)
    bound = await use.bindings.list_(ask.account, ask.openid)
    binding_id = _id_of(name, bound)
    label = dict(_items(bound, use)).get(binding_id, "")
    gone = await use.bindings.unbind(ask.account, ask.openid, binding_id)
    return Reply.of(
        "unbound.txt",
        gone=gone,
        label=label,
        is_place=binding_id in {place.id for place in bound.places},
        options=[MINE],
    )


def _id_of(name: str, bound: Bindings) -> str:
    """Return the id of what a citizen calls 实名, 家 or by its plate; else the text is an id."""
    if name == "实名":
        return "real_name"
    if name in LABELS:
        return next((place.id for place in bound.places if place.label == LABELS[name]), name)
    try:
        plate = parse_plate(name)
    except InvalidInput:
        return name
    return next((vehicle.id for vehicle in bound.vehicles if vehicle.plate == plate), name)


# --- vehicles -----------------------------------------------------------------------------


@router.text("绑定车辆", "绑车", "车辆绑定", takes="车牌 种类 末几位")
async def bind_vehicle(ask: Inquiry, use: Services) -> Outcome:
    """Bind a vehicle in one line or step by step."""
    return Begin(vehicle_dialog, _vehicle_line(ask.argument) if ask.argument else {})


def _vehicle_line(text: str) -> dict[str, str]:
    """Read plate, type and last digits; the plate may have spaces inside."""
    words = re.split(r"[\s,，]+", text)
    for count in range(1, len(words) + 1):
        try:
            plate = parse_plate("".join(words[:count]))
        except InvalidInput:
            if count == len(words):
                raise
        else:
            break
    answers = {"plate": plate.plain}
    for word in words[count:]:
        if (len(word) == 2 and word.isdigit()) or word in PLATE_TYPES.values():
            answers["plate_type"] = parse_plate_type(word)
        else:
            answers["digits"] = parse_digits(word)
    if "digits" in answers:  # everything said in one line: the usual type will do
        answers.setdefault("plate_type", default_plate_type(plate))
    return answers


async def _types(_: Inquiry, __: Services, answers: Answers) -> Sequence[Choice]:
    """Offer the plate types, the one the plate suggests first."""
    codes = dict.fromkeys((default_plate_type(Plate(answers["plate"])), *COMMON_TYPES))
    return [Choice(code, PLATE_TYPES[code]) for code in codes][:9]


async def _finish_vehicle(ask: Inquiry, use: Services, answers: Answers) -> Outcome:
    vehicle = await use.bindings.bind_vehicle(
        ask.account, ask.openid, answers["plate"], answers["plate_type"], answers["digits"]
    )
    return Reply.of(
        "vehicle_bound.txt",
        plate=vehicle.plate,
        type_name=PLATE_TYPES[vehicle.plate_type],
        options=[Option("订阅违章提醒", "订阅 违章"), Option("查违章", "违章"), MINE],
    )


vehicle_dialog = router.dialog(
    Dialog(
        key="bind.vehicle",
        title="绑定车辆",
        steps=(
            Step(
                name="plate",
                prompt="bind_plate.txt",
                parse=lambda text: parse_plate(text).plain,
            ),
            Step(
                name="plate_type",
                prompt="bind_plate_type.txt",
                choices=_types,
                parse=parse_plate_type,
            ),
            Step(name="digits", prompt="bind_digits.txt", parse=parse_digits),
        ),
        finish=_finish_vehicle,
    )
)


# --- places -------------------------------------------------------------------------------


@router.text("绑定地点", "绑定地址", "绑定小区", takes="家或单位 区 街道")
async def bind_place(ask: Inquiry, use: Services) -> Outcome:
    """Bind a place in one line or step by step."""
    label, text = _label(ask.argument)
    answers: dict[str, str] = {"label": label} if label else {}
    if text:
        if use.catalogue.find_region(text) is None:
            raise InvalidInput("没有找到这个地区，请写区名，例如：绑定地点 家 福田区 园岭街道")
        answers["region"] = text
    return Begin(place_dialog, answers)


def _label(text: str) -> tuple[PlaceLabel | None, str]:
    """Return the label a text begins with and the rest; the longest name first."""
    for name in sorted(LABELS, key=len, reverse=True):
        if text.startswith(name):
            return LABELS[name], text.removeprefix(name).strip()
    return None, text


async def _regions(_: Inquiry, use: Services, __: Answers) -> Sequence[Choice]:
    districts = [r for r in use.catalogue.regions.values() if not r.code.endswith("00")]
    return [Choice(region.code, region.name) for region in districts[:9]]


async def _streets(_: Inquiry, use: Services, answers: Answers) -> Sequence[Choice]:
    names = use.catalogue.streets(RegionCode(answers["region"]))[:8]
    return [*(Choice(name, name) for name in names), Choice(NO_STREET, "不写街道")]


def _street(text: str) -> str:
    """Read a street or compound: in words, never a number somebody is known by, never a link."""
    street = " ".join(text.split())
    if len(street) > STREET_LENGTH:
        raise InvalidInput(f"请只写到街道或小区，不超过 {STREET_LENGTH} 个字。", field="street")
    has_words = re.search(r"[^\W\d_]", street)
    if not has_words or re.search(r"[0-9A-Za-z]{6}|[<>]", street):
        raise InvalidInput(
            "请写街道或小区的名称，例如 园岭街道；不写请选最后一项。", field="street"
        )
    return street


async def _finish_place(ask: Inquiry, use: Services, answers: Answers) -> Outcome:
    """Bind the place, or ask on: for the district if unknown, for the street if not said."""
    found = use.catalogue.find_region(answers["region"])
    if found is None:
        return Begin(place_dialog, {"label": answers["label"], "wrong": "region"})
    region, said = found
    street = answers.get("street", said)
    if "street" not in answers and street:
        street = _street(street)
    if not street:
        return Begin(place_dialog, {"label": answers["label"], "region": region.code})
    label = next(name for name in get_args(PlaceLabel) if name == answers["label"])
    place = await use.bindings.bind_place(
        ask.account, ask.openid, label, region.code, "" if street == NO_STREET else street
    )
    return Reply.of(
        "place_bound.txt",
        label=PLACE_LABELS[label],
        region=region.name,
        street=place.street,
        options=[
            Option("订阅停水通知", f"订阅 停水通知 {region.name}"),
            Option("订阅停电通知", f"订阅 停电通知 {region.name}"),
            Option("查停水停电停气", "停水停电"),
            MINE,
        ],
    )


place_dialog = router.dialog(
    Dialog(
        key="bind.place",
        title="绑定地点",
        steps=(
            Step(
                name="label",
                prompt="bind_place_label.txt",
                choices=tuple(Choice(label, name) for label, name in PLACE_LABELS.items()),
            ),
            Step(name="region", prompt="bind_place_region.txt", choices=_regions, parse=str),
            Step(
                name="street",
                prompt="bind_place_street.txt",
                choices=_streets,
                parse=_street,
                # a place in words is looked up first; only a bare district asks for its street
                skip=lambda answers: not answers["region"].isdigit(),
            ),
        ),
        finish=_finish_place,
    )
)


# --- the real name ------------------------------------------------------------------------


@router.text("实名绑定", "实名认证", "实名", "绑定身份证", "绑定实名")
async def bind_real_name(ask: Inquiry, use: Services) -> Outcome:
    """Show the notice, ask for a separate consent (单独同意), then for name and number."""
    bound = await use.bindings.list_(ask.account, ask.openid)
    if bound.real_name:
        return Reply.of(
            "real_name_exists.txt",
            real_name=bound.real_name,
            options=[Option("解除实名绑定", "解绑 real_name"), MINE],
        )
    notice = load_notice("real_name")
    return Begin(real_name_dialog, {"version": notice.version, "notice": notice.text})


def _declined(answers: Answers) -> bool:
    return answers.get("consent") != AGREE


async def _finish_real_name(ask: Inquiry, use: Services, answers: Answers) -> Outcome:
    if _declined(answers):
        return Reply.of("real_name_declined.txt", options=[Option("查看全部服务", "菜单")])
    real_name = await use.bindings.bind_real_name(
        ask.account, ask.openid, answers["name"], answers["id_number"], answers["version"]
    )
    return Reply.of(
        "real_name_bound.txt",
        real_name=real_name,
        options=[
            Option("查社保", "社保"),
            Option("查医保", "医保"),
            Option("查公积金", "公积金"),
            MINE,
        ],
    )


real_name_dialog = router.dialog(
    Dialog(
        key="bind.real_name",
        title="实名绑定",
        steps=(
            Step(
                name="consent",
                prompt="bind_consent.txt",
                choices=(Choice(AGREE, AGREE), Choice("不同意", "不同意")),
            ),
            Step(
                name="name",
                prompt="bind_name.txt",
                parse=lambda text: parse_name(text).plain,
                skip=_declined,
            ),
            Step(
                name="id_number",
                prompt="bind_id_number.txt",
                parse=lambda text: parse_identity(text).plain,
                skip=_declined,
            ),
        ),
        finish=_finish_real_name,
    )
)


# --- the list -----------------------------------------------------------------------------


def _items(bound: Bindings, use: Services) -> list[tuple[str, str]]:
    """Return (id, masked line) of everything bound."""
    items = [
        (item.id, f"{item.plate} {PLATE_TYPES.get(item.plate_type, '')}") for item in bound.vehicles
    ]
    for place in bound.places:
        region = use.catalogue.regions.get(place.region)
        where = region.name if region else place.region
        items.append((place.id, f"{PLACE_LABELS[place.label]}：{where} {place.street}".strip()))
    if bound.real_name:
        items.append(("real_name", f"实名：{bound.real_name.name} {bound.real_name.id_number}"))
    items += [(item.id, f"{item.value}（单位导入，用于通知）") for item in bound.imported]
    return items


async def _list(ask: Inquiry, use: Services, page: int) -> Reply:
    bound = await use.bindings.list_(ask.account, ask.openid)
    items = _items(bound, use)
    shown = items[(page - 1) * PAGE : page * PAGE]
    ways = [Option(f"解绑 {label}", f"解绑 {binding_id}") for binding_id, label in shown]
    if page * PAGE < len(items):
        ways.append(Option("下一页", f"我的绑定 第{page + 1}页"))
    ways += [Option("绑定车辆", "绑定车辆"), Option("绑定地点", "绑定地点")]
    if not bound.real_name:
        ways.append(Option("实名绑定", "实名绑定"))
    return Reply.of(
        "bindings.txt", items=[label for _, label in shown], total=len(items), options=ways
    )
