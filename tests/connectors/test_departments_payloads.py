"""Captured answers in, domain objects out: each source's words become ours at the edge."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from config.settings import DepartmentSettings
from connectors.departments import Departments, open_departments
from connectors.traffic import DEPARTMENT as TRAFFIC
from domain.errors import BrokenContract, InvalidInput
from domain.masking import IdentityNumber, PersonName, Plate
from tests.support.department_server import payload, stub_department

EMPLOYEE = (IdentityNumber("990101199001010019"), PersonName("张伟"))
NAMES = ("social", "medical", "fund", "traffic", "utilities")


@pytest.fixture
def answering(http, clock):
    """Departments that all give one answer."""

    @asynccontextmanager
    async def opened(answer: bytes | tuple[int, str]) -> AsyncIterator[Departments]:
        async with stub_department(answer) as stub:
            settings = {name: DepartmentSettings(base_url=stub.url) for name in NAMES}
            yield open_departments(http, settings, clock)

    return opened


async def test_the_two_social_vocabularies_become_one(answering):
    async with answering(payload("social/employee")) as departments:
        record = await departments.social.record(*EMPLOYEE)

    # 3 ends an employee's insurance, 4 a resident's
    assert [line.state for line in record.insurances] == ["active", "ended", "ended"]
    assert record.insurances[0].balance == 6_336_045
    assert record.insurances[0].base == 1_200_000


async def test_payments_keep_their_period_kind_and_sign(answering):
    async with answering(payload("social/employee")) as departments:
        record = await departments.social.record(*EMPLOYEE)

    pending, late, refund = record.contributions
    assert (pending.arrived, pending.paid_unit) == (False, 192_000)
    assert (late.period, late.pay_month, late.late_fee) == ("202405", "202609", 12_050)
    assert (refund.pay_type, refund.total) == ("refund", -288_000)


async def test_a_resident_has_no_personal_account_rather_than_an_empty_one(answering):
    person = (IdentityNumber("990101200108080047"), PersonName("赵敏"))
    async with answering(payload("medical/resident")) as departments:
        record = await departments.medical.record(*person)

    assert record.account is None
    assert record.state == "ended"  # 4, where the employees' system would say 3
    assert [line.on for line in record.flow] == [date(2026, 11, 2), date(2026, 10, 2)]


async def test_a_sealed_fund_account_with_a_loan(answering):
    person = (IdentityNumber("990101198805120024"), PersonName("王芳"))
    async with answering(payload("fund/sealed")) as departments:
        record = await departments.fund.record(*person)

    assert (record.state, record.balance, record.paid_to) == ("sealed", 8_812_345, "202607")
    assert record.loan.rate == Decimal("2.6")
    assert record.loan.is_overdue
    assert "88051" not in f"{record.account} {record!r}"


async def test_violations_come_newest_first_with_their_states(answering):
    async with answering(payload("traffic/one_of_each")) as departments:
        found = await departments.traffic.violations(Plate("粤B12345"), "02", "1234")

    assert [record.state for record in found.records] == ["unpaid", "unhandled", "paid", "revoked"]
    assert found.records[1].at == datetime(2026, 11, 20, 0, 15, tzinfo=UTC)  # 08:15 in Beijing
    assert found.records[0].fine == 20_000


async def test_phases_are_told_in_their_order(answering):
    async with answering(payload("utilities/two_phases")) as departments:
        found = await departments.utilities.outages("water", "440304")

    latest = found.relevant(datetime(2026, 11, 24, 2, 0, tzinfo=UTC)).outages
    assert [phase.mode for phase in latest[0].phases] == ["off", "low"]
    assert latest[0].affected == 3200


async def test_nothing_on_record_is_none_and_no_error(answering):
    async with answering((404, "no_data")) as departments:
        assert await departments.social.record(*EMPLOYEE) is None
        assert await departments.medical.record(*EMPLOYEE) is None
        assert await departments.fund.record(*EMPLOYEE) is None


async def test_wrong_engine_digits_are_the_citizens_to_correct(answering):
    async with answering((422, "bad_input")) as departments:
        with pytest.raises(InvalidInput, match=TRAFFIC.hotline):
            await departments.traffic.violations(Plate("粤B12345"), "02", "9999")


async def test_somebody_elses_record_is_never_passed_on(answering):
    stranger = (IdentityNumber("990101198805120024"), PersonName("王芳"))
    async with answering(payload("social/employee")) as departments:
        with pytest.raises(BrokenContract):
            await departments.social.record(*stranger)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("an unknown status", b'"AAC008": "1"', b'"AAC008": "9"'),
        ("a resident's status in an employee's line", b'"AAC008": "1"', b'"AAC008": "0"'),
        ("money that is no amount", b"63360.45", b"sixty"),
        ("a tenth of a fen", b"63360.45", b"63360.451"),
        ("a thirteenth month", b'"202610"', b'"202613"'),
        ("no time of the data", b'"as_of"', b'"as"'),
        ("a time without its zone", b"+08:00", b""),
    ],
)
async def test_what_was_not_agreed_is_a_broken_contract(answering, caplog, name, before, after):
    assert before in payload("social/employee"), name

    async with answering(payload("social/employee").replace(before, after)) as departments:
        with pytest.raises(BrokenContract) as caught:
            await departments.social.record(*EMPLOYEE)

    assert "12333" in caught.value.say
    alarm = next(r for r in caplog.records if r.message == "department.broken_contract")
    assert alarm.levelname == "ERROR"
    assert "990101" not in str(alarm.__dict__)
