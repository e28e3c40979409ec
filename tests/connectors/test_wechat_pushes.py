"""Every message kind and event of the platform becomes its typed value."""

from datetime import UTC, datetime

import pytest

from connectors.wechat.pushes import read_push
from connectors.wechat.xml import MAX_DEPTH, MAX_ELEMENTS, Malformed, parse
from domain.conversation import (
    AuthorizationChange,
    Certification,
    ConsentEvent,
    ConsentItem,
    DeskSession,
    Follow,
    ImageMessage,
    LinkMessage,
    LocationMessage,
    LocationReport,
    MassReceipt,
    MenuClick,
    MenuView,
    MiniProgramMessage,
    PhotosPicked,
    PlacePicked,
    PublishReceipt,
    Scan,
    ScanCode,
    TemplateReceipt,
    TextMessage,
    Unfollow,
    UnknownEvent,
    UnknownMessage,
    VideoMessage,
    VoiceMessage,
)
from domain.ids import AccountId
from tests.support.wechat import xml_of

PERSON = "oAbCd1234567890EfGhIjKlMnOpQ"
AT = 1700000001
COMMON = {"account": "city", "openid": PERSON, "at": datetime.fromtimestamp(AT, UTC)}


def read(fields: str, kind: str = "event", openid: str = PERSON):
    body = xml_of(fields, openid=openid, at=AT, kind=kind).encode()
    return read_push(AccountId("city"), parse(body), body).message


def event(name: str, fields: str = ""):
    return read(f"<Event><![CDATA[{name}]]></Event>{fields}")


MESSAGES = [
    ("text", "<Content><![CDATA[电费 2023 😀]]></Content>", TextMessage, {"text": "电费 2023 😀"}),
    ("text", "<Content>  a\nb </Content>", TextMessage, {"text": "  a\nb "}),
    (
        "text",
        "<Content>满意</Content><bizmsgmenuid>101</bizmsgmenuid>",
        TextMessage,
        {"text": "满意", "menu_item": "101"},
    ),
    (
        "image",
        "<PicUrl><![CDATA[http://p/0]]></PicUrl><MediaId><![CDATA[m1]]></MediaId>",
        ImageMessage,
        {"media_id": "m1", "url": "http://p/0"},
    ),
    (
        "voice",
        "<MediaId>m2</MediaId><Format>amr</Format><MediaId16K>x</MediaId16K>"
        "<Recognition><![CDATA[查公积金。]]></Recognition>",
        VoiceMessage,
        {"media_id": "m2", "format": "amr", "recognition": "查公积金。"},
    ),
    ("voice", "<MediaId>m2</MediaId>", VoiceMessage, {"media_id": "m2"}),
    (
        "video",
        "<MediaId>m3</MediaId><ThumbMediaId>t3</ThumbMediaId>",
        VideoMessage,
        {"media_id": "m3", "thumb_media_id": "t3"},
    ),
    ("shortvideo", "<MediaId>m3</MediaId>", VideoMessage, {"media_id": "m3", "is_short": True}),
    (
        "location",
        "<Location_X>39.908722</Location_X><Location_Y><![CDATA[116.397499]]></Location_Y>"
        "<Scale>15</Scale><Label><![CDATA[东长安街]]></Label>",
        LocationMessage,
        {"latitude": 39.908722, "longitude": 116.397499, "scale": 15, "label": "东长安街"},
    ),
    (
        "link",
        "<Title>办事指南</Title><Description>居住证</Description><Url>https://e/g</Url>",
        LinkMessage,
        {"title": "办事指南", "description": "居住证", "url": "https://e/g"},
    ),
    (
        "miniprogrampage",
        "<Title>取号</Title><AppId>wxf</AppId><PagePath>pages/i?id=1</PagePath>",
        MiniProgramMessage,
        {"title": "取号", "app_id": "wxf", "page": "pages/i?id=1"},
    ),
    ("file", "<Title>a.pdf</Title>", UnknownMessage, {"kind": "file"}),
]


@pytest.mark.parametrize(("kind", "fields", "cls", "expected"), MESSAGES)
def test_every_message_kind_is_read(kind, fields, cls, expected):
    message = read(f"{fields}<MsgId>24345678901234567</MsgId>", kind)

    key = f"m:{PERSON}:24345678901234567"
    assert message == cls(**COMMON, dedupe_key=key, **expected)


EVENTS = [
    ("subscribe", "<EventKey></EventKey>", Follow, {}),
    ("subscribe", "", Follow, {}),
    ("subscribe", "<EventKey>qrscene_window_12</EventKey>", Follow, {"scene": "window_12"}),
    ("unsubscribe", "<EventKey></EventKey>", Unfollow, {}),
    ("SCAN", "<EventKey>window_12</EventKey><Ticket>g</Ticket>", Scan, {"scene": "window_12"}),
    (
        "LOCATION",
        "<Latitude>39.9</Latitude><Longitude>116.3</Longitude><Precision>65.0</Precision>",
        LocationReport,
        {"latitude": 39.9, "longitude": 116.3, "precision": 65.0},
    ),
    ("CLICK", "<EventKey>query.social</EventKey>", MenuClick, {"key": "query.social"}),
    (
        "VIEW",
        "<EventKey>https://e/h</EventKey><MenuID>4320</MenuID>",
        MenuView,
        {"target": "https://e/h", "menu_id": "4320"},
    ),
    (
        "view_miniprogram",
        "<EventKey>pages/i</EventKey>",
        MenuView,
        {"target": "pages/i", "is_mini_program": True},
    ),
    (
        "scancode_waitmsg",
        "<EventKey>k</EventKey><ScanCodeInfo><ScanType><![CDATA[barcode]]></ScanType>"
        "<ScanResult><![CDATA[CODE_128,0123]]></ScanResult></ScanCodeInfo>",
        ScanCode,
        {"key": "k", "scan_type": "barcode", "result": "CODE_128,0123", "waits": True},
    ),
    (
        "scancode_push",
        "<EventKey>k</EventKey><ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>1</ScanResult>"
        "</ScanCodeInfo>",
        ScanCode,
        {"key": "k", "scan_type": "qrcode", "result": "1", "waits": False},
    ),
    (
        "pic_sysphoto",
        "<EventKey>k</EventKey><SendPicsInfo><Count>2</Count><PicList>"
        "<item><PicMd5Sum>aa</PicMd5Sum></item><item><PicMd5Sum>bb</PicMd5Sum></item>"
        "</PicList></SendPicsInfo>",
        PhotosPicked,
        {"key": "k", "source": "sysphoto", "count": 2, "md5s": ("aa", "bb")},
    ),
    (
        "pic_weixin",
        "<EventKey>k</EventKey><SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum>aa"
        "</PicMd5Sum></item></PicList></SendPicsInfo>",
        PhotosPicked,
        {"key": "k", "source": "weixin", "count": 1, "md5s": ("aa",)},
    ),
    (
        "location_select",
        "<EventKey>k</EventKey><SendLocationInfo><Location_X><![CDATA[39.9]]></Location_X>"
        "<Location_Y>116.3</Location_Y><Scale>15</Scale><Label>街</Label><Poiname>门</Poiname>"
        "</SendLocationInfo>",
        PlacePicked,
        {"key": "k", "latitude": 39.9, "longitude": 116.3, "label": "街", "name": "门"},
    ),
    (
        "TEMPLATESENDJOBFINISH",
        "<MsgID>3557254367693750277</MsgID><Status><![CDATA[failed: System Failed]]></Status>",
        TemplateReceipt,
        {"message_id": "3557254367693750277", "status": "failed:systemfailed"},
    ),
    (
        "MASSSENDJOBFINISH",
        "<MsgID>1000001625</MsgID><Status>send success</Status><TotalCount>12</TotalCount>"
        "<FilterCount>11</FilterCount><SentCount>10</SentCount><ErrorCount>1</ErrorCount>",
        MassReceipt,
        {
            "message_id": "1000001625",
            "status": "sendsuccess",
            "total": 12,
            "filtered": 11,
            "sent": 10,
            "failed": 1,
        },
    ),
    (
        "FREEPUBLISHJOBFINISH",
        "<PublishEventInfo><publish_id>22</publish_id><publish_status>0</publish_status>"
        "<article_id>b5</article_id><article_detail><count>1</count><item><idx>1</idx></item>"
        "</article_detail></PublishEventInfo>",
        PublishReceipt,
        {"publish_id": "22", "status": 0, "article_id": "b5"},
    ),
    (
        "subscribe_msg_popup_event",
        "<SubscribeMsgPopupEvent><List><TemplateId>A</TemplateId><SubscribeStatusString>accept"
        "</SubscribeStatusString><PopupScene>1</PopupScene></List><List><TemplateId>B</TemplateId>"
        "<SubscribeStatusString>reject</SubscribeStatusString><PopupScene>1</PopupScene></List>"
        "</SubscribeMsgPopupEvent>",
        ConsentEvent,
        {
            "kind": "popup",
            "items": (
                ConsentItem("A", "accept", scene="1"),
                ConsentItem("B", "reject", scene="1"),
            ),
        },
    ),
    (
        "subscribe_msg_change_event",  # under the wrapper an early official sample had
        "<SubscribeMsgPopupEvent><List><TemplateId>A</TemplateId><SubscribeStatusString>reject"
        "</SubscribeStatusString></List></SubscribeMsgPopupEvent>",
        ConsentEvent,
        {"kind": "change", "items": (ConsentItem("A", "reject"),)},
    ),
    (
        "subscribe_msg_sent_event",
        "<SubscribeMsgSentEvent><List><TemplateId>A</TemplateId><MsgID>17</MsgID>"
        "<ErrorCode>0</ErrorCode><ErrorStatus>success</ErrorStatus></List></SubscribeMsgSentEvent>",
        ConsentEvent,
        {"kind": "sent", "items": (ConsentItem("A", "success", message_id="17", code="0"),)},
    ),
    (
        "kf_create_session",
        "<KfAccount>d1@g</KfAccount>",
        DeskSession,
        {"kind": "create", "desk": "d1@g"},
    ),
    (
        "kf_close_session",
        "<KfAccount>d1@g</KfAccount>",
        DeskSession,
        {"kind": "close", "desk": "d1@g"},
    ),
    (
        "kf_switch_session",
        "<FromKfAccount>d1@g</FromKfAccount><ToKfAccount>d2@g</ToKfAccount>",
        DeskSession,
        {"kind": "switch", "desk": "d2@g", "from_desk": "d1@g"},
    ),
    (
        "qualification_verify_fail",
        "<FailTime>1700000100</FailTime><FailReason><![CDATA[by time]]></FailReason>",
        Certification,
        {
            "kind": "qualification_verify_fail",
            "moment": datetime.fromtimestamp(1700000100, UTC),
            "reason": "by time",
        },
    ),
    (
        "verify_expired",
        "<ExpiredTime>1731536000</ExpiredTime>",
        Certification,
        {"kind": "verify_expired", "moment": datetime.fromtimestamp(1731536000, UTC)},
    ),
    ("naming_verify_success", "", Certification, {"kind": "naming_verify_success", "moment": None}),
    ("card_pass_check", "<CardId>c</CardId>", UnknownEvent, {"name": "card_pass_check"}),
]


@pytest.mark.parametrize(("name", "fields", "cls", "expected"), EVENTS)
def test_every_event_is_read(name, fields, cls, expected):
    message = event(name, fields)

    assert message == cls(**COMMON, dedupe_key=message.dedupe_key, **expected)


@pytest.mark.parametrize(("name", "fields", "cls", "expected"), EVENTS)
def test_event_and_field_names_are_read_in_any_case(name, fields, cls, expected):
    assert isinstance(event(name.swapcase(), fields), cls)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user_info_modified", "modified"),
        ("user_authorization_revoke", "revoked"),
        ("user_authorization_cancellation", "cancelled"),
    ],
)
@pytest.mark.parametrize("field", ["OpenID", "openid"])
def test_the_person_of_an_authorisation_event_is_not_its_sender(name, kind, field):
    fields = f"<{field}>{PERSON}</{field}><AppID>wx</AppID><RevokeInfo>205</RevokeInfo>"

    message = read(f"<Event>{name}</Event>{fields}", openid="oPlatform")

    assert isinstance(message, AuthorizationChange)
    assert (message.openid, message.kind, message.revoked) == (PERSON, kind, "205")


def test_repeats_have_one_key_and_different_pushes_have_different_ones():
    click = "<EventKey>query.social</EventKey>"
    other = "<EventKey>query.fund</EventKey>"
    job = "<MsgID>7</MsgID><Status>success</Status>"

    assert event("CLICK", click).dedupe_key == event("CLICK", click).dedupe_key
    assert event("CLICK", click).dedupe_key != event("CLICK", other).dedupe_key
    assert event("CLICK", click).dedupe_key != event("VIEW", click).dedupe_key
    assert event("TEMPLATESENDJOBFINISH", job).dedupe_key == "j:templatesendjobfinish:7"
    text = "<Content>a</Content>"  # without MsgId the content and its time must do
    assert read(text, "text").dedupe_key == read(text, "text").dedupe_key
    assert read(text, "text").dedupe_key != read("<Content>b</Content>", "text").dedupe_key
    same = read(f"{text}<MsgId>1</MsgId>", "text", "oOther").dedupe_key  # one MsgId, two people
    assert same != read(f"{text}<MsgId>1</MsgId>", "text").dedupe_key


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ("", "text"),
        ("", "event"),
        ("", ""),
        ("<Event>CLICK</Event>", "event"),
        ("<Event>TEMPLATESENDJOBFINISH</Event>", "event"),
        ("<Event>user_info_modified</Event>", "event"),
        ("<Event>subscribe_msg_sent_event</Event>", "event"),
        ("<Location_X>nan</Location_X><Location_Y>1</Location_Y>", "location"),
        ("<Location_X>1e400</Location_X><Location_Y>1</Location_Y>", "location"),
        ("<Location_X>39</Location_X>", "location"),
    ],
)
def test_a_push_without_what_makes_it_one_is_malformed(fields, kind):
    with pytest.raises(Malformed):
        read(fields, kind)


@pytest.mark.parametrize("openid", ["", "a b", "中文", "o" * 65, "o\x7f"])
def test_a_name_that_is_no_openid_is_malformed(openid):
    with pytest.raises(Malformed):
        read("<Content>a</Content>", "text", openid)


@pytest.mark.parametrize("at", ["", "soon", "-1", "99999999999", "9" * 5000, "²"])
def test_a_time_that_is_none_is_malformed(at):
    body = (
        f"<xml><ToUserName>g</ToUserName><FromUserName>o</FromUserName><CreateTime>{at}"
        "</CreateTime><MsgType>text</MsgType><Content>a</Content></xml>"
    ).encode()

    with pytest.raises(Malformed):
        read_push(AccountId("city"), parse(body), body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"{}",
        b"\xff\xfe<xml/>",
        b"<xml>\x00</xml>",
        b"<xml>\xc3(</xml>",
        b"<xml><a></xml>",
        b"<html></html>",
        b"<xml></xml><xml></xml>",
        b"<!DOCTYPE xml><xml></xml>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Content>&a;</Content></xml>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml></xml>',
        b"<xml>&undefined;</xml>",
        b"<xml>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</xml>",
        b"<xml>" + b"<a/>" * (MAX_ELEMENTS + 1) + b"</xml>",
        b"<xml>" + b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH + b"</xml>",
    ],
)
def test_hostile_xml_is_malformed(body):
    with pytest.raises(Malformed):
        parse(body)


@pytest.mark.parametrize("odd", ["\x01", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_a_character_that_xml_forbids_is_read_as_a_blank(odd):
    body = f"<xml><Content><![CDATA[停水{odd}福田区😀\ue056]]></Content></xml>".encode()

    assert parse(body).text("content") == "停水 福田区😀\ue056"


@pytest.mark.parametrize("odd", ["\x01", "\x1f", "\ufffe", "\uffff"])
def test_a_forbidden_character_hides_no_end_of_a_text(odd):
    typed = f"]]{odd}></Content><MsgId>1</MsgId><Content><![CDATA["
    body = f"<xml><Content><![CDATA[{typed}]]></Content><MsgId>2</MsgId></xml>".encode()

    fields = parse(body)

    assert fields.word("msgid") == "2"
    assert fields.text("content") == typed.replace(odd, " ")
