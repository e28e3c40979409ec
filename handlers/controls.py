"""Words that work in every state (domain.md 7, 11): 退出、人工、投诉、大字版; and what we cannot
do in a chat, said honestly with hall, hours and hotline."""

import logging
from datetime import date, datetime, time

from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from config.workdays import national_calendar
from domain.clock import in_beijing
from domain.conversation import HandOver, Option, Reply
from domain.workdays import Provisional

router = Router("controls")
log = logging.getLogger(__name__)
OPENS, CLOSES = time(9), time(18)
HUMAN = Option("转人工", "人工")
SERVICES = Option("查看全部服务", "菜单")


@router.always("退出", "结束", "取消")
async def leave(ask: Inquiry, use: Services) -> Reply:
    """Leave whatever was going on; the conversation has ended it already."""
    return Reply.of("goodbye.txt")


@router.menu("ask.human")
@router.always("人工", "转人工", "人工客服", "人工服务", "客服")
async def human(ask: Inquiry, use: Services) -> HandOver | Reply:
    """Hand over to the desk in its hours; outside them name who answers now."""
    if is_desk_open(ask.at):
        return HandOver()
    return Reply.of("human_closed.txt", options=[Option("智能问答", "问答"), SERVICES])


@router.always("投诉", "我要投诉", "举报", "投诉举报")
async def complaint(ask: Inquiry, use: Services) -> Reply:
    """Name the channels for complaints, emergencies first."""
    return Reply.of("complaint.txt", options=[HUMAN, SERVICES])


@router.always("大字版", "长辈版", keeps_dialog=True)
async def large_print(ask: Inquiry, use: Services) -> Reply:
    """Switch 大字版 on or off for this citizen; a running dialog goes on."""
    subscriber = await use.subscriptions.find(ask.account, ask.openid)
    is_on = not (subscriber and subscriber.large_print)
    await use.subscriptions.set_large_print(ask.account, ask.openid, is_on)
    link = f"{use.public_url}/h5/{ask.account}/{'?large=1' if is_on else ''}"
    return Reply.of("large_print.txt", is_on=is_on, link=link)


@router.menu("ask.robot")
@router.text("问答", "智能问答", "提问", "机器人")
async def robot(ask: Inquiry, use: Services) -> Reply:
    """Say what can be asked here by plain words, and what cannot."""
    return Reply.of("robot.txt", services=use.routes_help, options=[SERVICES, HUMAN])


@router.menu("do.appointment")
@router.text("预约", "预约办事", "预约取号", "取号", "办事大厅", "政务大厅")
async def appointment(ask: Inquiry, use: Services) -> Reply:
    """Say where and when things are done in person; booking is not offered in the chat."""
    return Reply.of("appointment.txt", options=[HUMAN, SERVICES])


@router.menu("do.case")
@router.text("办件", "办件进度", "查办件", "办件查询", "办事进度")
async def case(ask: Inquiry, use: Services) -> Reply:
    """Say how to learn a case's progress, and offer to be told of changes."""
    return Reply.of("case.txt", options=[Option("订阅办件进度", "订阅 办件进度"), HUMAN, SERVICES])


def is_desk_open(moment: datetime) -> bool:
    """Whether the desk answers: 9:00–18:00 on Chinese working days (工作日)."""
    local = in_beijing(moment)
    return OPENS <= local.time() < CLOSES and _is_working_day(local.date())


def _is_working_day(day: date) -> bool:
    calendar = national_calendar()
    if not calendar.covers(day.year):  # next year's holidays are not published yet
        log.warning("calendar.missing", extra={"year": day.year})
    return Provisional(calendar).is_workday(day)
