"""The error table: complete against the platform's list, and right where it matters."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.wechat.errcodes import (
    RULES,
    UNKNOWN,
    codes_of,
    failure_for,
    failure_outside,
    rule_for,
)

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # 12:00 in Beijing

# Section 5 of the platform's description, copied: its classes and the codes that carry them.
LISTED = {
    "RN": "-1 43108",
    "OK": "0 45065 45081",
    "RT": "40001 40014 42001",
    "CF": """
        40002 40013 40125 40164 40243 41002 41004 48001 48004 50001 50004 50007 45103 45109
        61003 61004 61007 61023 61024 89506 43116 45087 40036 40037 40249 43106 43107 45026 45027
        48008 200011 200013 53503-53505 48003 45029 85079
        """,
    "RL": """
        45009 45011 48006 45102 45501 42010 89501 89502 89503 89504 89505 89507 43117 43100 45010
        45028 45066 9500001 9500002 268488001 61450 61503 44990
        """,
    "CFm": """
        41001 43001-43003 76001-76022 40201-40203 40032 43104 40008 40033 40035 40038 40097
        40039 40048 40066 40062 40165 40166 41030 40246 40247 44002 44004 45002 45003-45008
        45012-45014 45072 45098 45099 45168 87014 47001 47002 47003 200012 200014 200016-200022
        200100 40007 46001 40004-40006 40009 40113 40137 41005 41006 44001 44003 45001 45007 48005
        40015-40028 40054 40055 40117-40121 45064 46002 46003 65301 65303-65309 65310-65314
        65316-65318 65320 40059 40060 40130 40132 45067 45083 45084 45113 40050 40051 40152
        45016-45018 45056-45059 45157-45159 40052 40053 9410010-9410012 61451-61457 65400-65412
        65416 65417 61500 61501 40129 40169 40212 85400 85401
        """,
    "DR": """
        40003 40031 43019 43101 45015 45047 49003 70000 40226 45080 65413-65415 61010
        40029 41008 42003 40030 42002 41003 42007 40163 87009
        """,
    "UR": "43004 48002 50002 46004 50005 65315",
}
VERDICTS = {
    "RN": "retry_now",
    "RT": "refresh_token",
    "RL": "retry_later",
    "DR": "drop",
    "UR": "unreachable",
    "CF": "config",
    "CFm": "config_message",
    "OK": "ok",
}


@pytest.mark.parametrize("group", LISTED)
def test_every_listed_code_has_the_class_of_the_list(group: str) -> None:
    codes = set(codes_of(LISTED[group]))

    found = {code: RULES[code].verdict for code in codes}

    assert found == dict.fromkeys(codes, VERDICTS[group])


def test_the_table_holds_nothing_that_the_list_does_not() -> None:
    listed = {code for codes in LISTED.values() for code in codes_of(codes)}

    assert set(RULES) == listed


def test_every_failure_carries_advice_for_the_person_who_reads_the_alarm() -> None:
    assert [code for code, rule in RULES.items() if rule.verdict != "ok" and not rule.advice] == []


def test_an_unknown_code_drops_one_recipient() -> None:
    assert rule_for(123456) is UNKNOWN
    assert failure_for(123456, "new in 2027", NOON).failure == "drop"


@pytest.mark.parametrize(
    ("code", "wait"),
    [
        (45011, timedelta(seconds=60)),
        (89503, timedelta(minutes=3)),
        (45009, timedelta(hours=12, minutes=1)),  # noon in Beijing: a minute after midnight
        (45028, timedelta(days=6, hours=12, minutes=1)),  # the first of December
        (43004, None),
    ],
)
def test_how_long_to_wait_is_part_of_the_error(code: int, wait: timedelta | None) -> None:
    assert failure_for(code, "text", NOON).retry_after == wait


def test_the_day_ends_in_beijing_and_not_in_greenwich() -> None:
    just_after_midnight_in_beijing = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)

    wait = failure_for(45009, "text", just_after_midnight_in_beijing).retry_after

    assert wait == timedelta(hours=23, minutes=31)


def test_december_is_followed_by_january() -> None:
    new_years_eve = datetime(2026, 12, 31, 4, 0, tzinfo=UTC)

    assert failure_for(48006, "text", new_years_eve).retry_after == timedelta(hours=12, minutes=1)


@pytest.mark.parametrize("code", [40001, 42001, 40013, 40125, 40164, 41002, 43003, 777])
def test_at_the_token_call_a_refusal_is_a_matter_of_settings(code: int) -> None:
    assert failure_for(code, "text", NOON, for_token=True).failure == "config"


def test_the_token_calls_quota_is_no_matter_of_settings() -> None:
    assert failure_for(45011, "text", NOON, for_token=True).failure == "retry_later"


def test_a_stopped_interface_makes_nobody_unreachable() -> None:
    """50002 means the person, or our interface: marking every follower would be a disaster."""
    assert failure_for(50002, "user limited rid: 1-2-3", NOON).failure == "unreachable"
    assert failure_for(50002, "interface suspended", NOON).failure == "config"


@pytest.mark.parametrize(
    ("symptom", "send", "read"),
    [
        ("no_connection", "retry_now", "retry_now"),
        ("no_answer", "unknown", "retry_now"),
        ("no_json", "unknown", "retry_now"),
        ("no_member", "retry_now", "retry_now"),
        ("no_body", "config_message", "config_message"),
    ],
)
def test_without_a_code_it_matters_whether_the_call_sent_something(
    symptom: str, send: str, read: str
) -> None:
    assert failure_outside(symptom, "x", NOON, repeatable=False).failure == send
    assert failure_outside(symptom, "x", NOON, repeatable=True).failure == read


def test_only_an_answer_without_its_member_counts_as_minus_one() -> None:
    assert failure_outside("no_member", "x", NOON, repeatable=False).errcode == -1
    assert failure_outside("no_answer", "x", NOON, repeatable=False).errcode == 0
