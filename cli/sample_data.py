"""Sample data (演示数据) of `make demo`: three citizens, what they bound, one recurring broadcast.

Everybody is synthetic (domain.md 1.1). It is safe to load again: bindings and subscriptions are
there already, and the broadcasts are found by their idempotency keys.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.broadcast import Audience
from domain.clock import in_beijing
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.people import PlaceLabel, Subscription
from domain.topic import SubjectKind
from push.orders import BroadcastOrder
from runtime.context import AppContext
from sandbox.acts import Acts
from sandbox.world import DEMO_CITIZENS, World

log = logging.getLogger(__name__)

NOTICE_VERSION = "demo"
AUTHOR = "演示数据"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one citizen of the demo has set up."""

    openid: str
    real_name: tuple[str, str] | None = None
    vehicle: tuple[str, str, str] | None = None  # plate, type, last digits
    places: tuple[tuple[PlaceLabel, str, str], ...] = ()  # label, region, street
    topics: tuple[tuple[str, str | None], ...] = ()  # topic, region


CHEN, LI, WANG = DEMO_CITIZENS
SAMPLES = (
    Sample(
        openid=CHEN,
        real_name=("陈静", "990101198805120024"),
        vehicle=("粤B12345", "02", "1234"),
        places=(("home", "440304", "园岭街道"), ("work", "440305", "粤海街道")),
        topics=(
            ("outage.water", "440304"),
            ("outage.power", "440304"),
            ("traffic.violation", None),
        ),
    ),
    Sample(
        openid=LI,
        vehicle=("粤BD12345", "52", "5678"),
        places=(("home", "440305", "粤海街道"),),
        topics=(("outage.water", "440305"), ("outage.gas", "440305"), ("fuel.price", None)),
    ),
    Sample(
        openid=WANG,
        real_name=("刘桂英", "11010519491231002X"),
        places=(("home", "440304", "沙头街道"),),
        topics=(("outage.water", "440304"), ("weather.alert", "440304")),
    ),
)


async def load(ctx: AppContext, world: World, account: AccountId) -> None:
    """Let the three follow, bind and subscribe, and schedule what they will receive."""
    for sample in SAMPLES:
        await _set_up(ctx, account, sample)
        await Acts(world, world.accounts[account], sample.openid).follow()
    await _schedule(ctx, account)
    log.info("demo.loaded", extra={"citizens": len(SAMPLES)})


async def _set_up(ctx: AppContext, account: AccountId, sample: Sample) -> None:
    openid, bindings = OpenId(sample.openid), ctx.bindings
    if sample.real_name:
        await bindings.bind_real_name(account, openid, *sample.real_name, NOTICE_VERSION)
    if sample.vehicle:
        await bindings.bind_vehicle(account, openid, *sample.vehicle)
    for label, district, street in sample.places:
        await bindings.bind_place(account, openid, label, RegionCode(district), street)
    for topic, region in sample.topics:
        subject: SubjectKind | None = "vehicle" if topic == "traffic.violation" else None
        await ctx.subscriptions.subscribe(
            account,
            openid,
            Subscription(
                topic=TopicId(topic),
                region=RegionCode(region) if region else None,
                subject=subject,
            ),
        )


async def _schedule(ctx: AppContext, account: AccountId) -> None:
    """Schedule one notice seconds from now, and one that comes back every five minutes."""
    now = ctx.clock.now()
    await ctx.broadcasts.create(
        _outage(account, "福田区园岭街道", now, "440304", at=now + timedelta(seconds=20)),
        author=AUTHOR,
        publish=True,
    )
    await ctx.broadcasts.create(
        _outage(account, "南山区粤海街道", now, "440305", cron="*/5 * * * *"),
        author=AUTHOR,
        publish=True,
    )


def _outage(
    account: AccountId,
    area: str,
    now: datetime,
    region: str,
    *,
    at: datetime | None = None,
    cron: str | None = None,
) -> BroadcastOrder:
    tonight = in_beijing(now).replace(hour=23, minute=0)
    return BroadcastOrder(
        account=account,
        title=f"{area}计划停水",
        topic=TopicId("outage.water"),
        audience=Audience(topics=(TopicId("outage.water"),), regions=(RegionCode(region),)),
        template="outage_notice",
        data={
            "area": area,
            "start": _chinese(tonight),
            "end": _chinese(tonight + timedelta(hours=5)),
            "reason": "管道检修",
        },
        at=at,
        cron=cron,
        ignore_quiet_hours=True,  # whoever tries the demo at night should see it too
        # a recurring one is made once for all starts; a single one, once a start
        idempotency_key=f"demo-{region}" if cron else f"demo-{region}-{now:%Y%m%d%H%M%S}",
    )


def _chinese(moment: datetime) -> str:
    return f"{moment.year}年{moment.month}月{moment.day}日 {moment:%H:%M}"
