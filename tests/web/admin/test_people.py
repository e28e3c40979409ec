"""The pages of followers: found without an openid in an address, masked, whole for a purpose."""

import re

import pytest

from domain.audit import Wanted
from tests.support.console import Client, Console
from tests.support.console_people import ANNA, SECRETS, a_follower

HOSTILE = "<script>alert(1)</script>{{7*7}}=1+1"
LIST = "/admin/a/city/subscribers"


@pytest.fixture
async def desk(console: Console) -> Client:
    await a_follower(console, "elder", HOSTILE)
    return await console.as_(("desk",))


async def _open(desk: Client) -> str:
    """Find Anna as an operator does, and return the address of her page."""
    led = await desk.post(LIST, {"openid": ANNA})
    assert led.status == 303
    assert ANNA not in led.location
    found = await desk.get(led.location)
    (address,) = set(re.findall(rf'href="({LIST}/[\w-]+)"', found.text))
    assert ANNA not in address
    assert ANNA[:8] not in found.text.replace(f'value="{ANNA}"', "")  # only what was typed
    return str(address)


async def test_a_follower_is_found_and_shown_masked(desk: Client, console: Console):
    page = await desk.get(await _open(desk))

    assert page.status == 200
    assert "粤B****5" in page.text
    assert "王**" in page.text
    for secret in (*SECRETS, ANNA, "<script>alert"):
        assert secret not in page.text
    entries, _ = await console.ctx.audit.search(Wanted(action="subscriber.view"))
    assert [entry.actor for entry in entries] == [desk.operator.id]


async def test_a_value_is_shown_once_for_a_purpose_and_the_look_is_kept(
    desk: Client, console: Console
):
    address = await _open(desk)
    form = {"item": "vh_1", "purpose_kind": "enquiry", "purpose": "市民来电核对车牌"}

    shown = await desk.post(f"{address}/value", form)
    again = await desk.get(address)
    led = await desk.get(f"{address}/value")

    assert shown.status == 200
    assert "粤B12345" in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert "王小明" not in shown.text
    assert "粤B12345" not in again.text
    assert (led.status, led.location) == (302, address)
    entries, _ = await console.ctx.audit.search(Wanted(action="subscriber.unmask"))
    assert [entry.outcome for entry in entries] == ["done", "intended"]


async def test_without_a_purpose_it_stays_masked_and_says_why(desk: Client):
    address = await _open(desk)
    whole = {"item": "vh_1", "purpose_kind": "enquiry", "purpose": "市民来电核对车牌"}
    for form, sentence in (
        ({"purpose": "核"}, "请写明用途，4 到 100 个字"),
        ({"purpose_kind": ""}, "请选择用途类别"),
        ({"purpose": "长" * 200}, "请写明用途，4 到 100 个字"),
        ({"purpose": "x" * 1_000_000}, "最多 400 个字"),
        ({"item": ""}, "请填写"),
        ({"purpose": HOSTILE + "长" * 100}, "请写明用途"),
    ):
        refused = await desk.post(f"{address}/value", whole | form)

        assert refused.status == 422
        assert sentence in refused.text
        assert "粤B12345" not in refused.text
        assert "<script>alert" not in refused.text


async def test_hostile_searches_find_nobody_and_harm_nothing(desk: Client):
    for hostile in (HOSTILE, '{"$ne": null}', ".*", "\u202e😀", "'; drop"):
        for field in ("openid", "tag"):
            led = await desk.post(LIST, {field: hostile})
            found = await desk.get(led.location)
            assert found.status == 200
            assert "<script>alert" not in found.text
        for field in ("topic", "region"):
            refused = await desk.post(LIST, {field: hostile})
            assert refused.status == 422
            assert "<script>alert" not in refused.text
    too_long = await desk.post(LIST, {"tag": "x" * 1_000_000})
    assert "最多 64 个字" in too_long.text


async def test_who_may_not_unmask_sees_no_form_and_is_refused(desk: Client, console: Console):
    manager = await console.as_(("account_manager",))
    address = await _open(manager)

    page = await manager.get(address)
    form = {"item": "vh_1", "purpose_kind": "enquiry", "purpose": "市民来电核对车牌"}
    refused = await manager.post(f"{address}/value", form)

    assert page.status == 200
    assert "查看明文" not in page.text
    assert refused.status == 403
    assert "粤B12345" not in refused.text


async def test_a_reference_of_one_account_opens_nothing_in_another(desk: Client, console: Console):
    address = await _open(desk)
    other = await console.as_(("desk",), account="plain")

    foreign = await other.get(address)
    moved = await other.get(address.replace("/a/city/", "/a/plain/"))
    made_up = await desk.get(f"{LIST}/{'x' * 80}")

    assert (foreign.status, moved.status, made_up.status) == (404, 404, 404)
