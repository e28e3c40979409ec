"""The scheduler's ticks for the dashboard and the people on call, as a process has them."""

from config.settings import Settings
from domain.ids import AccountId, BroadcastId
from runtime.context import open_context
from runtime.watching import watching_ticks
from tests.support.settings import make_settings

CITY = AccountId("city")
KEY = "http://127.0.0.1:9/cgi-bin/webhook/send?key=693axxx6"


async def test_a_broadcast_that_paused_itself_is_noticed_until_somebody_resumes_it(
    settings: Settings, mongo, redis, clock, caplog
):
    watched = make_settings(
        settings.storage.data_dir,
        database=settings.mongo.database,
        console={"webhook_url": KEY},
    )
    async with open_context(watched, clock) as ctx:
        ticks = {name: tick for name, (tick, _) in watching_ticks(ctx).items()}
        await mongo.broadcasts.insert_one(sending("bc_1") | {"created_at": clock.now()})
        await ctx.broadcasts.pause_by_itself(BroadcastId("bc_1"), reason="30 of 50 failed")

        for name in ("roll_up", "watch", "tell", "watch"):
            await ticks[name]()

        [incident] = await ctx.incidents.list_(CITY)
        assert (incident.condition.kind, incident.condition.detail) == (
            "broadcast.paused",
            "30 of 50 failed",
        )
        assert (incident.tries, incident.told_at) == (1, None)  # nobody listens at that address
        assert "693axxx6" not in repr(ctx) + "".join(str(each.__dict__) for each in caplog.records)

        await mongo.broadcasts.update_one({"_id": "bc_1"}, {"$set": {"state": "sending"}})
        await ctx.broadcasts.pause(BroadcastId("bc_1"), CITY)

        assert await ctx.stores.troubles.paused_by_itself(CITY) == []


def sending(id_: str) -> dict[str, object]:
    """Return a broadcast that is being sent."""
    audience = {"topics": [], "regions": [], "tags": [], "openids": [], "all": True}
    return {
        "_id": id_, "account": "city", "kind": "broadcast", "title": "停水",
        "topic": "outage.water", "audience": audience, "template": "outage_notice", "data": {},
        "url": None, "at": None,
        "cron": None, "expires_at": None, "priority": "normal", "ignore_quiet_hours": False,
        "state": "sending", "due_at": None, "started_at": None, "finished_at": None,
        "author": "test", "reason": "",
    }  # fmt: skip
