"""What previews and test sends take and give."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from domain.broadcast import BroadcastState
from domain.clock import in_beijing
from domain.ids import OpenId
from push.preview import Preview
from web.api.strict import Strict


class QuotaModel(BaseModel):
    """开始发送那一天的配额；limit、left 为 null 表示没有已知的配额 / the day's quota, if known."""

    limit: int | None = Field(description="当天配额 / the day's quota")
    used: int = Field(description="已用 / used")
    reserved: int = Field(description="已被其他群发任务预留 / reserved by other broadcasts")
    left: int | None = Field(description="这个任务还可使用 / what this broadcast may still use")
    fits: bool = Field(description="够用 / enough for everybody")


class WarningModel(BaseModel):
    """不妥之处 / something unwise."""

    code: str = Field(description="不变的代码 / stable code")
    message: str


class BroadcastPreview(BaseModel):
    """预览；什么也没有保存或发送 / a preview: nothing was kept or sent."""

    audience: int = Field(description="发送对象人数 / people meant at this moment")
    sample: list[str] = Field(description="其中几人，已脱敏 / some of them, masked")
    fields: dict[str, str] = Field(description="模板各项的内容 / the finished fields")
    quota: QuotaModel
    starts_at: AwareDatetime
    expected_end: AwareDatetime | None = Field(
        description="预计完成；null 为两个月内发不完 / null: more than two months away"
    )
    warnings: list[WarningModel]

    @classmethod
    def of(cls, preview: Preview) -> "BroadcastPreview":
        """Return the answer."""
        day, ends = preview.day, preview.ends_at
        return cls(
            audience=preview.audience,
            sample=list(preview.sample),
            fields=dict(preview.content.fields),
            quota=QuotaModel(
                limit=day.limit,
                used=day.used,
                reserved=day.reserved,
                left=preview.left,
                fits=preview.fits,
            ),
            starts_at=in_beijing(preview.starts_at),
            expected_end=in_beijing(ends) if ends else None,
            warnings=[
                WarningModel(code=each.code, message=each.message) for each in preview.cautions
            ],
        )


class TestRequest(Strict):
    """测试发送给谁 / whom a test goes to."""

    openids: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] = Field(
        min_length=1,
        max_length=5,
        description="测试人员的 openid，须在设置 accounts.test_openids 中 / test people only",
    )

    def people(self) -> list[OpenId]:
        """Return them as ids."""
        return [OpenId(openid) for openid in self.openids]


class TestAccepted(BaseModel):
    """测试发送已受理，id 是测试任务的编号 / accepted; the id is the test's own."""

    id: str
    state: BroadcastState
    test_of: str
