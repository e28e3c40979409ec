"""Following and leaving, receipts, and messages that are not words."""

import pytest

from domain.conversation import (
    AuthorizationChange,
    ConsentEvent,
    ConsentItem,
    ImageMessage,
    LocationMessage,
    LocationReport,
    MassReceipt,
    TemplateReceipt,
    UnknownMessage,
    VoiceMessage,
)


def envelope(citizen):
    return {
        "account": citizen.account,
        "openid": citizen.openid,
        "at": citizen.clock.now(),
        "dedupe_key": "k",
    }


async def found(citizen):
    return await citizen.use.subscriptions.find(citizen.account, citizen.openid)


async def test_a_new_follower_is_welcomed_with_numbered_ways(citizen):
    answer = await citizen.follows()

    assert "欢迎关注" in answer
    assert "1. 查停水停电停气" in answer
    assert (await found(citizen)).following
    assert "【全部服务】" in await citizen.says("5")


async def test_whoever_comes_back_finds_everything_as_it_was(citizen):
    await citizen.follows()
    await citizen.says("订阅 停水 福田区")
    await citizen.binds_vehicle()
    await citizen.unfollows()
    assert not (await found(citizen)).following

    citizen.clock.advance(60)
    answer = await citizen.follows()

    assert "欢迎回来" in answer
    assert "1 项订阅" in answer
    assert (await found(citizen)).following
    assert "粤B****5" in await citizen.says("我的绑定")


async def test_a_follow_by_a_code_shows_one_set_of_numbers(citizen):
    answer = await citizen.follows("topic:outage.water:440305")

    assert "欢迎关注" in answer
    assert answer.count("回复数字") == 1
    assert "订阅成功" in await citizen.says("1")


async def test_a_code_nobody_knows_is_said_to_be_unknown(citizen):
    assert "无法识别" in await citizen.scans("old-campaign")


async def test_closing_the_wechat_account_erases_the_person(citizen, mongo):
    await citizen.follows()
    await citizen.binds_real_name()

    answer = await citizen.sends(AuthorizationChange(kind="cancelled", **envelope(citizen)))

    assert answer.kind == "none"
    assert await found(citizen) is None
    assert await mongo["bindings"].count_documents({}) == 0


async def test_withdrawing_a_profile_permission_keeps_the_bindings(citizen):
    await citizen.binds_real_name()

    await citizen.sends(AuthorizationChange(kind="revoked", revoked="205", **envelope(citizen)))

    assert (await citizen.use.bindings.list_(citizen.account, citizen.openid)).real_name


async def test_a_receipt_is_recorded_in_silence(citizen, mongo):
    receipt = TemplateReceipt(message_id="1234567", status="success", **envelope(citizen))

    answer = await citizen.sends(receipt)

    assert answer.kind == "none"
    collections = await mongo.list_collection_names()
    documents = [str(d) for name in collections async for d in mongo[name].find({})]
    assert any("1234567" in document for document in documents)


async def test_whereabouts_are_neither_answered_nor_kept(citizen, mongo):
    report = LocationReport(latitude=22.54, longitude=114.05, **envelope(citizen))

    assert (await citizen.sends(report)).kind == "none"
    assert await mongo["subscribers"].count_documents({}) == 0


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (lambda e: ImageMessage(media_id="m", **e), "看不懂图片"),
        (lambda e: VoiceMessage(media_id="m", **e), "没有听清"),
        (lambda e: UnknownMessage(kind="file", **e), "看不懂图片"),
        (lambda e: LocationMessage(latitude=1.0, longitude=2.0, **e), "收到您的位置"),
    ],
)
async def test_what_is_not_words_is_answered_with_a_way_on(citizen, message, hint):
    answer = (await citizen.sends(message(envelope(citizen)))).text

    assert hint in answer
    assert "1. " in answer


async def test_a_picture_in_a_dialog_leaves_the_numbers_to_the_question(citizen):
    await citizen.says("实名绑定")

    answer = (await citizen.sends(ImageMessage(media_id="m", **envelope(citizen)))).text

    assert "看不懂图片" in answer
    assert "查看全部服务" not in answer
    assert answer.endswith("1. 同意\n2. 不同意\n回复 退出 结束")


async def test_a_follow_by_an_unknown_code_still_offers_ways_on(citizen):
    answer = await citizen.follows("window_12")

    assert "1. 查停水停电停气" in answer


async def test_a_consent_is_recorded_in_silence_and_erased_with_the_person(citizen, mongo):
    said = ConsentEvent(kind="popup", items=(ConsentItem("tmpl-1", "accept"),), **envelope(citizen))

    assert (await citizen.sends(said)).kind == "none"
    assert (await mongo["consents"].find_one())["left"] == 1

    await citizen.sends(AuthorizationChange(kind="cancelled", **envelope(citizen)))
    assert await mongo["consents"].count_documents({}) == 0


async def test_a_rejection_on_the_management_page_is_recorded(citizen, mongo):
    item = ConsentItem("tmpl-1", "reject")

    await citizen.sends(ConsentEvent(kind="change", items=(item,), **envelope(citizen)))

    assert "rejected_at" in await mongo["consents"].find_one()


async def test_the_result_of_a_notice_that_is_not_ours_is_passed_over(citizen, mongo):
    item = ConsentItem("tmpl-1", "success", message_id="17", code="0")

    answer = await citizen.sends(ConsentEvent(kind="sent", items=(item,), **envelope(citizen)))

    assert answer.kind == "none"
    assert await mongo["receipts"].count_documents({}) == 0


async def test_the_result_of_a_mass_send_waits_for_its_job(citizen, mongo):
    receipt = MassReceipt(
        message_id="34182",
        status="sendsuccess",
        total=3,
        filtered=3,
        sent=2,
        failed=1,
        **envelope(citizen),
    )

    assert (await citizen.sends(receipt)).kind == "none"

    kept = await mongo["mass_jobs"].find_one()
    assert kept["result"]["sent"] == 2
