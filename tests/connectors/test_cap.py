"""CAP 1.2 documents: what is refused, precisely; what is accepted; that nothing else happens."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.cap.reader import FOR_EVER, read_alert
from connectors.cap.xml import _ENCODINGS, _WIDER, MAX_BYTES, MAX_DEPTH
from domain.alert import Alert, CapRefused, regions_of

PAYLOADS = Path(__file__).parent.parent / "payloads" / "cap"
NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
CENTRE = (PAYLOADS / "centre.xml").read_text(encoding="utf-8")
STYLES = ("centre", "service", "signed", "languages")


def style(name: str) -> bytes:
    return (PAYLOADS / f"{name}.xml").read_bytes()


def refusal(body: bytes | str, charset: str = "") -> CapRefused:
    with pytest.raises(CapRefused) as found:
        read_alert(body.encode() if isinstance(body, str) else body, charset)
    return found.value


def replaced(old: str, new: str, text: str = CENTRE) -> str:
    assert old in text
    return text.replace(old, new, 1)


# --- hostile ----------------------------------------------------------------------------------

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n else chr(0)};" * 10}">' for n in range(1, 10))
    + "]><alert>&a9;</alert>"
)
XXE = (
    '<?xml version="1.0"?><!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    f'<alert xmlns="{NAMESPACE}"><identifier>&x;</identifier></alert>'
)


@pytest.mark.parametrize("body", [LAUGHS.replace("\0", ""), XXE, "<!DOCTYPE alert><alert/>"])
def test_a_document_type_is_refused_before_any_entity(body):
    refused = refusal(body)

    assert refused.reason == "doctype_not_allowed"
    assert refused.where.startswith("line 1 column")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"{}", "not_xml"),
        (b"<alert", "not_xml"),
        (b"\x00\x00\x00", "empty"),
        (b"<a>" * (MAX_DEPTH + 1), "too_deep"),
        (b"<a>" + b"<b/>" * 60_000, "too_many_elements"),
        (b"<a " + b" ".join(b"a%d='1'" % n for n in range(100)) + b"/>", "too_many_attributes"),
        (b"<" + b"a" * 5_000 + b"/>", "name_too_long"),
        (b"<a xmlns='" + b"u" * 400_000 + b"'>" + b"<b/>" * 100_000 + b"</a>", "name_too_long"),
        (b"<a>" + b" " * MAX_BYTES + b"</a>", "too_large"),
        (b"<a b='" + b"x" * 900_000 + b"'/>", "not_an_alert"),
        (b"<a>&nothing;</a>", "not_xml"),
        (b"<a>&#0;</a>", "not_xml"),
        (b"<a>\x01</a>", "not_xml"),
        (b"<a>\x00</a>", "bad_character"),
        (b"<alert>\xff\xfe</alert>", "bad_encoding"),
        (b"<?xml version='1.0' encoding='rot13'?><alert/>", "unsupported_encoding"),
        (b"<?xml version='1.0' encoding='unicode_escape'?><alert/>", "unsupported_encoding"),
        (b"<?xml version='1.0' encoding='utf-7'?><alert/>", "unsupported_encoding"),
        ("<alert/>".encode("utf-32"), "unsupported_encoding"),
        ("<alert/>".encode("utf-16")[:-1], "bad_encoding"),
    ],
)
def test_a_hostile_or_broken_document_is_refused_quickly(body, reason):
    began = time.process_time()

    assert refusal(body).reason == reason
    assert time.process_time() - began < 2


def test_every_truncation_is_refused_as_such():
    whole = style("centre").rstrip()
    for length in range(1, len(whole), 97):
        assert refusal(whole[:length]).reason in ("not_xml", "bad_encoding", "empty")


# --- not CAP 1.2 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (CENTRE.replace("cap:1.2", "cap:1.1"), "unsupported_version"),
        (CENTRE.replace(NAMESPACE, "http://www.incident.com/cap/1.0"), "unsupported_version"),
        (CENTRE.replace("cap:1.2", "cap:1.3"), "wrong_namespace"),
        (CENTRE.replace(f' xmlns="{NAMESPACE}"', ""), "wrong_namespace"),
        ("<html/>", "not_an_alert"),
        (f'<feed xmlns="http://www.w3.org/2005/Atom">{CENTRE[40:60]}</feed>', "not_xml"),
        (f'<info xmlns="{NAMESPACE}"/>', "not_an_alert"),
    ],
)
def test_what_is_not_an_alert_of_this_version_is_named(body, reason):
    assert refusal(body).reason == reason


@pytest.mark.parametrize("name", ["identifier", "sender", "sent", "status", "msgType", "scope"])
def test_a_required_element_of_the_alert_must_be_there(name):
    refused = refusal(re.sub(rf"<{name}>[^<]*</{name}>", "", CENTRE, count=1))

    assert refused.reason == "missing_element"
    assert f"缺少必需的 {name}" in refused.say
    assert refused.where == "alert, line 3 column 1"


@pytest.mark.parametrize("name", ["category", "event", "urgency", "severity", "certainty"])
def test_a_required_element_of_the_info_must_be_there(name):
    refused = refusal(re.sub(rf"<{name}>[^<]*</{name}>", "", CENTRE, count=1))

    assert (refused.reason, refused.where) == ("missing_element", "alert/info, line 14 column 3")
    assert name in refused.sentence


@pytest.mark.parametrize(
    ("old", "new", "reason", "where"),
    [
        ("<status>Actual", "<status>actual", "bad_value", "alert/status"),
        ("<msgType>Alert", "<msgType>Alarm", "bad_value", "alert/msgType"),
        ("<scope>Public", "<scope>PUBLIC", "bad_value", "alert/scope"),
        ("<severity>Severe", "<severity>Major", "bad_value", "alert/info/severity"),
        ("<category>Met", "<category>Weather", "bad_value", "alert/info/category"),
        ("<responseType>Monitor", "<responseType>Run", "bad_value", "alert/info/responseType"),
        ("<certainty>Likely", "<certainty>likely", "bad_value", "alert/info/certainty"),
        ("<event>暴雨", "<event> ", "empty_element", "alert/info/event"),
        ("<areaDesc>福田区、罗湖区", "<areaDesc>", "empty_element", "alert/info/area/areaDesc"),
        ("<identifier>4403", "<identifier>44 03", "bad_identifier", "alert/identifier"),
        ("<identifier>4403", "<identifier>44,03", "bad_identifier", "alert/identifier"),
        ("<sender>440300", "<sender>&lt;440300", "bad_identifier", "alert/sender"),
        ("<sender>440300", "<sender>a&amp;b", "bad_identifier", "alert/sender"),
        ("<identifier>4", f"<identifier>{'4' * 1001}", "text_too_long", "alert/identifier"),
        ("<sent>2026-11-24T09:30:00+08:00", "<sent>2026-11-24 09:30", "bad_time", "alert/sent"),
        ("<sent>2026-11-24T09:30:00+08:00", "<sent>2026-11-24T09:30:00", "bad_time", "alert/sent"),
        ("<sent>2026-11-24T09", "<sent>2026-02-30T09", "bad_time", "alert/sent"),
        ("<sent>2026", "<sent>0001", "bad_time", "alert/sent"),
        ("00+08:00</expires>", "00+0800</expires>", "bad_time", "alert/info/expires"),
        ("<note>", "<remark>x</remark><note>", "unknown_element", "alert/remark"),
        ("<event>", "<event>暴雨</event><event>", "repeated_element", "alert/info/event"),
        ("<event>暴雨", "<event><b>暴雨</b>", "unknown_element", "alert/info/event/b"),
        ("<scope>Public", "<scope>Restricted", "missing_restriction", "alert"),
        ("<scope>Public", "<scope>Private", "missing_addresses", "alert"),
        ("<msgType>Alert", "<msgType>Update", "missing_references", "alert/references"),
        ("<msgType>Alert", "<msgType>Cancel", "missing_references", "alert/references"),
        ("<msgType>Alert", "<msgType>Ack", "missing_references", "alert/references"),
        ("<references/>", "<references>a,b</references>", "bad_reference", "alert/references"),
        ("<references/>", "<references>a,b,now</references>", "bad_reference", "alert/references"),
        ("<geocode>", "<polygon>22,114 23,114 22,114</polygon><geocode>", "bad_polygon", ""),
        ("<geocode>", "<polygon>1,1 1,2 2,2 2,1</polygon><geocode>", "bad_polygon", ""),
        ("<geocode>", "<polygon>114,22 1,2 2,2 114,22</polygon><geocode>", "bad_polygon", ""),
        ("<geocode>", "<circle>22.5,114.1</circle><geocode>", "bad_circle", ""),
        ("<geocode>", "<circle>22.5,114.1 -1</circle><geocode>", "bad_circle", ""),
        ("</area>", "<altitude>high</altitude></area>", "bad_number", "alert/info/area/altitude"),
        ("</area>", "<ceiling>9</ceiling></area>", "ceiling_without_altitude", ""),
        ("</area>", "<altitude/><ceiling>9</ceiling></area>", "ceiling_without_altitude", ""),
        ("</area>", "<altitude>.</altitude></area>", "bad_number", "alert/info/area/altitude"),
        ("<value>440303</value>", "", "missing_element", "alert/info/area/geocode"),
    ],
)
def test_each_departure_from_the_standard_is_refused_with_its_reason_and_place(
    old, new, reason, where
):
    refused = refusal(replaced(old, new))

    assert refused.reason == reason
    assert refused.where.startswith(where)
    assert re.search(r"line \d+ column \d+$", refused.where)
    assert re.search("[\u4e00-\u9fff]", refused.sentence)


# --- accepted ---------------------------------------------------------------------------------


def test_a_chinese_centre_is_understood():
    alert = read_alert(style("centre"))

    [info] = alert.chosen
    assert alert.id.sent == datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
    assert (info.level, info.event, info.sender_name) == ("orange", "暴雨", "样例市气象台")
    assert "强降水 & 局地大风" in info.description
    assert regions_of(info.areas[0]) == ("440304", "440303")
    assert alert.warnings == ()


def test_a_weather_service_with_prefixes_and_references_is_understood():
    alert = read_alert(style("service"))

    [info] = alert.chosen
    assert alert.message_type == "Update"
    assert len(alert.references) == 2
    assert alert.references[0].identifier == "urn:oid:2.49.0.1.840.0.aa00.001.1"
    assert info.language == "en-US"
    assert info.level == "orange"
    assert len(info.areas[0].polygons[0]) == 4
    assert regions_of(info.areas[0]) == ()  # SAME and UGC are not ours
    assert alert.warnings == ()


def test_a_signed_document_in_two_languages_is_understood():
    alert = read_alert(style("signed"))

    assert [info.language for info in alert.infos] == ["en-CA", "fr-CA"]
    assert [info.language for info in alert.chosen] == ["en-CA"]
    assert alert.infos[1].areas[0].circles[0].radius == 12.5
    assert alert.warnings == ()


def test_chinese_is_chosen_among_languages_and_extensions_are_noted():
    alert = read_alert(style("languages"))

    [info] = alert.chosen
    assert (info.language, info.headline) == ("zh-CN", "大火产生浓烟")
    assert alert.infos[0].level == "blue"
    assert alert.warnings == ("extension",)


@pytest.mark.parametrize(
    ("encode", "declared"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("gb18030", "GB18030"),
        ("gbk", "GBK"),
        ("gbk", "gb2312"),
    ],
)
def test_every_encoding_of_chinese_publishers_is_read(encode, declared):
    text = CENTRE.replace('encoding="UTF-8"', f'encoding="{declared}"')

    assert read_alert(text.encode(encode)) == read_alert(CENTRE.encode())


def test_the_charset_of_the_header_goes_before_the_declaration():
    assert read_alert(CENTRE.encode("gbk"), "GBK") == read_alert(CENTRE.encode())
    assert refusal(CENTRE.encode("gbk")).reason == "bad_encoding"


@pytest.mark.parametrize("header", ["ISO-8859-1", "us-ascii", "windows-1252"])
def test_what_a_server_says_of_every_file_does_not_turn_chinese_into_rubbish(header):
    assert read_alert(CENTRE.encode(), header) == read_alert(CENTRE.encode())
    western = CENTRE.replace("暴雨", "Sturmböen")
    western = re.sub("[\u0100-\uffff]", "x", western)
    assert read_alert(western.encode("cp1252"), "windows-1252").infos[0].event == "Sturmböen"


@pytest.mark.parametrize("encode", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_header_that_says_utf_16_leaves_the_order_of_bytes_to_the_document(encode):
    assert read_alert(CENTRE.encode(encode), "UTF-16") == read_alert(CENTRE.encode())


def test_every_encoding_that_is_allowed_is_known():
    for encoding in _ENCODINGS:
        assert b"".decode(_WIDER.get(encoding, encoding)) == ""


def test_every_prefix_is_as_good_as_another():
    text = re.sub(r"<(/?)([a-zA-Z])", r"<\1w:\2", CENTRE[CENTRE.index("<alert") :])
    text = text.replace("<w:alert xmlns=", "<w:alert xmlns:w=").replace("<!w:[CDATA", "<![CDATA")

    assert read_alert(text.encode()) == read_alert(CENTRE.encode())


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("<sent>2026-11-24T09:30:00+08:00", "<sent>2026-11-24T01:30:00Z", "time_form"),
        ("<sent>2026-11-24T09:30:00+08:00", "<sent>2026-11-24T09:30:00.000+08:00", "time_form"),
        ("<certainty>Likely", "<certainty>Very Likely", "very_likely"),
        ("<severity>Severe", "<severity>Orange", "colour"),
        ("<severity>Severe", "<severity>橙色", "colour"),
        ("<onset>2026-11-24T09:30:00+08:00", "<onset>", "blank"),
        ("<geocode>", "<polygon></polygon><geocode>", "blank"),
        ("<geocode>", "<circle/><geocode>", "blank"),
        ("</area>", "<altitude/><ceiling/></area>", "blank"),
        ("<responseType>Monitor", "<responseType>", "blank"),
        ("</area>", "<altitude>.5</altitude><ceiling>+9842.5197</ceiling></area>", None),
        ("<geocode>", "<circle>-.5,.25 0</circle><geocode>", None),
        ("<note>样例</note>", "<e:x xmlns:e='urn:x'><e:y/></e:x><note>样例</note>", "extension"),
        ("<info>", "<info>x", "stray_text"),
        ("<code>440300000000</code>", "", None),
    ],
)
def test_what_is_only_spelt_differently_is_understood_and_noted(old, new, warning):
    alert = read_alert(replaced(old, new).encode())

    assert alert.warnings == ((warning,) if warning else ())
    assert alert.id == read_alert(CENTRE.encode()).id
    assert alert.infos[0].severity == "Severe"


def test_the_end_of_a_day_is_the_beginning_of_the_next():
    text = replaced("<expires>2026-11-24T21:30:00+08:00", "<expires>2026-11-30T24:00:00+08:00")

    assert read_alert(text.encode()).infos[0].expires == datetime(2026, 11, 30, 16, tzinfo=UTC)
    late = replaced("T21:30:00+08:00</expires>", "T24:00:01+08:00</expires>")
    assert refusal(late).reason == "bad_time"


def test_another_order_of_elements_is_understood_and_noted():
    moved = replaced("<status>Actual</status>", "")
    moved = replaced("<scope>", "<status>Actual</status><scope>", moved)

    assert read_alert(moved.encode()).warnings == ("order",)


def test_expiry_at_the_end_of_time_is_for_ever():
    text = replaced("<expires>2026-11-24T21:30:00+08:00", "<expires>9999-12-31T23:59:59-05:00")

    assert read_alert(text.encode()).infos[0].expires == FOR_EVER


def test_an_alert_without_information_is_standard_conforming():
    text = re.sub("<info>.*</info>", "", CENTRE, flags=re.DOTALL)

    assert read_alert(text.encode()).chosen == ()


# --- anything at all --------------------------------------------------------------------------


def judged(body: bytes) -> None:
    """Read whatever this is: an alert or a refusal that says why and where, nothing else."""
    found = outcome(body)
    if isinstance(found, CapRefused):
        assert all((found.reason, found.sentence, found.where))


def outcome(body: bytes) -> Alert | CapRefused:
    try:
        return read_alert(body)
    except CapRefused as refused:
        return refused


QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUICK
@given(st.binary(max_size=400))
def test_random_bytes_are_judged(body):
    judged(body)


@QUICK
@given(
    st.sampled_from(STYLES),
    st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 12), st.binary(max_size=12)), max_size=6
    ),
)
def test_mutated_documents_are_judged(name, changes):
    body = style(name)
    for number, length, new in changes:
        place = number % len(body)
        body = body[:place] + new + body[place + length :]

    judged(body)


NAMES = "alert info area geocode value valueName sent references x:y polygon circle status event"
NAMES += " parameter msgType severity language"
WORDS = st.one_of(
    st.sampled_from(NAMES.split()), st.sampled_from("abcdefgh"), st.sampled_from(["é", "字", "_-."])
)
ODD = (
    "Actual|Update|a,b,2026-01-01T00:00:00Z|9999-12-31T23:59:59+23:59|1,2 3|²,³ ٣||1,1 1,1 1,1 1,1"
)
ODD += "|2026-11-24T24:00:00+08:00|0000-00-00T00:00:00Z|0001-01-01T00:00:00+08:00"
TEXTS = st.one_of(
    st.sampled_from(ODD.split("|")),
    st.text(st.characters(exclude_characters="<&]\r", exclude_categories=("Cc", "Cs")), max_size=9),
)
TREES = st.recursive(
    TEXTS,
    lambda inner: st.lists(st.tuples(WORDS, inner), max_size=6).map(
        lambda parts: "".join(f"<{word}>{text}</{word}>" for word, text in parts)
    ),
    max_leaves=25,
)


@QUICK
@given(TREES)
def test_random_well_formed_documents_are_judged(inside):
    judged(f'<alert xmlns="{NAMESPACE}" xmlns:x="urn:x">{inside}</alert>'.encode())


@QUICK
@given(st.sampled_from(STYLES), st.integers(0, 60), TEXTS)
def test_documents_with_any_text_in_any_place_are_judged(name, number, text):
    body = style(name).decode()
    places = list(re.finditer(r">([^<>]*)</", body))
    place = places[number % len(places)]

    judged((body[: place.start(1)] + text + body[place.end(1) :]).encode())
