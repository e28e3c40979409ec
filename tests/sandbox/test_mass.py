"""Mass sends: submitted, filtered to four a month, told apart by their key, reviewed."""

import pytest

from tests.sandbox.conftest import ANNA, BEN


@pytest.fixture
def send(sandbox):
    async def send(*openids, key="", text="停水通知"):
        content = {
            "touser": list(openids or (ANNA, BEN)),
            "msgtype": "text",
            "text": {"content": text},
            "clientmsgid": key,
        }
        return await sandbox.call("message/mass/send", content)

    return send


async def test_everybody_on_the_list_sees_it_and_the_counts_are_told(sandbox, send, mini):
    accepted = await send()

    assert accepted["errcode"] == 0
    for openid in (ANNA, BEN):
        assert [line["text"] for line in await sandbox.chat(openid)] == ["停水通知"]
    await sandbox.world.receipts.drained()
    (told,) = mini.events("MASSSENDJOBFINISH")
    assert told._data["MsgID"] == str(accepted["msg_id"])
    assert (told._data["TotalCount"], told._data["SentCount"]) == ("2", "2")
    state = await sandbox.call("message/mass/get", {"msg_id": str(accepted["msg_id"])})
    assert state["msg_status"] == "SEND_SUCCESS"


async def test_a_fifth_in_a_month_is_filtered_quietly(sandbox, send):
    for number in range(5):
        assert (await send(key=f"k{number}"))["errcode"] == 0

    jobs = (await sandbox.read("mass"))["jobs"]
    assert [job["filtered"] for job in jobs] == [2, 2, 2, 2, 0]
    assert len(await sandbox.chat(ANNA)) == 4


async def test_the_same_key_is_one_job_for_a_day(sandbox, send):
    first = await send(key="k")
    assert (await send(key="k"))["errcode"] == 45066

    await sandbox.do("clock", advance=61)
    again = await send(key="k")
    await sandbox.do("clock", advance=24 * 3600)
    sandbox.token = ""  # it has expired meanwhile
    anew = await send(key="k")

    assert (again["errcode"], again["msg_id"]) == (45065, first["msg_id"])
    assert anew["errcode"] == 0
    assert len(await sandbox.chat(ANNA)) == 2


async def test_one_person_is_no_mass_send_and_a_long_key_none_either(send):
    assert (await send(ANNA))["errcode"] == 40130
    assert (await send(key="k" * 33))["errcode"] == 45067


async def test_the_review_may_refuse_a_job_after_it_was_accepted(sandbox, send, mini):
    await sandbox.do("mass", refuse_as="err(10001)")

    assert (await send())["errcode"] == 0

    await sandbox.world.receipts.drained()
    assert mini.events("MASSSENDJOBFINISH")[0]._data["Status"] == "err(10001)"
    assert await sandbox.chat(ANNA) == []


async def test_everybody_can_be_meant_without_a_list(sandbox):
    content = {"filter": {"is_to_all": True}, "msgtype": "text", "text": {"content": "好"}}

    assert (await sandbox.call("message/mass/sendall", content))["errcode"] == 0

    assert len(await sandbox.chat(ANNA)) == len(await sandbox.chat(BEN)) == 1
