"""What a process is made of: built once, in order, closed in reverse, never global."""

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from bot.conversation import Conversation
from bot.dispatcher import Dispatcher
from bot.presence import Presence
from bot.router import Routes
from bot.services import Services
from config.catalogue import Catalogue, load_catalogue
from config.settings import AccountSettings, Settings
from connectors.departments import Departments, open_departments
from connectors.news import Feeds, open_feeds
from connectors.robot import Robot
from connectors.session import open_http
from connectors.watch import Watch
from connectors.wechat.api import WeChatApi
from connectors.wechat.inbox import Inbox
from connectors.wechat.menus import MenuApi
from connectors.wechat.probe import Probe
from connectors.wechat.tokens import TokenKeeper
from console.callback_keys import CallbackKeys
from console.checks.account import AccountCheck
from console.checks.service import AccountChecks
from console.dashboard import Dashboards
from console.departments import DepartmentDesk
from console.maintenance import MaintenanceDesk
from console.menus import Menus
from console.secrets import Secrets
from console.sign_in import SignIn
from console.topic_numbers import TopicNumbers
from domain.clock import Clock, SystemClock
from domain.figures import Figures
from domain.ids import AccountId, OpenId
from domain.menu import Menu
from domain.menu_rules import CONTRACT_KEYS
from handlers import discover
from push.approvals import Approvals
from push.audit import Audit
from push.broadcasts import Broadcasts
from push.collecting import Collector
from push.dead import DeadBatches
from push.digest_cards import DigestCards
from push.digest_page import DigestPages
from push.drafts import Drafts
from push.editing import Editing
from push.fanout import Fanout
from push.followers import Followers
from push.headcounts import Headcounts
from push.history import History
from push.links import Links
from push.lists import Lists
from push.live import Live
from push.notices import Notices
from push.overview import Overviews
from push.personal import Personal
from push.preview import Previews
from push.quota import Quotas
from push.readers import Readers
from push.receipts import Receipts
from push.reports import Reports
from push.resends import Resends
from push.results import Results
from push.template_watch import TemplateWatch
from push.trials import Trials
from push.triggers.alerts import AlertDesk
from runtime.console import ConsoleServices, open_console, open_sign_in
from storage.mongo.api_keys import MongoApiKeys
from storage.mongo.incidents import MongoIncidents
from storage.redis.late import LateResults
from storage.redis.sealing import Sealer
from storage.stores import Stores, open_stores
from subscriptions.audience import Audiences
from subscriptions.bindings import BindingService
from subscriptions.consents import Consents
from subscriptions.service import Subscriptions
from templates.environment import Renderer


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """What a running process is made of."""

    settings: Settings
    clock: Clock
    catalogue: Catalogue
    renderer: Renderer
    stores: Stores
    accounts: Mapping[AccountId, AccountSettings]
    services_help: tuple[tuple[str, str], ...]  # (title, example) of every query service
    inboxes: Mapping[AccountId, Inbox]
    platforms: Mapping[AccountId, WeChatApi]
    dispatcher: Dispatcher
    late_results: LateResults
    subscriptions: Subscriptions
    bindings: BindingService
    audiences: Audiences
    audit: Audit
    broadcasts: Broadcasts
    approvals: Approvals
    dead: DeadBatches
    drafts: Drafts
    editing: Editing
    resends: Resends
    reports: Reports
    lists: Lists
    live: Live
    notices: Notices
    fanout: Fanout
    digest_cards: DigestCards
    digest_pages: DigestPages
    headcounts: Headcounts
    history: History
    followers: Followers
    links: Links
    menus: Menus
    overviews: Overviews
    personal: Personal
    readers: Readers
    receipts: Receipts
    quotas: Quotas
    figures: Figures
    dashboards: Dashboards
    incidents: MongoIncidents
    service_titles: Mapping[str, str]  # of every query service, by the name of its router
    robot: Robot | None  # tells the people on call, where the settings name one
    previews: Previews
    template_watch: TemplateWatch
    topic_numbers: TopicNumbers
    trials: Trials
    api_keys: MongoApiKeys
    sign_in: SignIn
    console: ConsoleServices
    departments: Departments
    feeds: Feeds
    department_desk: DepartmentDesk
    maintenance: MaintenanceDesk
    callback_keys: CallbackKeys
    checks: AccountChecks
    secrets: Secrets
    alerts: AlertDesk

    async def ready(self) -> dict[str, str | None]:
        """Return what is wrong with MongoDB and Redis, None for one that answers."""
        return await self.stores.ready()


@asynccontextmanager
async def open_context(settings: Settings, clock: Clock | None = None) -> AsyncIterator[AppContext]:
    """Open everything in order, and close it in reverse whatever happens."""
    clock = clock or SystemClock()
    catalogue = load_catalogue()
    routes = Routes.collect(discover())
    services_help = tuple(
        (router.title, router.example) for router in routes.routers if router.example
    )
    renderer = Renderer()
    accounts = {AccountId(account.id): account for account in settings.accounts}
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings, clock))
        http = await stack.enter_async_context(open_http())
        platforms = {
            account_id: _platform(account, http, stores, clock)
            for account_id, account in accounts.items()
        }
        subscriptions = Subscriptions(stores.people)
        audiences = Audiences(stores.audiences)
        bindings = BindingService(stores.people, clock)
        audit = Audit(stores.audit, clock)
        template_watch = TemplateWatch(
            stores.template_forms,
            stores.template_turns,
            platforms,
            accounts,
            stores.broadcast_lists,
            clock,
        )
        quotas = Quotas(
            stores.quotas, stores.limiter, stores.broadcasts, stores.ledger, platforms, clock
        )
        figures = Figures(clock)
        webhook = settings.console.webhook_url.get_secret_value()
        receipts = Receipts(
            stores.deliveries, stores.receipts, subscriptions, clock, stores.unknowns, figures
        )
        links = Links(Sealer(settings.security.master_key), settings.server.public_url, clock)
        cards = DigestCards(
            stores.digests,
            stores.notices,
            audiences,
            stores.fields,
            accounts,
            catalogue,
            links,
            clock,
        )
        collector = Collector(
            stores.notices,
            stores.digests,
            stores.caps,
            catalogue,
            clock,
            quiet_hours=settings.push.quiet_hours,
        )
        fanout = Fanout(
            stores.broadcasts,
            stores.ledger,
            stores.ring,
            audiences,
            stores.notices,
            collector,
            stores.delivery_lists,
            clock,
            batch_size=settings.push.batch_size,
        )
        broadcasts = Broadcasts(
            stores.broadcasts,
            stores.ledger,
            stores.deliveries,
            stores.ring,
            audiences,
            accounts,
            catalogue,
            clock,
            mass_jobs=stores.mass_jobs,
        )
        editing = Editing(stores.broadcasts, stores.revisions, accounts, catalogue, clock)
        notices = Notices(
            stores.broadcasts, fanout, audiences, stores.fields, accounts, catalogue, clock
        )
        watch = Watch(clock)
        maintenance = MaintenanceDesk(stores.maintenance, clock)
        watch.notice_for = maintenance.notice_for
        departments = open_departments(http, settings.departments, clock, watch)
        inboxes = {name: Inbox(account, clock) for name, account in accounts.items()}
        callback_keys = CallbackKeys(stores.callback_keys, inboxes, clock)
        sign_in = open_sign_in(settings, stores, clock)
        approvals = Approvals(
            stores.broadcasts, stores.reviews, stores.revisions, broadcasts, clock
        )
        lists = Lists(
            stores.broadcasts,
            stores.broadcast_lists,
            stores.delivery_lists,
            Sealer(settings.security.master_key),
        )
        overviews = Overviews(
            stores.overview,
            stores.ledger,
            stores.limiter,
            stores.processes,
            tuple(accounts),
            clock,
        )
        history = History(stores.history, stores.digests, catalogue)
        services = Services(
            departments=departments,
            subscriptions=subscriptions,
            bindings=bindings,
            receipts=receipts,
            results=Results(
                stores.attempts,
                stores.consents,
                stores.mass_jobs,
                stores.broadcasts,
                receipts,
                clock,
            ),
            consents=Consents(stores.consents),
            history=history,
            links=links,
            catalogue=catalogue,
            clock=clock,
            public_url=settings.server.public_url,
            routes_help=services_help,
        )

        async def send_text(account: AccountId, openid: OpenId, text: str) -> None:
            await platforms[account].send_text(openid, text)

        dispatcher = Dispatcher(
            Conversation(routes, services, renderer, Presence(subscriptions.heard_from), figures),
            stores.guards,
            stores.sessions,
            stores.windows,
            stores.late_results,
            clock,
            settings.server.public_url,
            send_text,
            renderer,
        )
        stack.push_async_callback(dispatcher.aclose)
        headcounts = Headcounts(audiences)
        stack.push_async_callback(headcounts.aclose)
        yield AppContext(
            settings=settings,
            clock=clock,
            catalogue=catalogue,
            renderer=renderer,
            stores=stores,
            accounts=accounts,
            services_help=services_help,
            inboxes=inboxes,
            platforms=platforms,
            dispatcher=dispatcher,
            late_results=stores.late_results,
            subscriptions=subscriptions,
            bindings=bindings,
            audiences=audiences,
            audit=audit,
            broadcasts=broadcasts,
            approvals=approvals,
            dead=DeadBatches(stores.dead, stores.ledger, stores.broadcasts, broadcasts, clock),
            drafts=Drafts(
                stores.broadcasts,
                stores.revisions,
                broadcasts,
                editing,
                audiences,
                catalogue,
                clock,
            ),
            editing=editing,
            reports=Reports(
                stores.broadcasts,
                stores.ledger,
                stores.overview,
                stores.deliveries,
                stores.reports,
                clock,
            ),
            resends=Resends(stores.broadcasts, stores.delivery_lists, clock),
            live=Live(
                stores.broadcasts,
                stores.ledger,
                stores.deliveries,
                stores.reports,
                clock,
                stores.mass_jobs,
            ),
            lists=lists,
            notices=notices,
            fanout=fanout,
            digest_cards=cards,
            headcounts=headcounts,
            history=history,
            followers=Followers(
                stores.subscriber_lists,
                stores.people,
                stores.consents,
                history,
                stores.fields,
                Sealer(settings.security.master_key),
                stores.allowances,
                audit,
            ),
            digest_pages=DigestPages(cards, accounts, catalogue),
            links=links,
            menus=Menus(
                stores.menus,
                platforms,
                Menu.read(catalogue.menu),
                _menu_keys(routes),
                audit,
                clock,
            ),
            overviews=overviews,
            personal=Personal(stores.readers, catalogue),
            readers=Readers(
                stores.readers,
                stores.people,
                audiences,
                Sealer(settings.security.master_key),
                catalogue,
            ),
            receipts=receipts,
            quotas=quotas,
            figures=figures,
            dashboards=Dashboards(
                stores.figures,
                stores.troubles,
                overviews,
                quotas,
                approvals,
                lists,
                stores.department_health,
                clock,
            ),
            incidents=stores.incidents,
            service_titles={
                router.name: router.title for router in routes.routers if router.example
            },
            robot=Robot(http, webhook) if webhook else None,
            previews=Previews(
                stores.doubles,
                audiences,
                quotas,
                stores.limiter,
                accounts,
                catalogue,
                clock,
                per_second=settings.push.per_second,
                quiet_hours=settings.push.quiet_hours,
                templates=template_watch,
            ),
            template_watch=template_watch,
            topic_numbers=TopicNumbers(
                stores.topic_numbers,
                stores.topic_turns,
                audiences,
                tuple(accounts),
                tuple(catalogue.topics),
                clock,
            ),
            trials=Trials(stores.broadcasts, accounts, catalogue, clock),
            api_keys=stores.api_keys,
            sign_in=sign_in,
            console=open_console(settings, stores, sign_in, audit, http, clock),
            departments=departments,
            feeds=open_feeds(http, settings.departments, clock, watch),
            department_desk=DepartmentDesk(
                watch, stores.department_health, stores.triggers, clock, process=process_name()
            ),
            maintenance=maintenance,
            callback_keys=callback_keys,
            checks=AccountChecks(
                settings,
                stores,
                catalogue,
                callback_keys,
                lambda account: AccountCheck(
                    account,
                    Probe(http, account, clock),
                    _platform(account, http, stores, clock),
                    public_url=settings.server.public_url,
                ),
                clock,
            ),
            secrets=Secrets(settings, stores.secret_marks, clock),
            alerts=AlertDesk(
                stores.alerts,
                stores.alert_refusals,
                broadcasts,
                stores.broadcasts,
                notices,
                accounts,
                catalogue,
                clock,
            ),
        )


def _menu_keys(routes: Routes) -> frozenset[str]:
    """Return the menu keys that mean something: those promised and those answered."""
    return frozenset({*CONTRACT_KEYS, *(key for kind, key in routes.table if kind == "menu")})


def process_name() -> str:
    """Return how this process is named where several are seen together."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _platform(
    account: AccountSettings, http: aiohttp.ClientSession, stores: Stores, clock: Clock
) -> MenuApi:
    secret = account.app_secret.get_secret_value()
    return MenuApi(
        http,
        api_base=account.api_base,
        app_id=account.app_id,
        app_secret=secret,
        tokens=TokenKeeper(account.app_id, secret, account.api_base, http, stores.tokens, clock),
    )
