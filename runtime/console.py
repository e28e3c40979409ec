"""The console's services, put together: how people come in, and who there is."""

from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from config.settings import Settings
from connectors.oidc import OidcProvider
from console.desk import OperatorDesk
from console.entry import Entrance
from console.lockout import Lockout
from console.own import OwnAccount
from console.second_factor import SecondFactors
from console.sign_in import SignIn
from console.single_sign_on import SingleSignOn
from domain.clock import Clock
from domain.ids import AccountId
from push.audit import Audit
from storage.stores import Stores

SIGN_ON_BACK = "/admin/sign-in/provider/back"  # registered with the provider, below public_url


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleServices:
    """What the pages of signing in and of operators work with."""

    entrance: Entrance
    factors: SecondFactors
    lockout: Lockout
    desk: OperatorDesk
    own: OwnAccount
    single_sign_on: SingleSignOn | None  # None: not configured


def open_sign_in(settings: Settings, stores: Stores, clock: Clock) -> SignIn:
    """Return the sessions, which last as the settings say."""
    return SignIn(
        stores.console_sessions,
        stores.operators,
        clock,
        idle=timedelta(minutes=settings.console.idle_minutes),
        absolute=timedelta(hours=settings.console.absolute_hours),
    )


def open_console(
    settings: Settings,
    stores: Stores,
    sign_in: SignIn,
    audit: Audit,
    http: aiohttp.ClientSession,
    clock: Clock,
) -> ConsoleServices:
    """Return the services; nothing is asked of the provider before somebody signs in."""
    factors = SecondFactors(stores.second_factors, clock)
    secret = settings.security.secret_key.get_secret_value()
    lockout = Lockout(stores.tries, secret, clock)
    entrance = Entrance(
        stores.operators,
        factors,
        lockout,
        stores.entries,
        audit,
        clock,
        second_factor_required=settings.console.second_factor == "required",
    )
    accounts = tuple(AccountId(account.id) for account in settings.accounts)
    return ConsoleServices(
        entrance=entrance,
        factors=factors,
        lockout=lockout,
        desk=OperatorDesk(stores.operators, factors, sign_in, audit, accounts, clock),
        own=OwnAccount(stores.operators, factors, sign_in, lockout, audit, clock),
        single_sign_on=_single_sign_on(settings, stores, audit, http, clock),
    )


def _single_sign_on(
    settings: Settings, stores: Stores, audit: Audit, http: aiohttp.ClientSession, clock: Clock
) -> SingleSignOn | None:
    oidc = settings.console.oidc
    if oidc is None:
        return None
    return SingleSignOn(
        OidcProvider(http, oidc, settings.server.public_url + SIGN_ON_BACK, clock),
        stores.operators,
        stores.entries,
        audit,
        label=oidc.label,
        has_two_factors=oidc.second_factor == "theirs",
    )
