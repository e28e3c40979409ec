"""What operators do while citizens write: a department under maintenance, new callback keys."""

import time
from datetime import timedelta

from domain.ids import AccountId
from sandbox.crypto import Envelope
from tests.support.console import open_console
from tests.support.town import Town

CITY = AccountId("city")
OPENID = "oUpkeepAAAAAAAAAAAAAAAAAAAAA"


async def test_a_citizen_reads_the_notice_at_once_and_other_services_answer(town: Town):
    await town.control("citizen", account="city", openid=OPENID, name="测试市民")
    await town.act("follow", "city", OPENID)
    now = town.ctx.clock.now()
    await town.ctx.maintenance.put(
        CITY,
        "utilities",
        starts_at=None,
        ends_at=now + timedelta(hours=2),
        sentence="供水供电系统正在升级，暂时不能查询。",
        by="op_1",
    )

    began = time.monotonic()
    told = await town.says("city", OPENID, "停水 福田区")
    took = time.monotonic() - began
    other = await town.says("city", OPENID, "违章 粤B12345 02 1234")
    town.clock.put_on(timedelta(hours=3))
    after = await town.says("city", OPENID, "停水 福田区")

    assert "供水供电系统正在升级，暂时不能查询。" in told
    assert "恢复" in told
    assert "编号" not in told  # nothing failed
    assert took < 2
    assert "粤B****5" in other
    assert "升级" not in after


async def test_a_citizen_notices_nothing_while_wechat_changes_its_keys(town: Town):
    await town.control("citizen", account="city", openid=OPENID, name="测试市民")
    await town.act("follow", "city", OPENID)
    async with open_console(town.ctx, town.base) as console:
        admin = await console.as_(("system_admin",))
        await admin.post("/admin/a/city/settings/callback-keys", {"overlap": "1"})
        pair = (await town.ctx.stores.callback_keys.find(CITY)).prepared.pair

        before = await town.says("city", OPENID, "帮助")
        platform = town.world.accounts["city"]
        platform.token = pair.token  # somebody submits the form of the platform
        platform.envelope = Envelope(pair.aes_keys[0], platform.app_id)
        after = await town.says("city", OPENID, "帮助")
        await town.ctx.callback_keys.tick()
        page = await admin.get("/admin/a/city/settings")

    assert before == after != ""
    assert "设置文件里还是旧的" in page.text
    assert "旧密钥保留到" in page.text
