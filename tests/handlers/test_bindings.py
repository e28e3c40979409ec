"""Binding in one line or step by step; everything shown masked, taken back with one number."""

import pytest


async def bound(citizen):
    return await citizen.use.bindings.list_(citizen.account, citizen.openid)


# --- vehicles -----------------------------------------------------------------------------


async def test_one_line_binds_a_vehicle(citizen):
    answer = await citizen.says("绑定车辆 粤b·12345 02 1234")

    assert "绑定成功：粤B****5 小型汽车" in answer
    [vehicle] = (await bound(citizen)).vehicles
    assert (vehicle.plate.plain, vehicle.plate_type, vehicle.digits) == ("粤B12345", "02", "1234")


async def test_a_vehicle_is_bound_step_by_step_with_the_likely_type_first(citizen):
    await citizen.says("绑定车辆")
    types = await citizen.says("粤BD12345")
    assert "1. 小型新能源汽车" in types
    await citizen.says("1")

    assert "绑定成功：粤B*****5 小型新能源汽车" in await citizen.says("9876")


async def test_a_wrong_plate_is_hinted_at_and_asked_again(citizen):
    await citizen.says("绑定车辆")

    answer = await citizen.says("粤I12345")

    assert "没有字母 I 和 O" in answer
    assert "【绑定车辆】" in answer


async def test_a_bound_vehicle_leads_on_to_its_reminders(citizen):
    await citizen.says("绑定车辆 粤B12345 02 1234")

    assert "订阅成功：交通违法提醒" in await citizen.says("1")


async def test_the_sixth_vehicle_is_refused(citizen):
    for number in range(5):
        await citizen.says(f"绑定车辆 粤B1234{number} 1234")

    assert "最多绑定 5 辆车" in await citizen.says("绑定车辆 粤B99999 1234")
    assert len((await bound(citizen)).vehicles) == 5


# --- places -------------------------------------------------------------------------------


async def test_one_line_binds_a_place(citizen):
    answer = await citizen.says("绑定地点 父母家 福田区 园岭街道")

    assert "绑定成功：父母家·福田区 园岭街道" in answer


async def test_a_place_is_bound_by_numbers(citizen):
    assert "1. 家" in await citizen.says("绑定地点")
    assert "2. 福田区" in await citizen.says("1")
    assert "1. 园岭街道" in await citizen.says("2")

    assert "绑定成功：家·福田区 园岭街道" in await citizen.says("1")


async def test_a_street_in_words_names_its_district(citizen):
    await citizen.says("绑定地点")
    await citizen.says("单位")

    assert "绑定成功：单位·南山区 粤海街道" in await citizen.says("粤海街道")


async def test_a_district_in_words_asks_for_its_street(citizen):
    await citizen.says("绑定地点 家")
    assert "粤海街道" in await citizen.says("南山")

    assert "绑定成功：家·南山区" in await citizen.says("9")
    assert (await bound(citizen)).places[0].street == ""


async def test_an_unknown_place_is_asked_again(citizen):
    await citizen.says("绑定地点 家")

    assert "没有找到这个地区" in await citizen.says("火星")
    assert "没有找到这个地区" in await citizen.says("绑定地点 家 火星")


async def test_a_second_home_takes_the_place_of_the_first(citizen):
    await citizen.says("绑定地点 家 福田区 园岭街道")
    await citizen.says("绑定地点 家 南山区 粤海街道")

    assert [place.region for place in (await bound(citizen)).places] == ["440305"]


async def test_a_bound_place_leads_on_to_its_notices(citizen):
    await citizen.says("绑定地点 家 福田区 园岭街道")

    assert "订阅成功：停水通知·福田区" in await citizen.says("1")


# --- the real name ------------------------------------------------------------------------


async def test_the_real_name_needs_a_separate_consent_to_a_versioned_notice(citizen):
    notice = await citizen.says("实名绑定")
    assert "个人信息处理告知" in notice
    assert "告知版本" in notice
    assert "1. 同意" in notice

    await citizen.says("同意")
    await citizen.says("张伟")
    answer = await citizen.says("990101199001010019")

    assert "实名绑定成功：张* 9****************9" in answer
    real_name = (await bound(citizen)).real_name
    assert real_name.name.plain == "张伟"
    assert real_name.notice_version in notice


async def test_whoever_declines_is_asked_nothing_more(citizen):
    await citizen.says("实名绑定")

    answer = await citizen.says("不同意")

    assert "没有保存您的任何信息" in answer
    assert "政务服务大厅" in answer
    assert (await bound(citizen)).real_name is None


async def test_a_wrong_identity_number_is_asked_again_without_repeating_it(citizen):
    await citizen.says("实名绑定")
    await citizen.says("1")
    await citizen.says("张伟")

    answer = await citizen.says("990101199001010018")

    assert "校验不通过" in answer
    assert "990101199001010018" not in answer


async def test_children_under_fourteen_are_shown_another_way(citizen):
    await citizen.says("实名绑定")
    await citizen.says("1")
    await citizen.says("张小宝")

    answer = await citizen.says("990101201501010015")

    assert "监护人" in answer
    assert "12345" in answer
    assert (await bound(citizen)).real_name is None


async def test_a_second_real_name_needs_the_first_unbound(citizen):
    await citizen.binds_real_name()

    assert "您已实名绑定" in await citizen.says("实名绑定")
    assert "已解绑并删除" in await citizen.says("1")
    assert "个人信息处理告知" in await citizen.says("实名绑定")


# --- the list -----------------------------------------------------------------------------


async def test_the_list_shows_everything_masked(citizen):
    await citizen.binds_vehicle()
    await citizen.binds_place()
    await citizen.binds_real_name()

    answer = await citizen.taps("my.bindings")

    assert "粤B****5 小型汽车" in answer
    assert "家：福田区 园岭街道" in answer
    assert "张* 9****************9" in answer
    for plain in ("粤B12345", "张伟", "990101199001010019"):
        assert plain not in answer


async def test_one_number_unbinds_and_ends_what_hung_on_it(citizen):
    await citizen.binds_vehicle()
    await citizen.says("订阅 违章")
    await citizen.says("订阅 油价")

    assert "1. 解绑 粤B****5" in await citizen.says("我的绑定")
    assert "已解绑并删除：粤B****5" in await citizen.says("1")

    assert not (await bound(citizen)).vehicles
    found = await citizen.use.subscriptions.find(citizen.account, citizen.openid)
    assert [item.topic for item in found.subscriptions] == ["fuel.price"]


async def test_things_are_unbound_by_the_name_citizens_call_them(citizen):
    await citizen.binds_vehicle()
    await citizen.binds_place()
    await citizen.binds_real_name()

    for name in ("粤b 12345", "家", "实名"):
        assert "已解绑并删除" in await citizen.says(f"解绑 {name}")
    assert "没有找到这项绑定" in await citizen.says("解绑 粤B12345")


async def test_a_long_list_has_pages(citizen):
    for number in range(5):
        await citizen.binds_vehicle(plate=f"粤B1234{number}")
    await citizen.binds_place()

    await citizen.says("我的绑定")
    assert "家：福田区" in await citizen.says("6")


@pytest.mark.parametrize(
    "street", ["99", "停水", "张三 11010519491231002X", "很" * 41, "<a href='http://e'>x</a>"]
)
async def test_what_is_no_street_is_not_bound(citizen, street):
    for words in ("绑定地点", "1", "2"):
        await citizen.says(words)

    answer = await citizen.says(street)

    assert "绑定成功" not in answer
    assert not (await citizen.use.bindings.list_(citizen.account, citizen.openid)).places


async def test_a_link_in_the_one_line_form_is_not_bound(citizen):
    assert "请写街道或小区的名称" in await citizen.says(
        "绑定地点 家 福田区 <a href='http://e'>x</a>"
    )


async def test_a_services_word_is_not_taken_for_a_name(citizen):
    for words in ("实名绑定", "1"):
        await citizen.says(words)

    assert "【社保查询】" in await citizen.says("社保")


async def test_unbinding_a_place_does_not_claim_that_its_topics_stop(citizen):
    await citizen.says("绑定地点 家 福田区 园岭街道")
    await citizen.says("订阅 停水 福田区")

    answer = await citizen.says("解绑 家")

    assert "已解绑并删除" in answer
    assert "订阅不受影响" in answer
    assert "相关提醒已停止" not in answer
