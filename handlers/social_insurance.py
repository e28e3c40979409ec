"""社保查询: what the social-insurance agency has on the person who asks (L3, domain.md 2.1)."""

import logging
import re
from collections.abc import Mapping

from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from domain.conversation import Option, Reply
from domain.errors import InvalidInput
from domain.masking import mask_openid
from domain.records import INSURANCE_KINDS, YEARLY_KINDS, Insurance, SocialInsurance

router = Router("social_insurance", title="社保查询", example="社保")
log = logging.getLogger(__name__)

# what people call a kind, whichever of its codes they have
ALIASES: Mapping[str, tuple[str, ...]] = {
    "养老": ("110", "120", "170"),
    "医疗": ("310", "390"),
    "医保": ("310", "390"),
    "失业": ("210",),
    "工伤": ("410",),
    "生育": ("510",),
}
_DETAILS = r"(?:社保明细|社保缴费明细|社保缴费记录)"
_KIND = r"(?:[ :,、].{1,12}|(?:养老|医疗|失业|工伤|生育)(?:保险)?)?"  # not 社保明细怎么打印
MONTHS_SHOWN = 12


@router.menu("query.social")
@router.text("社保", "查社保", "社保查询", "查询社保", "我的社保", "社会保险", "五险")
@router.text("养老保险", "查养老保险", "养老保险查询", "失业保险", "工伤保险", "生育保险")
async def overview(ask: Inquiry, use: Services) -> Reply:
    """Show every kind with its state, its months and its balance."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    paying = [line for line in record.insurances if line.state in ("active", "suspended")]
    options = [
        Option(
            f"{line.title}{'' if line.kind in YEARLY_KINDS else f'最近{MONTHS_SHOWN}个月'}明细",
            f"社保明细 {line.title}",
        )
        for line in paying
    ][:6]
    if any(line.kind not in YEARLY_KINDS for line in paying):
        options.append(Option("断缴月份", "社保断缴"))
    if any(line.balance is not None for line in record.insurances):
        options.append(Option("个人账户余额", "社保余额"))
    return Reply.of("social_insurance.txt", record=record, options=options)


@router.pattern(_DETAILS + _KIND)
async def months(ask: Inquiry, use: Services) -> Reply:
    """Show the last twelve months of one kind, gaps and corrections included."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    wanted = re.sub(_DETAILS, "", ask.argument).strip(" :,、")
    line = _line(record, wanted)
    return Reply.of(
        "social_insurance_months.txt",
        record=record,
        line=line,
        is_yearly=line.kind in YEARLY_KINDS,
        payments=[c for c in record.contributions if c.kind == line.kind][:6],
        months=record.months(line.kind, ask.today, MONTHS_SHOWN),
        gaps=record.gaps(line.kind, ask.today, MONTHS_SHOWN),
        options=[Option("返回社保总览", "社保")],
    )


@router.text("社保断缴", "断缴", "断缴月份", "查断缴", "社保断缴月份", "社保有没有断缴")
async def gaps(ask: Inquiry, use: Services) -> Reply:
    """Name the months of the last twelve without contribution, kind by kind."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    found = [(line, record.gaps(line.kind, ask.today, MONTHS_SHOWN)) for line in record.insurances]
    return Reply.of(
        "social_insurance_gaps.txt",
        record=record,
        gaps=[(line, missing) for line, missing in found if missing],
        is_monthly=any(line.kind not in YEARLY_KINDS for line in record.insurances),
        count=MONTHS_SHOWN,
        options=[Option("返回社保总览", "社保")],
    )


@router.text("社保余额", "养老账户余额", "养老保险余额", "社保个人账户", "社保账户余额")
async def balance(ask: Inquiry, use: Services) -> Reply:
    """Show what lies in the personal accounts of the pension."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    return Reply.of(
        "social_insurance_balance.txt",
        record=record,
        lines=[line for line in record.insurances if line.balance is not None],
        options=[Option("返回社保总览", "社保")],
    )


async def _record(ask: Inquiry, use: Services) -> SocialInsurance | Reply:
    """Return the citizen's record, or the reply that says why there is none to show."""
    person = (await use.bindings.list_(ask.account, ask.openid)).real_name
    if person is None:
        return Reply.of(
            "needs_real_name.txt",
            title=router.title,
            word="社保",
            options=[Option("实名绑定", "实名绑定")],
        )
    record = await use.departments.social.record(person.id_number, person.name)
    log.info("record.viewed", extra={"record": "social", "openid": mask_openid(ask.openid)})
    if record is None:
        return Reply.of("social_insurance_none.txt", name=person.name)
    return record


def _line(record: SocialInsurance, wanted: str) -> Insurance:
    """Return the person's line that a word means: 养老, 职工养老保险, 110; by default the first."""
    if not record.insurances:
        raise InvalidInput("没有查到您的参保险种，如有疑问请拨打 12333。")
    if not wanted:
        return record.insurances[0]
    for line in record.insurances:
        if wanted in (line.title, line.kind):
            return line
    if wanted not in INSURANCE_KINDS.values():  # 居民养老保险 is not met by another 养老
        codes = next((codes for word, codes in ALIASES.items() if word in wanted), ())
        for line in record.insurances:
            if line.kind in codes:
                return line
    titles = "、".join(line.title for line in record.insurances)
    raise InvalidInput(f"您没有这个险种。您参加的有：{titles}。例如回复：社保明细 养老")
