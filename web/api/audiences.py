"""`/api/v1/audiences/preview`: how many a rule means, who for example, and how that was found."""

from collections.abc import Collection
from typing import ClassVar

from pydantic import BaseModel, Field
from tornado.web import url

from domain.access import Scope
from domain.masking import mask_openid
from push.orders import OrderRefused, check_audience
from web.api.base import KeyPage
from web.api.costly import PREVIEWS
from web.api.described import SAMPLE_ID, Operation
from web.api.models import Account, AudienceModel
from web.api.strict import Strict

WRITE: Scope = "broadcasts:write"
SAMPLE = 10


class AudiencePreviewRequest(Strict):
    """试算发送对象 / what an audience would be just now."""

    account: Account
    audience: AudienceModel


class AudiencePreview(BaseModel):
    """此刻的人数与样例 / the people meant just now, and some of them."""

    count: int = Field(description="人数 / people meant")
    sample: list[str] = Field(description="几个例子，已脱敏 / some of them, masked")
    index: str = Field(description="用到的索引 / indexes used")
    examined: int = Field(description="查看的索引项与文档数 / index entries and documents read")
    milliseconds: int = Field(description="耗时 / time taken")


class AudiencePreviewApi(KeyPage):
    """Count, sample and explain an audience before anything is sent 试算."""

    scopes: ClassVar[Collection[Scope]] = (WRITE,)

    async def post(self) -> None:
        request = self.read(AudiencePreviewRequest)
        self.require_account(request.account)
        account, audiences = self.key.account, self.ctx.audiences
        audience = audiences.sealed(request.audience.audience())
        faults = check_audience(audience, self.ctx.catalogue)
        if faults:
            raise OrderRefused(tuple(faults))
        await self.ctx.broadcasts.check_earlier(account, audience)
        with PREVIEWS.one_of(account):
            found = await audiences.explain(account, audience)
            sample = await audiences.sample(account, audience, SAMPLE) if found.count else []
        answer = AudiencePreview(
            count=found.count,
            sample=[mask_openid(openid) for openid in sample],
            index=" + ".join(found.indexes),
            examined=found.keys + found.documents,
            milliseconds=found.milliseconds,
        )
        self.answer(answer.model_dump(mode="json"))


PREVIEW = Operation(
    method="post",
    path="/api/v1/audiences/preview",
    id="previewAudience",
    summary="试算发送对象：此刻的人数、几个例子、用到的索引；不发送任何内容",
    english="Count an audience just now, with some of it and the index used; nothing is sent",
    scopes=(WRITE,),
    request=AudiencePreviewRequest,
    example={
        "account": "city",
        "audience": {
            "rule": {
                "and": [
                    {"topic": "outage.water", "region": "440305"},
                    {"or": [{"tag": "elder"}, {"active": {"since": "2026-10-01"}}]},
                    {"not": {"got": SAMPLE_ID}},
                ]
            }
        },
    },
    response=AudiencePreview,
    answer={
        "count": 41873,
        "sample": ["oA7x…", "oB2k…"],
        "index": "faces",
        "examined": 1000000,
        "milliseconds": 612,
    },
    problems=(400, 401, 403, 413, 422, 429, 503),
)
routes = [url(r"/api/v1/audiences/preview", AudiencePreviewApi)]
