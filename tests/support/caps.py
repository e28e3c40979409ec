"""CAP 1.2 documents for tests: a message and its parts by name."""

from datetime import datetime
from typing import Any

from domain.clock import in_beijing

SEVERITY = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor"}
SENDER = "weather.sample.example"


def reference(identifier: str, sent: datetime) -> str:
    return f"{SENDER},{identifier},{written(sent)}"


def written(moment: datetime) -> str:
    return in_beijing(moment).replace(microsecond=0).isoformat()


def cap(
    identifier: str,
    sent: datetime,
    *,
    kind: str = "Alert",
    status: str = "Actual",
    scope: str = "Public",
    references: str = "",
    blocks: list[dict[str, Any]] | None = None,
    **block: Any,
) -> bytes:
    """A document with one block, unless several are given."""
    infos = "".join(_info(**each) for each in (blocks if blocks is not None else [block]))
    needed = "<addresses>somebody</addresses>" if scope == "Private" else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>{identifier}</identifier><sender>{SENDER}</sender><sent>{written(sent)}</sent>
<status>{status}</status><msgType>{kind}</msgType><scope>{scope}</scope>{needed}
<references>{references}</references>{infos}</alert>""".encode()


def _info(
    *,
    level: str = "orange",
    regions: tuple[str, ...] = ("440304",),
    area: str = "某地",
    expires: datetime | None = None,
    headline: str | None = "",
    issuer: str = "市气象台",
    web: str = "",
) -> str:
    codes = "".join(
        f"<geocode><valueName>GB/T 2260</valueName><value>{code}</value></geocode>"
        for code in regions
    )
    if headline == "":
        headline = f"市气象台发布暴雨预警（{level}）"
    until = f"<expires>{written(expires)}</expires>" if expires else ""
    return f"""<info><language>zh-CN</language><category>Met</category><event>暴雨</event>
<urgency>Immediate</urgency><severity>{SEVERITY.get(level, "Unknown")}</severity>
<certainty>Likely</certainty>{until}<senderName>{issuer}</senderName>
<headline>{headline}</headline><web>{web}</web>
<area><areaDesc>{area}</areaDesc>{codes}</area></info>"""
