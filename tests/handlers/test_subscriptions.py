"""Subscribing in one line or by numbers, changing, and cancelling in one step."""

import pytest


async def held(citizen):
    found = await citizen.use.subscriptions.find(citizen.account, citizen.openid)
    return {(item.topic, item.region): item for item in (found.subscriptions if found else ())}


@pytest.mark.parametrize(
    "said", ["订阅 停水 福田区", "订阅停水福田区", "订阅 停水通知 福田", "订阅 停水 香蜜湖街道"]
)
async def test_one_line_subscribes(citizen, said):
    answer = await citizen.says(said)

    assert "订阅成功：停水通知·福田区" in answer
    assert set(await held(citizen)) == {("outage.water", "440304")}


async def test_subscribing_twice_says_so(citizen):
    await citizen.says("订阅 停水 福田区")

    assert "已经订阅过" in await citizen.says("订阅 停水 福田区")
    assert len(await held(citizen)) == 1


async def test_topic_and_region_can_be_tapped_together_by_numbers(citizen):
    topics = await citizen.says("订阅")
    assert "1. 停水通知" in topics
    assert "9. 更多主题" in topics

    regions = await citizen.says("1")
    assert "罗湖区" in regions
    answer = await citizen.says("2")

    assert "订阅成功：停水通知·福田区" in answer


async def test_the_second_page_of_topics_is_chosen_from_and_left_again(citizen):
    await citizen.says("订阅")

    assert "油价调整" in await citizen.says("9")
    assert "停水通知" in await citizen.says("返回")
    await citizen.says("9")
    assert "订阅成功：油价调整" in await citizen.says("油价调整")


async def test_a_bound_place_is_offered_first(citizen):
    await citizen.binds_place(region="440305", street="粤海街道")

    assert "1. 南山区（家）" in await citizen.says("订阅 停水")
    assert "停水通知·南山区" in await citizen.says("1")


async def test_words_do_as_well_as_numbers_and_wrong_ones_are_asked_again(citizen):
    await citizen.says("订阅")

    assert "没有找到这个主题" in await citizen.says("月球")
    await citizen.says("停电")
    again = await citizen.says("火星")
    assert "没有找到这个地区" in again
    assert "订阅成功：停电通知·南山区" in await citizen.says("粤海街道")


async def test_a_vehicle_topic_needs_a_vehicle_first(citizen):
    answer = await citizen.says("订阅 违章")

    assert "先绑定车辆" in answer
    assert not await held(citizen)
    assert "【绑定车辆】" in await citizen.says("1")


async def test_a_vehicle_topic_is_about_what_was_bound(citizen):
    await citizen.binds_vehicle()

    assert "订阅成功：交通违法提醒" in await citizen.says("订阅 违章")
    assert (await held(citizen))["traffic.violation", None].subject == "vehicle"


async def test_a_person_topic_needs_the_real_name_first(citizen):
    assert "请先实名绑定" in await citizen.says("订阅 社保")

    await citizen.binds_real_name()
    assert "订阅成功：社保变动" in await citizen.says("订阅 社保")


async def test_a_topic_without_scope_asks_nothing(citizen):
    assert "订阅成功：油价调整" in await citizen.says("订阅 油价")


async def test_a_city_wide_subscription_says_what_it_brings(citizen):
    assert "只收发往全市的通知" in await citizen.says("订阅 停水 深圳")


async def test_the_list_leads_to_mode_and_cancelling(citizen):
    await citizen.says("订阅 停水 福田区")
    await citizen.says("订阅 油价")

    listed = await citizen.taps("my.subscriptions")
    assert "共 2 项" in listed
    assert "停水通知·福田区（及时提醒）" in listed
    await citizen.says("1")
    assert "每天早上 8 点" in await citizen.says("1")
    assert (await held(citizen))["outage.water", "440304"].mode == "daily"

    await citizen.says("我的订阅")
    await citizen.says("2")
    assert "已退订：油价调整" in await citizen.says("3")
    assert set(await held(citizen)) == {("outage.water", "440304")}


async def test_a_long_list_has_pages(citizen):
    for name in ("罗湖区", "福田区", "南山区", "宝安区", "龙岗区", "盐田区", "龙华区"):
        await citizen.says(f"订阅 停水 {name}")

    await citizen.says("我的订阅")
    page = await citizen.says("7")

    assert "龙华区" in page
    assert "罗湖区" not in page


async def test_cancelling_lists_everything_and_takes_one_number(citizen):
    await citizen.says("订阅 停水 福田区")
    await citizen.says("订阅 停水 南山区")

    assert "1. 退订 停水通知 福田区" in await citizen.says("退订")
    assert "已退订：停水通知·福田区" in await citizen.says("1")
    assert set(await held(citizen)) == {("outage.water", "440305")}


async def test_cancelling_works_inside_a_dialog(citizen):
    await citizen.says("订阅 停水 福田区")
    await citizen.says("绑定车辆")

    assert "1. 退订 停水通知 福田区" in await citizen.says("退订")
    assert "已退订" in await citizen.says("1")


async def test_a_topic_is_cancelled_in_all_regions_unless_one_is_named(citizen):
    for line in ("停水 福田区", "停水 南山区", "停电 福田区"):
        await citizen.says(f"订阅 {line}")

    await citizen.says("退订 停水 福田区")
    assert len(await held(citizen)) == 2
    await citizen.says("退订 停水")
    assert set(await held(citizen)) == {("outage.power", "440304")}
    assert "无需退订" in await citizen.says("退订 停水")


async def test_everything_is_cancelled_at_once_and_bindings_stay(citizen):
    await citizen.binds_vehicle()
    await citizen.says("订阅 停水 福田区")
    await citizen.says("订阅 违章")

    await citizen.says("退订")
    assert "已退订全部 2 项" in await citizen.says("3")

    assert not await held(citizen)
    assert "粤B****5" in await citizen.says("我的绑定")


async def test_an_unknown_topic_or_region_is_hinted_at(citizen):
    assert "没有找到这个订阅主题" in await citizen.says("订阅 月亮")
    assert "没有找到这个地区" in await citizen.says("订阅 停水 火星")
    assert "没有找到这项订阅" in await citizen.says("管理订阅 月亮")


async def test_a_scanned_code_offers_and_does_not_subscribe_by_itself(citizen):
    answer = await citizen.scans("topic:outage.water:440305")

    assert "停水通知" in answer
    assert "南山区" in answer
    assert not await held(citizen)
    await citizen.says("1")
    assert set(await held(citizen)) == {("outage.water", "440305")}


async def test_a_code_of_a_topic_that_is_gone_says_so(citizen):
    assert "无法识别" in await citizen.scans("topic:gone.topic")


async def test_a_number_past_the_end_of_the_topics_is_asked_again(citizen):
    for words in ("订阅", "9"):
        await citizen.says(words)

    answer = await citizen.says("9")

    assert "请回复 1–5 中的一个数字" in answer
    assert "1. 惠企政策" in answer


async def test_an_unknown_topic_cannot_be_cancelled_and_the_list_is_named(citizen):
    assert "请回复 退订 从列表里选" in await citizen.says("退订 彩票")


async def test_a_weekly_digest_is_chosen_by_number_or_in_words(citizen):
    await citizen.says("订阅 停水 福田区")
    await citizen.says("订阅 油价")

    await citizen.says("我的订阅")
    await citizen.says("1")
    assert "每周一早上 8 点" in await citizen.says("2")
    assert "油价调整：每周汇总" in await citizen.says("每周汇总 油价调整")

    modes = {key: item.mode for key, item in (await held(citizen)).items()}
    assert set(modes.values()) == {"weekly"}
    assert "油价调整：及时提醒" in await citizen.says("立即 油价调整")


async def test_a_mode_without_a_topic_asks_which_by_number_unless_there_is_only_one(citizen):
    await citizen.says("订阅 油价")
    assert "油价调整：每日汇总" in await citizen.says("每日汇总")
    assert "没有需要改为每日汇总" in await citizen.says("每日汇总")
    await citizen.says("订阅 停水 福田区")

    asked = await citizen.says("每周汇总")
    assert "2. 油价调整" in asked or "1. 油价调整" in asked
    await citizen.says("1")

    modes = sorted(item.mode for item in (await held(citizen)).values())
    assert modes in (["immediate", "weekly"], ["daily", "weekly"])


async def test_whoever_chose_a_digest_in_older_words_has_a_daily_one(citizen, mongo):
    await citizen.says("订阅 油价")
    await mongo["subscribers"].update_one({}, {"$set": {"subscriptions.0.mode": "digest"}})

    assert "每日汇总" in await citizen.says("我的订阅")
    assert "每日汇总" in await citizen.says("改为汇总提醒 油价调整")
