"""Previews and test sends described."""

from web.api.described import ONE, SAMPLE_ID, SAMPLE_ORDER, Operation
from web.api.models import BroadcastRequest
from web.api.preview_models import BroadcastPreview, TestAccepted, TestRequest

_ORDER = {
    **SAMPLE_ORDER,
    "at": "2026-12-01T22:30:00+08:00",
}
OPERATIONS = (
    Operation(
        method="post",
        path="/api/v1/broadcasts/preview",
        id="previewBroadcast",
        summary="预览：人数、样例、成文、配额、预计完成时间和不妥之处；不保存也不发送",
        english="Preview: people, sample, fields, quota, expected end and warnings; sends nothing",
        scopes=("broadcasts:write",),
        request=BroadcastRequest,
        example=_ORDER,
        response=BroadcastPreview,
        answer={
            "audience": 12000,
            "sample": ["oAbC…", "oAbD…"],
            "fields": {
                "thing1": "福田区园岭街道",
                "time2": "2026-12-01 09:00",
                "time3": "2026-12-01 18:00",
            },
            "quota": {
                "limit": 100000,
                "used": 0,
                "reserved": 20000,
                "left": 75000,
                "fits": True,
            },
            "starts_at": "2026-12-02T07:00:00+08:00",
            "expected_end": "2026-12-02T07:02:43+08:00",
            "warnings": [
                {
                    "code": "quiet_hours",
                    "message": "免打扰时段或发送时段之外不发送，12-02 07:00 开始。",
                }
            ],
        },
        problems=(400, 401, 403, 413, 422, 429, 503),
    ),
    Operation(
        method="post",
        path=f"{ONE}/test",
        id="testBroadcast",
        summary="测试发送：立即发给设置中的测试人员，一次最多 5 人；每次调用都会发送",
        english="Test send to at most 5 people whom the settings name; every call sends",
        scopes=("broadcasts:write",),
        request=TestRequest,
        example={"openids": ["oAbCd1234567890EfGhIjKlMnOpQ"]},
        status=202,
        response=TestAccepted,
        answer={
            "id": "bc_89abcdef0123456789abcdef",
            "state": "scheduled",
            "test_of": SAMPLE_ID,
        },
        problems=(400, 401, 403, 404, 413, 422, 429),
    ),
)
