"""The operations on broadcasts described: edit, lists, resend, dead list and replay."""

from web.api.described import EITHER, ONE, SAMPLE_ID, Operation
from web.api.models import BroadcastAccepted, BroadcastRequest
from web.api.operation_models import (
    BroadcastEdited,
    BroadcastList,
    BroadcastsQuery,
    DeadList,
    RecipientList,
    RecipientsQuery,
    Replayed,
    ReplayRequest,
)

_EXAMPLE = {
    "account": "city",
    "title": "纳税申报期限提醒",
    "topic": "tax.calendar",
    "audience": {"topics": ["tax.calendar"]},
    "template": "reminder_notice",
    "data": {"matter": "按月申报纳税", "due": "2026-12-15", "note": "可在电子税务局办理"},
    "cron": "@tax D-5,D-2,D-0 09:00",
    "window": "09:00-18:00",
    "late_by_minutes": 120,
}
_ITEM = {
    "id": SAMPLE_ID,
    "title": "纳税申报期限提醒",
    "topic": "tax.calendar",
    "state": "scheduled",
    "revision": 1,
    "at": None,
    "cron": "@tax D-5,D-2,D-0 09:00",
    "next_at": "2026-12-10T09:00:00+08:00",
    "parent": None,
    "resend_of": None,
    "created_at": "2026-11-24T10:00:00+08:00",
    "started_at": None,
    "finished_at": None,
    "author": "key:0123456789ab:税务局",
    "reason": "",
}

OPERATIONS = (
    Operation(
        method="get",
        path="/api/v1/broadcasts",
        id="listBroadcasts",
        summary="列出群发任务，新的在前",
        english="List broadcasts, the newest first",
        scopes=EITHER,
        query=BroadcastsQuery,
        response=BroadcastList,
        answer={"broadcasts": [_ITEM], "next": None},
        problems=(401, 403, 422, 429),
    ),
    Operation(
        method="put",
        path=ONE,
        id="editBroadcast",
        summary="修改尚未审核通过的任务：版次加一，重新审核，此前的审核作废",
        english="Edit before approval: a new revision, in review again; older approvals are void",
        scopes=("broadcasts:write",),
        request=BroadcastRequest,
        example=_EXAMPLE,
        response=BroadcastEdited,
        answer={"id": SAMPLE_ID, "state": "in_review", "revision": 2},
        problems=(400, 401, 403, 404, 409, 413, 422, 429),
    ),
    Operation(
        method="get",
        path=f"{ONE}/recipients",
        id="listRecipients",
        summary="逐人列出结果；没有 broadcasts:publish 权限时 openid 只显示前四位",
        english="What became of each person; openids are cut without broadcasts:publish",
        scopes=EITHER,
        query=RecipientsQuery,
        response=RecipientList,
        answer={
            "recipients": [
                {
                    "openid": "oABC…",
                    "state": "failed",
                    "at": "2026-12-01T08:00:03.120000+08:00",
                    "errcode": 43004,
                    "reason": "require subscribe",
                    "channel": "template",
                }
            ],
            "next": None,
        },
        problems=(401, 403, 404, 422, 429),
    ),
    Operation(
        method="post",
        path=f"{ONE}/resend",
        id="resendBroadcast",
        summary="重发给发送失败的人，不含 unknown 和 skipped；只有一次，再次请求得到同一个",
        english="Send again to those it failed for, not to unknown or skipped; only once: asking "
        "again answers the same",
        scopes=("broadcasts:publish",),
        status=201,
        response=BroadcastAccepted,
        answer={"id": "bc_76543210fedcba9876543210", "state": "scheduled"},
        problems=(401, 403, 404, 409, 429),
    ),
    Operation(
        method="get",
        path=f"{ONE}/dead",
        id="listDeadBatches",
        summary="列出死信批次：反复使发送进程中断而搁置的批次",
        english="List batches that were set aside because they kept killing their worker",
        scopes=EITHER,
        response=DeadList,
        answer={
            "batches": [
                {
                    "id": f"{SAMPLE_ID}:12",
                    "people": 500,
                    "concluded": 350,
                    "attempts": 5,
                    "died_at": "2026-12-01T08:01:10+08:00",
                }
            ]
        },
        problems=(401, 403, 404, 429),
    ),
    Operation(
        method="post",
        path=f"{ONE}/replay",
        id="replayBroadcast",
        summary="重放死信批次；已有结果的人不会再收到",
        english="Give dead batches another chance; nobody is sent to twice",
        scopes=("broadcasts:publish",),
        request=ReplayRequest,
        example={"batch": None},
        response=Replayed,
        answer={"batches": 1, "state": "sending"},
        problems=(400, 401, 403, 404, 409, 413, 422, 429),
    ),
)
