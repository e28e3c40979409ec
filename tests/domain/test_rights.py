"""Who may do what, and which roles exclude one another."""

import itertools

import pytest

from domain.access import EVERYWHERE, ROLES
from domain.errors import InvalidInput
from domain.ids import AccountId
from domain.rights import EVERY_RIGHT, RIGHTS, SEPARATE, accounts_of, check_grants, rights_of

CITY, PLAIN = AccountId("city"), AccountId("plain")


def test_every_role_is_in_the_table_and_every_right_is_somebodys():
    assert set(RIGHTS) == set(ROLES)
    assert frozenset().union(*RIGHTS.values()) == set(EVERY_RIGHT)


def test_nobody_both_administers_and_audits_or_does_the_daily_work():
    administers = {"account.write", "operators.write", "roles.write", "audit.read"}
    sends = {"broadcasts.write", "broadcasts.review", "broadcasts.publish", "subscribers.unmask"}

    assert [
        role for role, rights in RIGHTS.items() if rights & administers and rights & sends
    ] == []
    assert [role for role, rights in RIGHTS.items() if "audit.read" in rights] == ["auditor"]
    assert [role for role, rights in RIGHTS.items() if "roles.write" in rights] == [
        "security_admin"
    ]


def test_an_auditor_changes_nothing():
    assert {right for right in RIGHTS["auditor"] if not right.endswith(".read")} == {"self"}


@pytest.mark.parametrize("pair", tuple(itertools.combinations(ROLES, 2)), ids="+".join)
def test_the_three_separate_roles_exclude_one_another_and_all_others(pair):
    grants = {EVERYWHERE: frozenset(pair)}

    if SEPARATE.intersection(pair):
        with pytest.raises(InvalidInput, match="三员分立"):
            check_grants(grants)
    else:
        check_grants(grants)


def test_separate_roles_hidden_in_different_accounts_are_found():
    with pytest.raises(InvalidInput, match="三员分立"):
        check_grants({EVERYWHERE: frozenset({"auditor"}), CITY: frozenset({"editor"})})


def test_a_separate_role_counts_everywhere_or_not_at_all():
    with pytest.raises(InvalidInput) as refused:
        check_grants({CITY: frozenset({"auditor"})})

    assert refused.value.field == "account"


@pytest.mark.parametrize(
    "grants",
    [{}, {CITY: frozenset()}, {CITY: frozenset({"king"})}, {AccountId("x"): frozenset({"desk"})}],
)
def test_grants_of_nothing_or_of_what_there_is_not_are_refused(grants):
    with pytest.raises(InvalidInput):
        check_grants(grants, (CITY, PLAIN))


def test_a_right_of_one_account_counts_in_no_other_and_in_nothing_global():
    grants = {CITY: frozenset({"editor"})}

    assert "broadcasts.write" in rights_of(grants, CITY)
    assert rights_of(grants, PLAIN) == {"self"}
    assert rights_of(grants) == {"self"}
    assert accounts_of(grants, (PLAIN, CITY)) == (CITY,)


def test_a_right_held_everywhere_counts_in_every_account():
    grants = {EVERYWHERE: frozenset({"editor"})}

    assert "broadcasts.write" in rights_of(grants, PLAIN)
    assert accounts_of(grants, (PLAIN, CITY)) == (PLAIN, CITY)
