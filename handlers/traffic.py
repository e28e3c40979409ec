"""违章查询: a vehicle's violations (L2, domain.md 2.4): without photos, points only possible.

Three ways in: a bound vehicle at once; everything in one line; else a short dialog.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.dialog import Answers, Begin, Choice, Dialog, Outcome, Step
from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from domain.conversation import Option, Reply
from domain.errors import InvalidInput
from domain.identifiers import (
    PLATE_TYPES,
    default_plate_type,
    parse_digits,
    parse_plate,
    parse_plate_type,
)
from domain.masking import Plate
from domain.people import Vehicle
from domain.violation import Violations

router = Router("traffic", title="违章查询", example="违章 粤B12345 1234")

PAGE = 4  # records that fit into one message
COMMON_TYPES = ("02", "52", "01", "51", "07", "08", "15", "16", "23")
_WORDS = r"(?:查违章|违章查询|交通违法查询|违章|交通违法|查交通违法)"
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = rf"[{_PROVINCES}使] ?[A-Za-z0-9]"
# only what is a plate for certain: a mistyped one belongs to the question it answers
_PLATE_ALONE = rf"[{_PROVINCES}] ?[A-HJ-NP-Za-hj-np-z][· -]?[DFdf]?\d{{5}}"
_PAGE = re.compile(r"第(\d{1,2})页")


@dataclass(frozen=True, slots=True)
class _Question:
    """A vehicle, completely; the digits prove that the citizen holds the licence."""

    plate: Plate
    plate_type: str
    digits: str = field(repr=False)
    says: str = field(repr=False)  # what asks the same again
    is_bound: bool = False


@router.menu("query.traffic")
@router.text("违章", "查违章", "违章查询", "交通违法", "交通违法查询", "查交通违法", "违法查询")
async def mine(ask: Inquiry, use: Services) -> Outcome:
    """Answer for the bound vehicle, offer a choice of several, or start the dialog."""
    vehicles = (await use.bindings.list_(ask.account, ask.openid)).vehicles
    if not vehicles:
        return Begin(dialog)
    if len(vehicles) == 1:
        return await _show(ask, use, _bound(vehicles[0]))
    options = [
        Option(f"{vehicle.plate} {PLATE_TYPES.get(vehicle.plate_type, '')}", _bound(vehicle).says)
        for vehicle in vehicles[:8]
    ]
    return Reply.of("traffic_vehicles.txt", options=[*options, OTHER])


@router.text("查其他车辆", "违章 其他车辆")
async def other(_: Inquiry, __: Services) -> Outcome:
    """Ask for a vehicle that is not bound."""
    return Begin(dialog)


@router.pattern(_WORDS + r" 车辆 (\S{1,40})(?: 第\d{1,2}页)?")
async def bound_vehicle(ask: Inquiry, use: Services) -> Outcome:
    """Answer for one bound vehicle: `违章 车辆 <id>`, as offered above."""
    wanted = ask.argument.split()[2]
    vehicles = (await use.bindings.list_(ask.account, ask.openid)).vehicles
    for vehicle in vehicles:
        if vehicle.id == wanted:
            return await _show(ask, use, _bound(vehicle), page=_page(ask.argument))
    raise InvalidInput("这辆车已经解除绑定。回复 违章 重新查询。")


@router.pattern(_WORDS + r"[ :,]?" + _PLATE + r".{3,40}")
@router.pattern(_WORDS + r"[ :,]?[A-Za-z][·-]?[A-Za-z0-9]{5,6}(?: .{2,20})?")  # says: no province
@router.pattern(_PLATE + r"[A-Za-z0-9·-]{4,7}[学警挂港澳]?(?: \d\d)? [A-Za-z0-9]{4,6}")
@router.pattern(_PLATE_ALONE)
async def in_one_line(ask: Inquiry, use: Services) -> Outcome:
    """Answer `违章 粤B12345 02 1234`; what is missing is asked for."""
    answers = parse_line(ask.argument)
    if "digits" not in answers:
        return Begin(dialog, answers)
    return await _show(ask, use, _asked(answers), page=_page(ask.argument))


def parse_line(text: str) -> dict[str, str]:
    """Read plate, plate type and digits from one line; the plate may have spaces inside."""
    words = re.sub(rf"^{_WORDS}[ :,]?", "", _PAGE.sub("", text)).replace(",", " ").split()
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
    if "digits" in answers:
        answers.setdefault("plate_type", default_plate_type(plate))
    return answers


async def _types(_: Inquiry, __: Services, answers: Answers) -> Sequence[Choice]:
    """Offer the plate types, the one the plate suggests first."""
    likely = default_plate_type(Plate(answers["plate"]))
    codes = dict.fromkeys((likely, *COMMON_TYPES))
    return [Choice(code, PLATE_TYPES[code]) for code in codes][:9]


async def _finish(ask: Inquiry, use: Services, answers: Answers) -> Outcome:
    """Answer, or ask again for what does not belong to this plate."""
    try:
        return await _show(ask, use, _asked(answers))
    except InvalidInput as error:
        return Begin(dialog, {"plate": answers["plate"], "wrong": error.say})


dialog = router.dialog(
    Dialog(
        key="traffic",
        title="违章查询",
        steps=(
            Step(
                name="plate",
                prompt="traffic_ask_plate.txt",
                parse=lambda text: parse_plate(text).plain,
            ),
            Step(
                name="plate_type",
                prompt="traffic_ask_type.txt",
                choices=_types,
                parse=parse_plate_type,
            ),
            Step(name="digits", prompt="traffic_ask_digits.txt", parse=parse_digits),
        ),
        finish=_finish,
    )
)

OTHER = Option("查其他车辆", "查其他车辆")


def _bound(vehicle: Vehicle) -> _Question:
    says = f"违章 车辆 {vehicle.id}"
    return _Question(vehicle.plate, vehicle.plate_type, vehicle.digits, says, is_bound=True)


def _asked(answers: Answers) -> _Question:
    says = f"违章 {answers['plate']} {answers['plate_type']} {answers['digits']}"
    return _Question(Plate(answers["plate"]), answers["plate_type"], answers["digits"], says)


def _page(text: str) -> int:
    found = _PAGE.search(text)
    return max(1, int(found.group(1))) if found else 1


async def _show(ask: Inquiry, use: Services, question: _Question, *, page: int = 1) -> Reply:
    found = await use.departments.traffic.violations(
        question.plate, question.plate_type, question.digits
    )
    # what wants something done comes first
    records = sorted(found.records, key=lambda record: not record.is_open)
    page = min(page, max(1, -(-len(records) // PAGE)))
    shown = records[(page - 1) * PAGE : page * PAGE]
    return Reply.of(
        "traffic.txt",
        found=found,
        plate_type=PLATE_TYPES.get(question.plate_type, question.plate_type),
        today=ask.today,
        records=shown,
        first=(page - 1) * PAGE + 1,
        options=_options(found, question, has_more=len(records) > page * PAGE, page=page),
    )


def _options(
    found: Violations, question: _Question, *, has_more: bool, page: int
) -> Sequence[Option]:
    options = []
    if has_more:
        options.append(Option("下一页", f"{question.says} 第{page + 1}页"))
    if question.is_bound:
        options.append(Option("订阅违章提醒", "订阅 违章"))
    else:
        told = f"{found.plate.plain} {found.plate_type} {question.digits}"
        options.append(Option("绑定这辆车，下次直接查", f"绑定车辆 {told}"))
    return [*options, OTHER]
