"""The product's clients against the sandbox's departments: real HTTP, real signatures."""

import pytest

from config.settings import DepartmentSettings
from connectors.departments import open_departments
from domain.clock import in_beijing
from domain.errors import BrokenContract, ConfigError, DepartmentTimeout, InvalidInput
from domain.identifiers import parse_identity
from domain.masking import PersonName, Plate
from sandbox.departments import NAMES
from sandbox.people_data import SAMPLES, STANDARD_SAMPLE
from sandbox.vehicle_data import VEHICLES
from tests.support.department_server import sandbox_departments

SECRETS = dict.fromkeys(NAMES, "shared-with-the-sandbox")


@pytest.fixture
async def address(clock):
    async with sandbox_departments(clock, SECRETS) as url:
        yield url


@pytest.fixture
def departments(http, clock, address):
    settings = {
        name: DepartmentSettings(base_url=f"{address}/{name}", secret=SECRETS[name])
        for name in NAMES
    }
    return open_departments(http, settings, clock)


def person(number: str):
    return parse_identity(number), PersonName("某某")


@pytest.mark.parametrize("number", [number for number, _, _ in SAMPLES])
async def test_every_sample_person_can_be_asked_about(departments, number):
    assert (await departments.social.record(*person(number)) is None) == number.endswith("55")
    assert (await departments.medical.record(*person(number)) is None) == number.endswith("55")
    await departments.fund.record(*person(number))


async def test_a_number_that_is_nobodys_here_has_no_record(departments):
    assert await departments.social.record(*person("991234199001010012")) is None


async def test_the_person_with_gaps_has_two_of_them(departments, clock):
    record = await departments.social.record(*person("990101198805120024"))
    today = in_beijing(clock.now()).date()

    assert record.gaps("110", today) == ("202606", "202607")
    assert any(len(month.units) == 2 for month in record.months("110", today))


async def test_the_person_with_corrections_has_all_kinds_of_payment(departments, clock):
    record = await departments.social.record(*person("990101199511200031"))

    assert {line.pay_type for line in record.contributions} == {
        "normal",
        "back_payment",
        "refund",
    }
    assert record.gaps("110", in_beijing(clock.now()).date()) == ()
    assert record.transfer_with


async def test_the_standards_sample_is_a_pensioner(departments):
    record = await departments.social.record(*person(STANDARD_SAMPLE))

    assert record.benefit is not None
    assert (await departments.medical.record(*person(STANDARD_SAMPLE))).chronic


async def test_the_fund_shows_normal_sealed_and_withdrawn_accounts(departments):
    states = {}
    for number, _, _ in SAMPLES:
        record = await departments.fund.record(*person(number))
        states[number] = record and record.state

    assert set(states.values()) == {"normal", "sealed", "withdrawn", None}


async def test_the_best_known_plate_has_violations_in_every_state(departments):
    found = await departments.traffic.violations(Plate("粤B12345"), "02", "1234")

    assert set(found.counts()) == {"unhandled", "unpaid", "paid", "revoked", "in_review"}


@pytest.mark.parametrize(("plate", "known"), VEHICLES.items())
async def test_wrong_digits_are_refused(departments, plate, known):
    await departments.traffic.violations(Plate(plate), *known)

    with pytest.raises(InvalidInput):
        await departments.traffic.violations(Plate(plate), known[0], "0000")


@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize("utility", ["water", "power"])
async def test_there_is_always_something_on_and_something_to_come(
    departments, clock, utility, hour
):
    clock.set(in_beijing(clock.now()).replace(hour=hour, minute=30))

    found = await departments.utilities.outages(utility, "440300")

    relevant = found.relevant(clock.now()).outages
    assert any(outage.is_current(clock.now()) for outage in relevant)
    assert any(not outage.is_current(clock.now()) for outage in relevant)
    assert len({outage.id for outage in relevant}) == len(relevant)


async def test_a_region_gets_only_its_own(departments):
    found = await departments.utilities.outages("water", "440305")

    assert {area.region for outage in found.outages for area in outage.areas} == {"440305"}
    assert (await departments.utilities.outages("water", "440307")).outages == ()


async def test_announcements_outlive_a_company_that_is_away_but_not_for_long(
    departments, http, address, clock
):
    fresh = await departments.utilities.outages("water", "440304")
    await http.post(f"{address}/utilities/fault", json={"kind": "500"})

    stale = await departments.utilities.outages("water", "440304")
    clock.advance(3 * 3600)

    assert (fresh.is_stale, stale.is_stale) == (False, True)
    assert stale.outages == fresh.outages
    with pytest.raises(DepartmentTimeout):
        await departments.utilities.outages("water", "440304")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("500", DepartmentTimeout),
        ("busy", DepartmentTimeout),
        ("malformed", BrokenContract),
        ("broken", BrokenContract),
        ("huge", BrokenContract),
    ],
)
async def test_faults_can_be_put_in_and_taken_out(departments, http, address, fault, error):
    async with http.post(f"{address}/social/fault", json={"kind": fault}) as answer:
        assert answer.status == 200
    with pytest.raises(error):
        await departments.social.record(*person("990101199001010019"))

    await http.post(f"{address}/social/fault", json={"kind": "none"})

    assert await departments.social.record(*person("990101199001010019"))


async def test_one_slow_answer_ends_with_the_fault(departments, http, address):
    await http.post(f"{address}/fund/fault", json={"kind": "slow", "seconds": 0.05, "times": 1})

    assert await departments.fund.record(*person("990101199001010019"))


async def test_a_misspelt_department_in_the_settings_stops_the_process(http, clock):
    settings = {"socail": DepartmentSettings(base_url="http://127.0.0.1:9")}

    with pytest.raises(ConfigError, match=r"departments\.socail .*known: social, medical"):
        open_departments(http, settings, clock)


async def test_an_unsigned_or_wrongly_signed_question_is_refused(http, address):
    question = {"AAC002": "990101199001010019", "AAC003": "张伟"}
    for headers in ({}, {"X-Wz-Timestamp": "1", "X-Wz-Nonce": "n", "X-Wz-Signature": "s"}):
        async with http.post(f"{address}/social/record", json=question, headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["code"] == "not_authorised"
