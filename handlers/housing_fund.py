"""公积金查询: what the housing-fund centre has on the person who asks (L3, domain.md 2.3)."""

import logging

from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from domain.conversation import Option, Reply
from domain.masking import mask_openid
from domain.records import HousingFund

router = Router("housing_fund", title="公积金查询", example="公积金")
log = logging.getLogger(__name__)
LINES_SHOWN = 10


@router.menu("query.fund")
@router.text("公积金", "查公积金", "公积金查询", "查询公积金", "我的公积金", "住房公积金")
@router.text("公积金余额", "公积金余额查询", "公积金账户")
async def overview(ask: Inquiry, use: Services) -> Reply:
    """Show the account's state, balance and monthly deposit."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    options = [Option("最近流水", "公积金流水")] if record.flow else []
    if record.loan:
        options.append(Option("贷款情况", "公积金贷款查询"))
    return Reply.of("housing_fund.txt", record=record, options=options)


@router.text("公积金流水", "公积金明细", "公积金缴存记录", "公积金记录")
async def flow(ask: Inquiry, use: Services) -> Reply:
    """Show the latest bookings."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    return Reply.of(
        "housing_fund_flow.txt",
        record=record,
        flow=record.flow[:LINES_SHOWN],
        options=[Option("返回公积金总览", "公积金")],
    )


@router.text("公积金贷款查询", "我的公积金贷款", "公积金贷款余额", "查公积金贷款")
async def loan(ask: Inquiry, use: Services) -> Reply:
    """Show the loan: what is left, the next instalment, what is overdue."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    return Reply.of(
        "housing_fund_loan.txt",
        record=record,
        options=[Option("返回公积金总览", "公积金")],
    )


async def _record(ask: Inquiry, use: Services) -> HousingFund | Reply:
    """Return the citizen's account, or the reply that says why there is none to show."""
    person = (await use.bindings.list_(ask.account, ask.openid)).real_name
    if person is None:
        return Reply.of(
            "needs_real_name.txt",
            title=router.title,
            word="公积金",
            options=[Option("实名绑定", "实名绑定")],
        )
    record = await use.departments.fund.record(person.id_number, person.name)
    log.info("record.viewed", extra={"record": "fund", "openid": mask_openid(ask.openid)})
    if record is None:
        return Reply.of("housing_fund_none.txt", name=person.name)
    return record
