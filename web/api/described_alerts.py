"""The operations on alerts described."""

from web.api.alert_models import AlertAccepted, AlertList
from web.api.described import Operation

MEDIA_TYPES = ("application/cap+xml", "application/xml", "text/xml")
SCOPES = ("alerts:write",)
ID = "5f0c1f0a9f4b4d1e8a7c6b5d4e3f2a1b"
SAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>440300-20261124-0001</identifier>
  <sender>weather.sample.example</sender>
  <sent>2026-11-24T09:30:00+08:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <language>zh-CN</language>
    <category>Met</category>
    <event>暴雨</event>
    <urgency>Immediate</urgency>
    <severity>Severe</severity>
    <certainty>Likely</certainty>
    <expires>2026-11-24T21:30:00+08:00</expires>
    <senderName>市气象台</senderName>
    <headline>市气象台发布暴雨橙色预警</headline>
    <area>
      <areaDesc>福田区</areaDesc>
      <geocode>
        <valueName>GB/T 2260</valueName>
        <value>440304</value>
      </geocode>
    </area>
  </info>
</alert>
"""

OPERATIONS = (
    Operation(
        method="post",
        path="/api/v1/alerts",
        id="relayAlert",
        summary="转发预警：正文为一个 CAP 1.2 文件，不超过 1 MiB；同一文件只处理一次",
        english="Relay an alert: the body is one CAP 1.2 document; the same one is heard once",
        scopes=SCOPES,
        media_types=MEDIA_TYPES,
        sample=SAMPLE,
        status=202,
        response=AlertAccepted,
        answer={
            "id": ID,
            "action": "sent",
            "reason": "",
            "detail": "",
            "orphan": False,
            "broadcast": "bc_0123456789abcdef01234567",
            "broadcasts": ["bc_0123456789abcdef01234567"],
            "warnings": [],
        },
        problems=(401, 403, 413, 415, 422, 429),
    ),
    Operation(
        method="get",
        path="/api/v1/alerts",
        id="listAlerts",
        summary="最近的预警（含演练、测试和没有前文的更新）以及拒收的文件",
        english="The latest alerts, exercises and orphans too, and the documents refused",
        scopes=SCOPES,
        response=AlertList,
        answer={"alerts": [], "refusals": []},
        problems=(401, 403, 429),
    ),
)
