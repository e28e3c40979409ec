"""What the scheduler does for the dashboard and the people on call: figures, incidents."""

from datetime import timedelta
from functools import partial

from console.conditions import Conditions, shut_departments
from console.rolling_up import RollingUp
from console.watching import Teller, Watch
from domain.ids import AccountId
from runtime.context import AppContext
from runtime.ticks import Tick

ROLL_UP_EVERY = timedelta(seconds=15)
WATCH_EVERY = timedelta(seconds=15)
TELL_EVERY = timedelta(seconds=1)


def watching_ticks(ctx: AppContext) -> dict[str, tuple[Tick, timedelta]]:
    """Return the ticks: numbers rolled up, a look at what is wrong, and the group told of it."""
    stores, accounts = ctx.stores, tuple(ctx.accounts)
    rolling = RollingUp(stores.minute_figures, stores.figures, ctx.audiences, accounts, ctx.clock)
    conditions = Conditions(
        stores.troubles,
        ctx.overviews,
        stores.triggers,
        accounts,
        [
            (AccountId(account), name)
            for name, trigger in ctx.settings.triggers.items()
            for account in trigger.accounts
        ],
        ctx.clock,
        shut=partial(shut_departments, stores.department_health),
    )
    watch = Watch(conditions, stores.incidents, ctx.clock, tells=ctx.robot is not None)
    ticks: dict[str, tuple[Tick, timedelta]] = {
        "roll_up": (rolling.tick, ROLL_UP_EVERY),
        "watch": (watch.tick, WATCH_EVERY),
    }
    if ctx.robot is not None:
        teller = Teller(
            stores.incidents,
            ctx.robot,
            ctx.clock,
            names={account: settings.name for account, settings in ctx.accounts.items()},
            console=ctx.settings.server.public_url,
        )
        ticks["tell"] = (teller.tick, TELL_EVERY)
    return ticks
