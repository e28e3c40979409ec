"""Synthetic interruptions for 福田 and 南山, told relative to now, so a demo always shows some.

Under way: a burst water main in 香蜜湖, a power fault in 粤海, low gas pressure in 南头.
To come: water off tonight 23:00–04:00, then low until 11:00, in 园岭 (already in its second
revision); planned power works tomorrow; gas works the day after. Over: one restored, one
cancelled. Elsewhere nothing is announced.
"""

from datetime import datetime, timedelta
from typing import Any

from domain.clock import in_beijing

Json = dict[str, Any]
FUTIAN, NANSHAN = "440304", "440305"
WATER = {"issuer": "市水务集团（样例）", "hotline": "12345", "utility": "water"}
POWER = {"issuer": "市供电局（样例）", "hotline": "95598", "utility": "power"}
GAS = {"issuer": "市燃气集团（样例）", "hotline": "12345", "utility": "gas"}


def outages(now: datetime) -> list[Json]:
    """Return everything the three companies have announced, whatever has become of it."""
    hour = in_beijing(now).replace(minute=0, second=0, microsecond=0)
    # the night's works belong to one day until they end at 11:00 the next morning
    night = (hour - timedelta(hours=11)).replace(hour=23)
    day = hour.replace(hour=0)
    return [
        *_water(hour, night),
        *_power(hour, day),
        *_gas(hour, day),
    ]


def _water(hour: datetime, night: datetime) -> list[Json]:
    works = {
        "kind": "planned",
        "areas": [
            _area(FUTIAN, "园岭街道", "百花二路（百花一路至园岭四街段）、长城花园1–9栋"),
            _area(FUTIAN, "华富街道", "莲花一村19–26号楼1–9层"),
        ],
        "reason": "DN600 供水管道迁改接驳",
        "line": "百花二路 DN600 主管",
        "affected": 3200,
        "substitute": "园岭街道办门前、百花社区公园南门（22:00–次日6:00）",
    }
    phases = [
        _phase("off", night, night + timedelta(hours=5)),
        _phase("low", night + timedelta(hours=5), night + timedelta(hours=12)),
    ]
    announced = night - timedelta(days=2)
    later = [_phase("off", night + timedelta(hours=1), night + timedelta(hours=6))]
    return [
        _outage(WATER, "W1", night, "announced", later, announced, **works),
        _outage(WATER, "W1", night, "changed", phases, announced, revision=2, **works),
        _outage(
            WATER,
            "W2",
            hour,
            "in_progress",
            [_phase("off", hour - timedelta(hours=2), hour + timedelta(hours=4))],
            hour - timedelta(hours=2),
            kind="fault",
            areas=[_area(FUTIAN, "香蜜湖街道", "香林路、农园路（侨香路至深南大道段）")],
            reason="供水管道爆裂抢修",
            affected=850,
            substitute="香林路口（送水车）",
        ),
        _outage(
            WATER,
            "W3",
            hour + timedelta(days=1),
            "announced",
            [
                _phase(
                    "low",
                    hour.replace(hour=9) + timedelta(days=1),
                    hour.replace(hour=17) + timedelta(days=1),
                )
            ],
            hour - timedelta(hours=20),
            kind="low_pressure",
            areas=[_area(NANSHAN, "蛇口街道", "工业七路、湾厦村")],
            reason="加压泵站检修",
            affected=1400,
        ),
        _outage(
            WATER,
            "W4",
            hour,
            "restored",
            [_phase("off", hour - timedelta(hours=30), hour - timedelta(hours=20))],
            hour - timedelta(hours=60),
            kind="planned",
            areas=[_area(FUTIAN, "沙头街道", "金地花园")],
            reason="水表更换",
            actual_end=_text(hour - timedelta(hours=21)),
        ),
    ]


def _power(hour: datetime, day: datetime) -> list[Json]:
    tomorrow = day + timedelta(days=1)
    return [
        _outage(
            POWER,
            "P1",
            hour,
            "in_progress",
            [_phase("off", hour - timedelta(hours=1), hour + timedelta(hours=2))],
            hour - timedelta(hours=1),
            kind="fault",
            areas=[_area(NANSHAN, "粤海街道", "科技园北区、朗山路以南")],
            reason="10kV 电缆故障抢修",
            line="10kV 科苑线 F12",
            affected=620,
        ),
        _outage(
            POWER,
            "P2",
            tomorrow,
            "announced",
            [_phase("off", tomorrow + timedelta(hours=8), tomorrow + timedelta(hours=17))],
            tomorrow - timedelta(days=8),
            kind="planned",
            areas=[
                _area(FUTIAN, "园岭街道", "红荔社区1–12栋"),
                _area(FUTIAN, "梅林街道", "梅华路（梅林一村北侧）"),
            ],
            reason="配电设备年度检修",
            line="10kV 园岭线",
            affected=1100,
        ),
        _outage(
            POWER,
            "P3",
            tomorrow,
            "cancelled",
            [_phase("off", tomorrow + timedelta(hours=6), tomorrow + timedelta(hours=12))],
            tomorrow - timedelta(days=8),
            kind="planned",
            areas=[_area(FUTIAN, "莲花街道", "彩田村")],
            reason="线路改造（因高温取消）",
        ),
    ]


def _gas(hour: datetime, day: datetime) -> list[Json]:
    works = day + timedelta(days=2)
    return [
        _outage(
            GAS,
            "G1",
            hour,
            "in_progress",
            [_phase("low", hour - timedelta(hours=3), hour + timedelta(hours=3))],
            hour - timedelta(hours=50),
            kind="low_pressure",
            areas=[_area(NANSHAN, "南头街道", "大新村、前海花园")],
            reason="调压站设备更换",
        ),
        _outage(
            GAS,
            "G2",
            works,
            "announced",
            [_phase("off", works + timedelta(hours=9), works + timedelta(hours=18))],
            works - timedelta(days=3),
            kind="planned",
            areas=[_area(FUTIAN, "福保街道", "益田村1–40栋")],
            reason="老旧燃气管道更换",
            affected=960,
            substitute="夜间不恢复供气，当日未完成的次日 8:00 后逐户恢复",
        ),
    ]


def _outage(
    company: Json,
    name: str,
    day: datetime,
    status: str,
    phases: list[Json],
    announced: datetime,
    **more: Any,
) -> Json:
    return {
        "id": f"{name}-{day:%Y%m%d}",
        "revision": 1,
        "status": status,
        "phases": phases,
        "announced_at": _text(announced),
        "planned_end": max(phase["end"] for phase in phases),
        **company,
        **more,
    }


def _phase(mode: str, start: datetime, end: datetime) -> Json:
    return {"mode": mode, "start": _text(start), "end": _text(end)}


def _area(region: str, street: str, detail: str) -> Json:
    return {"region": region, "street": street, "detail": detail}


def _text(moment: datetime) -> str:
    return moment.isoformat()
