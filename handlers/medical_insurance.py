"""医保查询: what the medical-insurance bureau has on the person who asks (L3, domain.md 2.2).

Medical data is sensitive: it is shown here, to its owner, and in no push.
"""

import logging

from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from domain.conversation import Option, Reply
from domain.masking import mask_openid
from domain.records import MedicalInsurance

router = Router("medical_insurance", title="医保查询", example="医保")
log = logging.getLogger(__name__)
LINES_SHOWN = 8


@router.menu("query.medical")
@router.text("医保", "查医保", "医保查询", "查询医保", "我的医保", "医疗保险", "医保余额")
@router.text("医保余额查询", "医保账户", "医保卡余额", "查医保余额")
async def overview(ask: Inquiry, use: Services) -> Reply:
    """Show the kind, the state, the personal account if there is one, and the limits."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    options = [Option("最近就医和账户流水", "医保流水")] if record.flow else []
    return Reply.of("medical_insurance.txt", record=record, options=options)


@router.text("医保流水", "医保明细", "医保记录", "医保消费记录", "医保账户流水")
async def flow(ask: Inquiry, use: Services) -> Reply:
    """Show the latest visits, purchases and credits."""
    record = await _record(ask, use)
    if isinstance(record, Reply):
        return record
    return Reply.of(
        "medical_insurance_flow.txt",
        record=record,
        flow=record.flow[:LINES_SHOWN],
        options=[Option("返回医保总览", "医保")],
    )


async def _record(ask: Inquiry, use: Services) -> MedicalInsurance | Reply:
    """Return the citizen's insurance, or the reply that says why there is none to show."""
    person = (await use.bindings.list_(ask.account, ask.openid)).real_name
    if person is None:
        return Reply.of(
            "needs_real_name.txt",
            title=router.title,
            word="医保",
            options=[Option("实名绑定", "实名绑定")],
        )
    record = await use.departments.medical.record(person.id_number, person.name)
    log.info("record.viewed", extra={"record": "medical", "openid": mask_openid(ask.openid)})
    if record is None:
        return Reply.of("medical_insurance_none.txt", name=person.name)
    return record
