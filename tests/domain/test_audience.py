"""Rules as values: one form for one meaning, and the way to storage and back."""

from datetime import date

import pytest
from hypothesis import given

from domain.audience import (
    NOBODY,
    AllOf,
    AnyOf,
    Bound,
    Everybody,
    Followed,
    Got,
    InRegion,
    Not,
    OnTopic,
    Tagged,
    broadcasts_in,
    digest,
    normalised,
    plain,
    rule_from,
    sealed,
    walk,
)
from domain.people import Subject
from tests.storage.test_rules import rules

A, B, C = Tagged("a"), Tagged("b"), Tagged("c")
CAR = Subject(kind="vehicle", value="粤B12345", plate_type="02")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (AllOf((A, B)), AllOf((B, A, A))),
        (AllOf((A, AllOf((B, C)))), AllOf((AllOf((C, A)), B))),
        (Not(Not(A)), A),
        (Not(AnyOf((A, B))), AllOf((Not(A), Not(B)))),
        (Not(AllOf((A, Not(B)))), AnyOf((Not(A), B))),
        (AllOf((A, Everybody())), A),
        (AnyOf((A, Everybody())), Everybody()),
        (AllOf((A, Not(A))), NOBODY),
        (AnyOf((A, Not(A))), Everybody()),
    ],
)
def test_two_spellings_of_one_rule_are_one(one, other):
    assert normalised(one) == normalised(other)
    assert digest(one) == digest(other)


def test_different_rules_have_different_digests():
    several = [A, B, Not(A), AllOf((A, B)), AnyOf((A, B)), OnTopic("a"), OnTopic("a", "440304")]
    several += [InRegion("440304"), Got("a"), Bound("vehicle"), Followed(since=date(2026, 1, 1))]

    assert len({digest(rule) for rule in several}) == len(several)


@given(rule=rules)
def test_a_sealed_rule_is_kept_and_read_back(rule):
    kept = sealed(rule, lambda subject: f"hash of {subject.value[-1]}")

    assert rule_from(plain(kept)) == kept
    assert digest(rule_from(plain(kept))) == digest(kept)


@given(rule=rules)
def test_a_normal_form_is_final(rule):
    assert normalised(normalised(rule)) == normalised(rule)


def test_a_named_thing_is_not_kept():
    rule = AnyOf((A, Bound("vehicle", named=CAR)))

    with pytest.raises(ValueError, match="sealed"):
        plain(rule)
    assert "12345" not in repr(rule)
    assert sealed(rule, lambda _: None) == rule  # no such thing: for the checks to name


def test_places_are_spelt_as_in_the_request():
    rule = AllOf((A, Not(AnyOf((B, Got("bc_1"))))))

    assert [(path, depth) for path, depth, _ in walk(rule, "rule")] == [
        ("rule", 1),
        ("rule.and.0", 2),
        ("rule.and.1", 2),
        ("rule.and.1.not", 3),
        ("rule.and.1.not.or.0", 4),
        ("rule.and.1.not.or.1", 4),
    ]
    assert broadcasts_in(rule) == ("bc_1",)
