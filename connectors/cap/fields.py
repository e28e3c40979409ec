"""The standard's tables (CAP 1.2, section 3.2): elements, how often, and the values they take."""

from collections.abc import Mapping
from dataclasses import dataclass

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
OLDER = {
    "urn:oasis:names:tc:emergency:cap:1.1": "1.1",
    "http://www.incident.com/cap/1.0": "1.0",
}

STATUS = ("Actual", "Exercise", "System", "Test", "Draft")
MESSAGE_TYPE = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPE = ("Public", "Restricted", "Private")
CATEGORY = (
    *("Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport"),
    *("Infra", "CBRNE", "Other"),
)
RESPONSE = (
    *("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear"),
    "None",
)
URGENCY = ("Immediate", "Expected", "Future", "Past", "Unknown")
SEVERITY = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
CERTAINTY = ("Observed", "Likely", "Possible", "Unlikely", "Unknown")
COLOURS = {  # which Chinese publishers write in the place of a severity
    **dict.fromkeys(("red", "红", "红色"), "Extreme"),
    **dict.fromkeys(("orange", "橙", "橙色"), "Severe"),
    **dict.fromkeys(("yellow", "黄", "黄色"), "Moderate"),
    **dict.fromkeys(("blue", "蓝", "蓝色"), "Minor"),
}
VERY_LIKELY = "Very Likely"  # of CAP 1.0, to be read as Likely (3.2.2)

SHORT, LONG, SHAPE = 1_000, 200_000, 1_000_000  # characters; names and keys, texts, data


@dataclass(frozen=True, slots=True)
class Rule:
    """How often an element may stand in its parent, and how long its text may be."""

    least: int = 0
    most: int | None = 1  # None: any number
    longest: int = SHORT


ONE, MAYBE, ANY, SOME = Rule(1), Rule(), Rule(0, None), Rule(1, None)
TEXT = Rule(longest=LONG)

ALERT: Mapping[str, Rule] = {
    "identifier": ONE,
    "sender": ONE,
    "sent": ONE,
    "status": ONE,
    "msgType": ONE,
    "source": MAYBE,
    "scope": ONE,
    "restriction": TEXT,
    "addresses": TEXT,
    "code": ANY,
    "note": TEXT,
    "references": TEXT,
    "incidents": TEXT,
    "info": ANY,
}
INFO: Mapping[str, Rule] = {
    "language": MAYBE,
    "category": SOME,
    "event": ONE,
    "responseType": ANY,
    "urgency": ONE,
    "severity": ONE,
    "certainty": ONE,
    "audience": TEXT,
    "eventCode": ANY,
    "effective": MAYBE,
    "onset": MAYBE,
    "expires": MAYBE,
    "senderName": MAYBE,
    "headline": TEXT,
    "description": TEXT,
    "instruction": TEXT,
    "web": Rule(longest=4_000),
    "contact": TEXT,
    "parameter": ANY,
    "resource": ANY,
    "area": ANY,
}
RESOURCE: Mapping[str, Rule] = {
    "resourceDesc": Rule(1, longest=LONG),
    "mimeType": ONE,
    "size": MAYBE,
    "uri": Rule(longest=SHAPE),  # perhaps `data:`
    "derefUri": Rule(longest=SHAPE),
    "digest": MAYBE,
}
AREA: Mapping[str, Rule] = {
    "areaDesc": Rule(1, longest=LONG),
    "polygon": Rule(0, None, SHAPE),
    "circle": ANY,
    "geocode": ANY,
    "altitude": MAYBE,
    "ceiling": MAYBE,
}
PAIR: Mapping[str, Rule] = {"valueName": Rule(1, longest=LONG), "value": Rule(1, longest=LONG)}
# elements that hold elements
GROUPS: Mapping[str, Mapping[str, Rule]] = {
    "info": INFO,
    "resource": RESOURCE,
    "area": AREA,
    "eventCode": PAIR,
    "parameter": PAIR,
    "geocode": PAIR,
}
