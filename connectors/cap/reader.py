"""A CAP 1.2 document (OASIS, July 2010; ITU-T X.1303 bis) as an alert, or a precise refusal.

Whatever the standard allows is accepted. Of what it does not allow, everything that could be
understood in two ways, or whose loss would change what people are told, is refused with a code,
a sentence and the place. What is only spelt differently is understood and noted in `warnings`
(ADR 13 gives the list and the reasons):

    order        elements of one parent in another order than the schema's
    time_form    a time ending in `Z`, or with parts of a second
    very_likely  CAP 1.0's certainty, to be read as Likely
    colour       a severity given as a colour, `Red` or `红色`, as the law has them
    blank        an optional time, number, shape or enumerated value that is empty
    extension    elements of other namespaces, which are ignored (signatures are not counted)
    stray_text   text between elements, which is ignored
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from connectors.cap import fields
from connectors.cap.xml import Element, read_tree
from domain.alert import (
    Alert,
    AlertArea,
    AlertId,
    AlertInfo,
    CapRefused,
    Circle,
    MessageType,
    Scope,
    Severity,
    Status,
)

SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
FOR_EVER = datetime(2500, 1, 1, tzinfo=UTC)  # a later time means the same and cannot overflow
_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?P<part>\.\d{1,9})?(?P<zone>Z|[+-]\d\d:\d\d)?", re.ASCII
)
_NUMBER = r"[+-]?(?:[0-9]{1,10}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})"
_MIDNIGHT = "T24:00:00"  # XML Schema's other name for the beginning of the next day
_POINT = re.compile(rf"({_NUMBER}),({_NUMBER})", re.ASCII)
_SHOWN = 40  # characters of a wrong value that a refusal repeats


def read_alert(body: bytes, charset: str = "") -> Alert:
    """Read a document, or raise `CapRefused`; nothing else is ever raised.

    `charset` is that of the HTTP header, which goes before the declaration (RFC 7303).
    """
    root = read_tree(body, charset)
    _check_root(root)
    return _Reading().alert(root)


def _check_root(root: Element) -> None:
    older = fields.OLDER.get(root.namespace)
    if root.name == "alert" and older:
        raise CapRefused(
            "unsupported_version", f"这是 CAP {older} 文件，只接受 CAP 1.2，请升级", root.where
        )
    if root.name != "alert":
        raise CapRefused(
            "not_an_alert", f"根元素是 {root.name[:_SHOWN]}，应为 CAP 1.2 的 alert", root.where
        )
    if root.namespace != fields.NAMESPACE:
        found = root.namespace[:100] or "（无）"
        raise CapRefused(
            "wrong_namespace", f"alert 的命名空间是 {found}，应为 {fields.NAMESPACE}", root.where
        )


class _Reading:
    """One document being read."""

    def __init__(self) -> None:
        self._warnings: dict[str, None] = {}

    def alert(self, root: Element) -> Alert:
        self._check(root, fields.ALERT)
        message_type = self._one_of(root, "msgType", fields.MESSAGE_TYPE)
        scope = self._one_of(root, "scope", fields.SCOPE)
        self._needed_by(root, "restriction", scope == "Restricted", "scope 为 Restricted")
        self._needed_by(root, "addresses", scope == "Private", "scope 为 Private")
        if message_type != "Alert":
            self._needed_by(root, "references", True, f"msgType 为 {message_type}")
        return Alert(
            id=AlertId(
                identifier=self._name(root, "identifier"),
                sender=self._name(root, "sender"),
                sent=self._must_time(root, "sent"),
            ),
            status=cast("Status", self._one_of(root, "status", fields.STATUS)),
            message_type=cast("MessageType", message_type),
            scope=cast("Scope", scope),
            source=_text(root, "source"),
            note=_text(root, "note"),
            references=self._references(root.find("references")),
            infos=tuple(self._info(each) for each in root.all("info")),
            warnings=tuple(self._warnings),
        )

    # --- parts ----------------------------------------------------------------------------

    def _info(self, info: Element) -> AlertInfo:
        certainty = _text(info, "certainty")
        if certainty == fields.VERY_LIKELY:
            self._warn("very_likely")
            certainty = "Likely"
        else:
            certainty = self._one_of(info, "certainty", fields.CERTAINTY)
        for resource in info.all("resource"):
            self._check(resource, fields.RESOURCE)
        for pair in info.all("eventCode"):
            self._pair(pair)
        return AlertInfo(
            language=_text(info, "language") or "en-US",  # the standard's default
            categories=self._each_of(info, "category", fields.CATEGORY),
            event=_text(info, "event"),
            responses=self._each_of(info, "responseType", fields.RESPONSE, may_be_blank=True),
            urgency=self._one_of(info, "urgency", fields.URGENCY),
            severity=cast("Severity", self._severity(info)),
            certainty=certainty,
            effective=self._time(info, "effective"),
            onset=self._time(info, "onset"),
            expires=self._time(info, "expires"),
            sender_name=_text(info, "senderName"),
            headline=_text(info, "headline"),
            description=_text(info, "description"),
            instruction=_text(info, "instruction"),
            web=_text(info, "web"),
            contact=_text(info, "contact"),
            parameters=tuple(self._pair(each) for each in info.all("parameter")),
            areas=tuple(self._area(each) for each in info.all("area")),
        )

    def _severity(self, info: Element) -> str:
        if severity := fields.COLOURS.get(_text(info, "severity").lower()):
            self._warn("colour")
            return severity
        return self._one_of(info, "severity", fields.SEVERITY)

    def _area(self, area: Element) -> AlertArea:
        altitude, ceiling = self._filled(area, "altitude"), self._filled(area, "ceiling")
        for height in (*altitude, *ceiling):
            if not re.fullmatch(_NUMBER, height.text):
                raise _refused("bad_number", height, "应为数字（英尺，海拔）")
        if ceiling and not altitude:
            raise _refused("ceiling_without_altitude", ceiling[0], "必须与 altitude 一起使用")
        return AlertArea(
            text=_text(area, "areaDesc"),
            geocodes=tuple(self._pair(each) for each in area.all("geocode")),
            polygons=tuple(_polygon(each) for each in self._filled(area, "polygon")),
            circles=tuple(_circle(each) for each in self._filled(area, "circle")),
        )

    def _pair(self, pair: Element) -> tuple[str, str]:
        return _text(pair, "valueName"), _text(pair, "value")

    def _references(self, element: Element | None) -> tuple[AlertId, ...]:
        """Read `sender,identifier,sent` triples, separated by white space, perhaps quoted."""
        found: dict[AlertId, None] = {}
        for text in element.text.split() if element is not None else ():
            parts = text.strip('"').split(",")
            if element is None or len(parts) != 3 or not all(parts):
                raise _refused(
                    "bad_reference",
                    cast("Element", element),
                    f"中的 {text[:_SHOWN]} 不是 sender,identifier,sent 的形式",
                )
            sender, identifier, sent = parts
            moment = self._moment(element, sent, "bad_reference")
            found[AlertId(identifier=identifier, sender=sender, sent=moment)] = None
        return tuple(found)

    # --- structure ------------------------------------------------------------------------

    def _check(self, element: Element, rules: Mapping[str, fields.Rule]) -> None:
        """Check names, numbers, order and lengths of the children, and of theirs."""
        if element.text:
            self._warn("stray_text")
        counts: dict[str, int] = {}
        order = list(rules)
        reached = 0
        for child in element.children:
            if child.namespace != element.namespace:
                if child.namespace != SIGNATURE:
                    self._warn("extension")
                continue
            rule = rules.get(child.name)
            if rule is None:
                raise _refused("unknown_element", child, "不是 CAP 1.2 在这里规定的元素")
            counts[child.name] = counts.get(child.name, 0) + 1
            if rule.most is not None and counts[child.name] > rule.most:
                raise _refused("repeated_element", child, "只能出现一次")
            place = order.index(child.name)
            if place < reached:
                self._warn("order")
            reached = max(reached, place)
            self._check_child(child, rule)
        for name, rule in rules.items():
            if counts.get(name, 0) < rule.least:
                raise CapRefused(
                    "missing_element", f"{element.path} 缺少必需的 {name}", element.where
                )

    def _check_child(self, child: Element, rule: fields.Rule) -> None:
        rules = fields.GROUPS.get(child.name)
        if rules is not None:
            self._check(child, rules)
            return
        for inner in child.children:
            if inner.namespace == child.namespace:
                raise _refused("unknown_element", inner, "不是 CAP 1.2 在这里规定的元素")
            self._warn("extension")
        if len(child.text) > rule.longest:
            raise _refused("text_too_long", child, f"超过 {rule.longest} 个字符")
        may_be_blank = child.name in ("value", "valueName", "resourceDesc", "mimeType")
        if rule.least and not child.text and not may_be_blank:
            raise _refused("empty_element", child, "不能为空")

    def _needed_by(self, root: Element, name: str, is_needed: bool, why: str) -> None:
        if is_needed and not _text(root, name):
            found = root.find(name)
            where = found.where if found else root.where
            raise CapRefused(f"missing_{name}", f"{why} 时必须有 {name}", where)

    # --- values ---------------------------------------------------------------------------

    def _one_of(self, parent: Element, name: str, values: Collection[str]) -> str:
        return self._each_of(parent, name, values)[0]

    def _each_of(
        self, parent: Element, name: str, values: Collection[str], *, may_be_blank: bool = False
    ) -> tuple[str, ...]:
        texts = []
        for element in self._filled(parent, name) if may_be_blank else parent.all(name):
            if element.text not in values:
                known = "、".join(values)
                raise _refused(
                    "bad_value",
                    element,
                    f"的值 {element.text[:_SHOWN]!r} 不在标准之列（区分大小写）：{known}",
                )
            texts.append(element.text)
        return tuple(texts)

    def _filled(self, parent: Element, name: str) -> list[Element]:
        """Return the optional elements of a name that say something: many publishers write all."""
        found = list(parent.all(name))
        filled = [element for element in found if element.text]
        if len(filled) < len(found):
            self._warn("blank")
        return filled

    def _name(self, parent: Element, name: str) -> str:
        element = cast("Element", parent.find(name))
        wrong = re.search(r"[\s,<&]", element.text)
        if wrong:
            raise _refused("bad_identifier", element, "不能含空白、逗号、< 和 &")
        return element.text

    def _must_time(self, parent: Element, name: str) -> datetime:
        element = cast("Element", parent.find(name))
        return self._moment(element, element.text, "bad_time")

    def _time(self, parent: Element, name: str) -> datetime | None:
        element = parent.find(name)
        if element is None:
            return None
        if not element.text:
            self._warn("blank")
            return None
        return self._moment(element, element.text, "bad_time")

    def _moment(self, element: Element, text: str, reason: str) -> datetime:
        """Read a time. The zone must be there; `Z` is against the standard but says the same."""
        form = _TIME.fullmatch(text)
        shown = text[:_SHOWN]
        if form is None:
            raise _refused(
                reason, element, f"的时间 {shown!r} 应为 2026-06-03T08:00:00+08:00 的形式"
            )
        if form["zone"] is None:
            raise _refused(reason, element, f"的时间 {shown!r} 缺少时区，例如 +08:00")
        if form["part"] or form["zone"] == "Z":
            self._warn("time_form")
        try:
            moment = datetime.fromisoformat(text.replace(_MIDNIGHT, "T00:00:00"))
            if _MIDNIGHT in text:
                moment += timedelta(days=1)
            if moment.year >= FOR_EVER.year:
                return FOR_EVER
            if moment.year < 1900:
                raise ValueError("before the telegraph")  # noqa: TRY301 one way to refuse
            return moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise _refused(reason, element, f"的时间 {shown!r} 不存在") from error

    def _warn(self, what: str) -> None:
        self._warnings[what] = None


def _text(parent: Element, name: str) -> str:
    found = parent.find(name)
    return found.text if found is not None else ""


def _polygon(element: Element) -> tuple[tuple[float, float], ...]:
    points = tuple(_point(element, each, "bad_polygon") for each in element.text.split())
    if len(points) < 4:
        raise _refused("bad_polygon", element, f"只有 {len(points)} 个点，至少 4 个")
    if points[0] != points[-1]:
        raise _refused("bad_polygon", element, "没有闭合：最后一点必须与第一点相同")
    return points


def _circle(element: Element) -> Circle:
    parts = element.text.split()
    if len(parts) != 2 or not re.fullmatch(_NUMBER, parts[1]) or float(parts[1]) < 0:
        raise _refused("bad_circle", element, "应为“纬度,经度 半径（公里）”的形式")
    latitude, longitude = _point(element, parts[0], "bad_circle")
    return Circle(latitude=latitude, longitude=longitude, radius=float(parts[1]))


def _point(element: Element, text: str, reason: str) -> tuple[float, float]:
    form = _POINT.fullmatch(text)
    if form is None:
        raise _refused(reason, element, f"中的 {text[:_SHOWN]!r} 不是“纬度,经度”的形式")
    latitude, longitude = float(form[1]), float(form[2])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise _refused(reason, element, f"中的 {text[:_SHOWN]!r} 不在地球上（纬度在前）")
    return latitude, longitude


def _refused(reason: str, element: Element, say: str) -> CapRefused:
    return CapRefused(reason, f"{element.name} {say}", element.where)
