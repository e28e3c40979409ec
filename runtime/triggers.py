"""Which triggers (触发规则) a scheduler process runs, as the settings say."""

from datetime import timedelta

from config.tax_calendar import national_tax_calendar
from config.workdays import national_calendar
from domain.errors import ConfigError
from domain.ids import AccountId
from push.triggers import violations
from push.triggers.alert_feed import AlertTrigger
from push.triggers.balances import BalanceTrigger, check_card
from push.triggers.detours import detour_trigger
from push.triggers.engine import Plan, TriggerEngine
from push.triggers.fuel import FuelTrigger
from push.triggers.outages import OutageTrigger
from push.triggers.policies import policy_trigger
from push.triggers.ports import Trigger
from push.triggers.tax import TaxTrigger
from push.triggers.violations import ViolationTrigger
from runtime.context import AppContext


def make_triggers(ctx: AppContext) -> TriggerEngine:
    """Put the engine together; `ConfigError` for settings of a trigger that does not exist."""
    return TriggerEngine(
        ctx.stores.triggers,
        _plans(ctx),
        ctx.broadcasts,
        ctx.stores.broadcasts,
        ctx.notices,
        ctx.clock,
    )


def all_triggers(ctx: AppContext) -> tuple[Trigger, ...]:
    """Return every trigger there is; the settings choose among them by name."""
    items = ctx.stores.trigger_items
    return (
        OutageTrigger(ctx.feeds.outages, items),
        _violations(ctx),
        *(
            BalanceTrigger(office, feed, ctx.stores.holders, ctx.accounts)
            for office, feed in ctx.feeds.bookings.items()
        ),
        AlertTrigger(ctx.feeds.alerts, ctx.alerts, items),
        detour_trigger(ctx.feeds.detours, items),
        FuelTrigger(ctx.feeds.fuel, items, national_calendar()),
        policy_trigger(ctx.feeds.policies, items),
        TaxTrigger(national_tax_calendar()),
    )


def _violations(ctx: AppContext) -> ViolationTrigger:
    """Return the watch; its `every` in the settings is how often each vehicle is asked about."""
    settings = ctx.settings.triggers.get(violations.NAME)
    every = settings.every if settings else None
    return ViolationTrigger(
        ctx.departments.traffic,
        ctx.stores.vehicle_watch,
        ctx.stores.trigger_items,
        ctx.audiences,
        ctx.stores.people,
        period=timedelta(seconds=every) if every else violations.PERIOD,
    )


def _plans(ctx: AppContext) -> list[Plan]:
    triggers = {trigger.name: trigger for trigger in all_triggers(ctx)}
    plans = []
    for name, settings in ctx.settings.triggers.items():
        trigger = triggers.get(name)
        if trigger is None:
            raise ConfigError(
                f"triggers.{name} is not a known trigger; correct it in the settings "
                f"(known: {', '.join(sorted(triggers))})"
            )
        every = timedelta(seconds=settings.every) if settings.every else trigger.every
        if isinstance(trigger, ViolationTrigger):
            every = trigger.every
        if isinstance(trigger, BalanceTrigger):
            for account in settings.accounts:
                check_card(ctx.settings.account(account), trigger.office)
        accounts = tuple(map(AccountId, settings.accounts))
        plans.append(
            Plan(trigger=trigger, accounts=accounts, every=every, publish=settings.publish)
        )
    return plans
