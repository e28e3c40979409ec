"""CAP 1.2 as publishers all over the world write it: every conforming document is accepted."""

from datetime import UTC, datetime

import pytest

from connectors.cap.reader import read_alert
from domain.alert import Alert, regions_of

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"


def head(identifier: str, sender: str, sent: str, kind: str = "Alert", rest: str = "") -> str:
    return (
        f"<identifier>{identifier}</identifier><sender>{sender}</sender><sent>{sent}</sent>"
        f"<status>Actual</status><msgType>{kind}</msgType>{rest}"
    )


def info(
    event: str, severity: str, *, language: str = "", before: str = "", after: str = ""
) -> str:
    spoken = f"<language>{language}</language>" if language else ""
    return (
        f"<info>{spoken}<category>Met</category><event>{event}</event>{before}"
        f"<urgency>Immediate</urgency><severity>{severity}</severity>"
        f"<certainty>Observed</certainty>{after}</info>"
    )


def pair(tag: str, name: str, value: str) -> str:
    return f"<{tag}><valueName>{name}</valueName><value>{value}</value></{tag}>"


def document(content: str, declaration: str = '<?xml version="1.0" encoding="UTF-8"?>\n') -> str:
    return f'{declaration}<alert xmlns="{NAMESPACE}">{content}</alert>'


AMERICA = document(
    head(
        "urn:oid:2.49.0.1.840.0.2f1.003.1",
        "w-nws.webmaster@noaa.gov",
        "2026-06-03T14:12:00-05:00",
        "Update",
        "<source>NWS</source><scope>Public</scope><code>IPAWSv1.0</code>"
        "<references>w-nws.webmaster@noaa.gov,urn:oid:2.49.0.1.840.0.2f1.001.1,"
        "2026-06-03T13:12:00-05:00\n    w-nws.webmaster@noaa.gov,"
        "urn:oid:2.49.0.1.840.0.2f1.002.1,2026-06-03T13:42:00-05:00\n</references>",
    )
    + "".join(
        info(
            "Tornado Warning",
            "Extreme",
            language="en-US",
            before="<responseType>Shelter</responseType><responseType>Avoid</responseType>",
            after=pair("eventCode", "SAME", "TOR")
            + pair("eventCode", "NationalWeatherService", "TOW")
            + "<effective>2026-06-03T14:12:00-05:00</effective>"
            "<onset>2026-06-03T14:12:00-05:00</onset>"
            f"<expires>2026-06-03T14:{minutes}:00-05:00</expires>"
            "<senderName>NWS Norman OK</senderName><headline>Tornado Warning</headline>"
            "<description>At 212 PM CDT...\n\nHAZARD...Tornado &amp; hail.</description>"
            "<instruction>TAKE COVER NOW!</instruction><web>https://www.weather.gov</web>"
            + pair("parameter", "VTEC", "/O.CON.KOUN.TO.W.0042.000000T0000Z-260603T1945Z/")
            + pair("parameter", "eventMotionDescription", "2026-06-03T19:12:00-00:00...255DEG")
            + "<area><areaDesc>Cleveland, OK; McClain, OK</areaDesc>"
            "<polygon>35.1,-97.5 35.2,-97.5 35.2,-97.40 35.10,-97.50</polygon>"
            + pair("geocode", "SAME", "040027")
            + pair("geocode", "UGC", "OKC027")
            + "</area>",
        )
        for minutes in (30, 45)
    )
)
CANADA = document(
    head(
        "2.49.0.1.124.9a4f.2026",
        "cap-pac@canada.ca",
        "2026-06-03T19:12:00-00:00",
        rest="<source>Env. Can. – Montréal</source><scope>Public</scope>"
        "<code>profile:CAP-CP:0.4</code><code>layer:EC-MSC-SMC:1.1</code><note></note>",
    )
    + "".join(
        info(
            event,
            "Moderate",
            language=language,
            after=pair("eventCode", "profile:CAP-CP:Event:0.4", "wind")
            + pair("parameter", "layer:EC-MSC-SMC:1.1:MSC_Risk_Colour", colour)
            + f"<area><areaDesc>Gatineau</areaDesc>{pair('geocode', 'CLC', '3506')}</area>",
        )
        for language, event, colour in (("en-CA", "wind", "orange"), ("fr-CA", "vent", "orange"))
    )
)
METEOALARM = document(
    head(
        "2.49.0.0.276.0.DWD.PVW.1780488720000.DEU",
        "opendata@dwd.de",
        "2026-06-03T14:12:00.000+02:00",
        rest="<source>PVW</source><scope>Public</scope>",
    )
    + info(
        "STURMBÖEN",
        "Moderate",
        language="de-DE",
        after=pair("parameter", "awareness_level", "2; yellow; Moderate")
        + pair("parameter", "awareness_type", "1; Wind")
        + "<area><areaDesc>Kreis Plön</areaDesc>"
        + "".join(pair("geocode", "EMMA_ID", f"DE{number:03}") for number in range(400))
        + "<altitude>0</altitude><ceiling>9842.5197</ceiling></area>",
    ),
    declaration="",
)
AUSTRALIA = document(
    head(
        "urn:oid:2.49.0.1.36.0.IDV21037.2",
        "bom@bom.gov.au",
        "2026-06-03T14:12:00+09:30",
        rest="<scope>Public</scope>",
    )
    + info(
        "Severe Weather Warning",
        "Severe",
        language="en-AU",
        before="<responseType/>",
        after="<headline/><web/><contact/><area><areaDesc>Victoria</areaDesc>"
        "<polygon></polygon><circle>-37.81,144.96 0</circle></area>",
    )
).replace("\n", "\r\n")
JAPAN = document(
    head("JPTJ-1", "jma@jma.go.jp", "2026-06-03T14:12:00+09:00", rest="<scope>Public</scope>")
    + info(
        "大雨特別警報", "Extreme", language="ja", after="<headline>東京都に大雨特別警報</headline>"
    ),
    declaration='<?xml version="1.0" encoding="Windows-31J"?>',
)
CHINA = document(
    head(
        "44030041600000_20260603080000",
        "44030041600000",
        "2026-06-03T08:00:00+08:00",
        rest="<source>深圳市气象台</source><scope>Public</scope><code>国突</code>"
        "<references/><incidents/>",
    )
    + info(
        "暴雨",
        "Severe",
        language="zh-CN",
        after=pair("eventCode", "国家突发事件代码", "11B03")
        + "<effective>2026-06-03T08:00:00+08:00</effective>"
        "<expires>2026-06-03T24:00:00+08:00</expires>"
        "<headline>深圳市气象台发布暴雨橙色预警[Ⅱ级/严重]</headline>"
        f"<description>{'降雨持续，' * 5_000}</description><web></web>"
        "<resource><resourceDesc>图标</resourceDesc><mimeType>image/png</mimeType><size/><uri/>"
        f"<derefUri>{'iVBORw0K' * 20_000}</derefUri><digest/></resource>"
        "<area><areaDesc>深圳市</areaDesc><polygon></polygon><circle></circle>"
        + pair("geocode", "区划码", "440300000000")
        + "</area>",
    ),
    declaration='<?xml version="1.0" encoding="utf-16" standalone="yes"?>',
)
PREFIXED = (
    document(
        head("a", "b", "2026-06-03T14:12:00-00:00", rest="<scope>Private</scope>")
        + '<addresses>"Fire Department A" b@example.org "x y"</addresses>',
        declaration="<?xml-stylesheet href='cap.xsl' type='text/xsl'?><!-- signed -->",
    )
    .replace("<", "<cap:")
    .replace("<cap:/", "</cap:")
    .replace("<cap:?", "<?")
    .replace("<cap:!", "<!")
    .replace("xmlns=", "xmlns:cap=")
)


@pytest.mark.parametrize(
    ("body", "level", "warnings"),
    [
        (AMERICA.encode(), "red", ()),
        (CANADA.encode(), "orange", ()),
        (METEOALARM.encode(), "yellow", ("time_form",)),
        (AUSTRALIA.encode(), "orange", ("blank",)),
        (JAPAN.encode("cp932"), "red", ()),
        (CHINA.encode("utf-16"), "orange", ("blank",)),
        (PREFIXED.encode(), None, ()),
    ],
    ids=["America", "Canada", "Meteoalarm", "Australia", "Japan", "China", "prefixed"],
)
def test_a_conforming_document_is_accepted_and_its_level_known(body, level, warnings):
    alert: Alert = read_alert(body)

    assert alert.warnings == warnings
    assert {each.level for each in alert.infos} == ({level} if level else set())


def test_what_they_say_is_understood():
    america, china = read_alert(AMERICA.encode()), read_alert(CHINA.encode("utf-16"))

    assert [each.sent for each in america.references] == [
        datetime(2026, 6, 3, 18, 12, tzinfo=UTC),
        datetime(2026, 6, 3, 18, 42, tzinfo=UTC),
    ]
    assert len(america.chosen) == 2
    assert regions_of(china.infos[0].areas[0]) == ("440300",)
    assert china.infos[0].expires == datetime(2026, 6, 3, 16, tzinfo=UTC)
