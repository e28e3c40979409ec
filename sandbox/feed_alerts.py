"""The weather office's news desk: alerts as CAP 1.2 documents, and the index that lists them.

`POST /sandbox/departments/weather/news`:

    issue     {id?, event?, level?, regions?, headline?, hours?, status?, area?}
    update    {id, …the same}      refers to every earlier message of this id
    cancel    {id}                 the same
    document  {xml, name?}         lists exactly this document, however wrong
    lost      {}                   lists a document that is not there

Each answers {"name", "xml"}. The index is the feed `alerts`; documents are at `/documents/<name>`.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

from domain.clock import Clock, in_beijing
from sandbox.feeds import Feed, NewsRefused

Json = dict[str, Any]
SENDER = "weather.sample.example"
SEVERITY = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor"}
COLOURS = {"red": "红色", "orange": "橙色", "yellow": "黄色", "blue": "蓝色"}
DEFAULTS: Json = {
    "event": "暴雨",
    "level": "orange",
    "regions": ["440304"],
    "area": "福田区",
    "headline": "",
    "hours": 12.0,
    "status": "Actual",
}


class AlertOffice:
    """Every alert by its id with all its messages, and the documents as published."""

    def __init__(self, clock: Clock) -> None:
        self.feed = Feed()
        self.documents: dict[str, bytes] = {}
        self._clock = clock
        self._told: dict[str, Json] = {}
        self._messages: dict[str, list[str]] = {}  # references by id
        self._number = 0
        self.verbs: Mapping[str, Callable[[Json], Json]] = {
            "issue": self._issue,
            "update": lambda content: self._follow(content, "Update"),
            "cancel": lambda content: self._follow(content, "Cancel"),
            "document": self._document,
            "lost": lambda _: self._list("lost.xml", ""),
        }

    def _issue(self, content: Json) -> Json:
        name = str(content.get("id") or f"W{len(self._told) + 1}")
        if name in self._told:
            raise NewsRefused(f"id {name} is there already; update it")
        self._told[name] = DEFAULTS | _known(content)
        self._messages[name] = []
        return self._publish(name, "Alert")

    def _follow(self, content: Json, kind: str) -> Json:
        name = str(content.get("id", ""))
        if name not in self._told:
            raise NewsRefused(f"id is one of {', '.join(self._told) or 'none yet'}")
        self._told[name] |= _known(content)
        return self._publish(name, kind)

    def _document(self, content: Json) -> Json:
        xml = content.get("xml")
        if not isinstance(xml, str):
            raise NewsRefused("xml must be a text")
        self._number += 1
        return self._list(str(content.get("name") or f"d{self._number}.xml"), xml)

    def _publish(self, name: str, kind: str) -> Json:
        told = self._told[name]
        if told["level"] not in SEVERITY:
            raise NewsRefused(f"level is one of {', '.join(SEVERITY)}")
        self._number += 1
        # two messages of one second are two messages: the number stands in the identifier
        identifier = f"{name}-{self._number}"
        sent = in_beijing(self._clock.now()).replace(microsecond=0).isoformat()
        references = " ".join(self._messages[name])
        self._messages[name].append(f"{SENDER},{identifier},{sent}")
        xml = self._cap(told, kind, identifier, sent, references)
        return self._list(f"{identifier}.xml", xml)

    def _list(self, name: str, xml: str) -> Json:
        if xml:
            self.documents[name] = xml.encode()
        self.feed.publish({"id": name, "document": f"/documents/{name}"})
        return {"name": name, "xml": xml}

    def _cap(self, told: Json, kind: str, identifier: str, sent: str, references: str) -> str:
        expires = in_beijing(self._clock.now()) + timedelta(hours=float(told["hours"]))
        colour = COLOURS[told["level"]]
        verb = {"Alert": "发布", "Update": "更新", "Cancel": "解除"}[kind]
        headline = told["headline"] or f"市气象台{verb}{told['event']}{colour}预警"
        codes = "".join(
            f"<geocode><valueName>GB/T 2260</valueName><value>{escape(str(code))}</value></geocode>"
            for code in told["regions"]
        )
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>{identifier}</identifier>
  <sender>{SENDER}</sender>
  <sent>{sent}</sent>
  <status>{told["status"]}</status>
  <msgType>{kind}</msgType>
  <scope>Public</scope>
  <references>{references}</references>
  <info>
    <language>zh-CN</language>
    <category>Met</category>
    <event>{escape(told["event"])}</event>
    <urgency>Immediate</urgency>
    <severity>{SEVERITY[told["level"]]}</severity>
    <certainty>Likely</certainty>
    <expires>{expires.replace(microsecond=0).isoformat()}</expires>
    <senderName>市气象台（样例）</senderName>
    <headline>{escape(headline)}</headline>
    <description>样例：请注意防范。</description>
    <area>
      <areaDesc>{escape(told["area"])}</areaDesc>
      {codes}
    </area>
  </info>
</alert>
"""


def _known(content: Json) -> Json:
    wrong = sorted(set(content) - set(DEFAULTS) - {"verb", "id"})
    if wrong:
        raise NewsRefused(f"{', '.join(wrong)}: not known here; see sandbox/feed_alerts.py")
    if not isinstance(content.get("hours", 0), int | float):
        raise NewsRefused("hours must be a number")
    return {key: content[key] for key in DEFAULTS if key in content}
