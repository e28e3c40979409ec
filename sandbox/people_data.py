"""Synthetic people for the departments' stand-ins: the same number always gives the same answer.

Only numbers of region 990101, which is no place, and the sample printed in the standard are
known, so nobody's real number can ever be hit (domain.md 1.1). The last digit of the sequence
code tells the story: …001x steady, …002x gaps, …003x corrections, …004x resident, …005x nothing
on record; who was born before 1964 is retired.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Literal

Story = Literal["steady", "gaps", "corrections", "resident", "retired", "nothing"]
STORIES: tuple[Story, ...] = ("nothing", "steady", "gaps", "corrections", "resident")
STANDARD_SAMPLE = "11010519491231002X"
SAMPLES: tuple[tuple[str, str, str], ...] = (  # number, name, what it shows
    ("990101199001010019", "张伟", "在职：险种齐全，公积金有贷款"),
    ("990101198805120024", "王芳", "有断缴月份、同月两家单位，公积金已封存"),
    ("990101199511200031", "李强", "有补缴、退费，养老关系转移中"),
    ("990101200108080047", "赵敏", "城乡居民：没有医保个人账户，没有公积金"),
    ("990101200303150055", "陈晨", "没有任何记录"),
    (STANDARD_SAMPLE, "刘桂英", "已退休：领取养老金，公积金已提取销户"),
)
KINDS = ("110", "210", "310", "410", "510")
# kind → person's and employer's share in thousandths of the base
RATES = {"110": (80, 160), "210": (5, 5), "310": (20, 60), "410": (0, 2), "510": (0, 5)}
UNIT = "深圳市微政样例科技有限公司"
OTHER_UNIT = "深圳市样例贸易有限公司"

Json = dict[str, Any]


def story_of(number: str) -> Story | None:
    """Return the person's story, or None for a number that is nobody's here."""
    if number != STANDARD_SAMPLE and not number.startswith("990101"):
        return None
    if int(number[6:10]) < 1964:
        return "retired"
    return STORIES[int(number[16]) % len(STORIES)]


def social_record(number: str, name: str, today: date) -> Json | None:
    """Return the social-insurance agency's data about one person."""
    story = story_of(number)
    if story in (None, "nothing"):
        return None
    chance = _chance(number, "social")
    base = chance.randrange(60, 200) * 10_000  # fen
    record: Json = {"AAC002": number, "AAC003": name, "lines": [], "payments": []}
    if story == "retired":
        record["lines"] = [_line("110", "3", months=420, first="198103")]
        record["benefit"] = {
            "since": "200501",
            "monthly": yuan(412_350),
            "certified_until": str(today.replace(day=1) + timedelta(days=75)),
        }
    elif story == "resident":
        record["lines"] = [
            _line("170", "1", months=48, first="202201", balance=1_236_040, year=today.year - 1),
            _line("390", "1", months=60, first="202101"),
        ]
        record["payments"] = [
            _payment("170", f"{today.year}03", 0, paid=(120_000, 36_000), unit=""),
            _payment("390", f"{today.year - 1}10", 0, paid=(40_000, 67_000), unit=""),
        ]
    else:
        record["lines"] = [_employee_line(kind, base, today) for kind in KINDS]
        for kind in KINDS:
            record["payments"] += _employee_payments(story, kind, base, today)
        if story == "corrections":
            record["transfer_with"] = "东莞市"
    return record


def _employee_line(kind: str, base: int, today: date) -> Json:
    extra: Json = {}
    if kind == "110":
        extra = {"account_balance": yuan(base * 8 * 66 // 100), "balance_year": today.year - 1}
    line = _line(kind, "1", months=75, first=_month(today, 75), base=base, unit=UNIT)
    return line | extra


def _employee_payments(story: Story | None, kind: str, base: int, today: date) -> Iterator[Json]:
    person, unit = RATES[kind]
    paid = (base * person // 1000, base * unit // 1000)
    for back in range(1, 25):
        period = _month(today, back)
        if story == "gaps" and back in (4, 5):
            continue  # between two jobs
        first = OTHER_UNIT if story == "gaps" and back > 5 else UNIT
        # the tax authority collects: last month's money is still under way
        yield _payment(kind, period, base, paid=paid, unit=first, arrived=back > 1)
        if story == "gaps" and back == 6:  # both employers paid for the month of the change
            yield _payment(kind, period, base, paid=paid, unit=UNIT)
        if story == "corrections" and back == 3:  # paid twice, and one payment given back
            yield _payment(kind, period, base, paid=paid, unit=UNIT)
            back_paid = (-paid[0], -paid[1])
            yield _payment(kind, period, base, paid=back_paid, unit=UNIT, kind_of_pay="退费")
    if story == "corrections":  # the period is years before the month it was booked in
        late = _payment(kind, _month(today, 31), base, paid=paid, unit=UNIT, kind_of_pay="补缴")
        yield late | {"AAE002": _month(today, 2), "AAE056": yuan(sum(paid) // 20)}


def medical_record(number: str, name: str, today: date) -> Json | None:
    """Return the medical-insurance bureau's data about one person."""
    story = story_of(number)
    if story in (None, "nothing"):
        return None
    chance = _chance(number, "medical")
    record: Json = {
        "certno": number,
        "psn_name": name,
        "insutype": "390" if story == "resident" else "310",
        "psn_insu_stas": "2" if story == "gaps" else "1",
        "psn_type": {"resident": "居民", "retired": "退休"}.get(str(story), "在职"),
        "insuplc_admdvs": "440300",
        "area_name": "深圳市",
        "emp_name": "" if story in ("resident", "retired") else UNIT,
        "cvlserv_flag": False,
        "deductible": yuan(60_000),
        "deductible_used": yuan(chance.randrange(0, 600) * 100),
        "ceiling": yuan(80_000_000),
        "ceiling_used": yuan(chance.randrange(0, 300_000) * 10),
    }
    if story == "resident":  # no personal account at all, which is not an empty one
        record["account"] = None
        record["flow"] = [_visit(today, 12, "市民中心社区健康服务中心", "门诊", 8_600, 6_020, 0)]
        return record
    history, credit = chance.randrange(200, 9_000) * 100, 24_350
    record["account"] = {"balc_hist": yuan(history), "balc_year": yuan(credit * 5)}
    record["flow"] = [
        _visit(today, 3, "市第二人民医院", "门诊", 23_850, 16_695, 7_155, history + credit * 5),
        _visit(today, 20, "福田大药房景田店", "药店", 6_480, 0, 6_480),
        _visit(today, 34, "个人账户", "划入", credit, 0, 0),
        _visit(today, 61, "市人民医院", "住院", 862_300, 689_840, 86_230),
    ]
    if story == "retired":
        record["chronic"] = ["高血压", "糖尿病"]
        record["out_of_area"] = {
            "type": "长期异地居住",
            "city": "长沙市",
            "valid_from": f"{today.year}-01-01",
        }
    return record


def fund_record(number: str, name: str, today: date) -> Json | None:
    """Return the housing-fund centre's data about one person; residents have no account."""
    story = story_of(number)
    if story in (None, "nothing", "resident"):
        return None
    chance = _chance(number, "fund")
    base = chance.randrange(60, 200) * 10_000
    monthly, balance = base // 10, chance.randrange(30_000, 180_000) * 100
    status = {"gaps": "02", "retired": "05"}.get(str(story), "01")
    last = {"gaps": 4, "retired": 200}.get(str(story), 1)
    record: Json = {
        "zjhm": number,
        "xingming": name,
        "grzh": f"2003{number[6:14]}{number[14:17]}",
        "dwmc": UNIT,
        "grzhzt": status,
        "grzhye": yuan(0 if status == "05" else balance),
        "khrq": "2019-07-15" if status != "05" else "1996-03-01",
        "grjcjs": yuan(base),
        "dwjcbl": "5",
        "grjcbl": "5",
        "yjce": yuan(monthly),
        "jzny": _month(today, last),
        "djbz": "0",
        "flow": [],
    }
    if status != "05":
        record["flow"] = _fund_flow(today, last, monthly, balance, has_loan=story == "steady")
    if story == "steady":
        record["loan"] = {
            "contract": f"GJD{number[6:14]}0088",
            "principal": yuan(60_000_000),
            "remaining": yuan(48_235_017),
            "rate": "2.6",
            "months": 360,
            "monthly": yuan(240_207),
            "next_due": str(_next_20th(today)),
            "overdue_periods": 0,
            "paid_by_withdrawal": True,
        }
    return record


def _fund_flow(today: date, last: int, monthly: int, balance: int, *, has_loan: bool) -> list[Json]:
    """Return the last bookings, newest first, with balances that add up."""
    flow = []
    for back in range(last, last + 6):
        day = min(today, _first_of_month(today, back - 1) + timedelta(days=4))
        flow.append(_booking(day, "汇缴", monthly, balance))
        balance -= monthly
        if has_loan and back == last + 1:
            flow.append(_booking(day - timedelta(days=2), "还贷", -240_207, balance))
            balance += 240_207
    return flow


def _booking(day: date, kind: str, amount: int, after: int) -> Json:
    return {"date": str(day), "type": kind, "amount": yuan(amount), "balance_after": yuan(after)}


def _line(
    kind: str,
    status: str,
    *,
    months: int,
    first: str,
    base: int | None = None,
    unit: str = "",
    balance: int | None = None,
    year: int | None = None,
) -> Json:
    line: Json = {
        "AAE140": kind,
        "AAC008": status,
        "AAB004": unit,
        "AAC049": first,
        "months_total": months,
    }
    if base is not None:
        line["AAE180"] = yuan(base)
    if balance is not None:
        line |= {"account_balance": yuan(balance), "balance_year": year}
    return line


def _payment(
    kind: str,
    period: str,
    base: int,
    *,
    paid: tuple[int, int],
    unit: str,
    arrived: bool = True,
    kind_of_pay: str = "正常缴费",
) -> Json:
    return {
        "AAE140": kind,
        "AAE003": period,
        "AAE002": period,
        "AAA115": kind_of_pay,
        "AAE180": yuan(base),
        "AAE082": yuan(paid[0]),
        "AAE020": yuan(paid[1]),
        "AAE056": "0.00",
        "AAB165": "已到账" if arrived else "未到账",
        "AAB004": unit,
    }


def _visit(
    today: date,
    days_ago: int,
    institution: str,
    kind: str,
    total: int,
    fund: int,
    account: int,
    after: int | None = None,
) -> Json:
    return {
        "date": str(today - timedelta(days=days_ago)),
        "institution": institution,
        "type": kind,
        "total": yuan(total),
        "fund_paid": yuan(fund),
        "account_paid": yuan(account),
        "cash_paid": yuan(0 if kind == "划入" else total - fund - account),
        "balance_after": None if after is None else yuan(after),
    }


def yuan(fen: int) -> str:
    """Write fen as departments write money: text with two decimals."""
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


def _chance(number: str, department: str) -> random.Random:
    return random.Random(f"{department}:{number}")


def _first_of_month(today: date, back: int) -> date:
    year, month = divmod(today.year * 12 + today.month - 1 - back, 12)
    return date(year, month + 1, 1)


def _month(today: date, back: int) -> str:
    return f"{_first_of_month(today, back):%Y%m}"


def _next_20th(today: date) -> date:
    this = today.replace(day=20)
    return this if this >= today else _first_of_month(today, -1).replace(day=20)
