"""The typed list of all feeds (动态接口) that triggers read, one field per kind of news.

A feed belongs to a department of `connectors.departments`: it uses that department's settings,
with a client and a breaker of its own, so that a broken feed does not silence the queries.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from config.settings import DepartmentSettings
from connectors import alert_feed, enterprise, fuel, outage_feed, transit
from connectors.booking_feeds import DEPARTMENTS as OFFICES
from connectors.booking_feeds import BookingFeed, HttpBookingFeed, Office
from connectors.http import Department, DepartmentClient
from connectors.news_feed import NewsFeed
from connectors.watch import Watch
from domain.city_news import Detour, FuelDecision, Policy
from domain.clock import Clock

FEED_SECONDS = 8.0  # no citizen waits for a feed


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeds:
    """What triggers read."""

    outages: outage_feed.OutageFeed
    bookings: Mapping[Office, BookingFeed]
    alerts: alert_feed.AlertFeed
    detours: NewsFeed[Detour]
    fuel: NewsFeed[FuelDecision]
    policies: NewsFeed[Policy]


def open_feeds(
    http: aiohttp.ClientSession,
    settings: Mapping[str, DepartmentSettings],
    clock: Clock,
    watch: Watch | None = None,
) -> Feeds:
    """Build a client for each feed; one without settings fails with a sentence that says so."""

    def client(department: Department) -> DepartmentClient:
        return DepartmentClient(
            http,
            department,
            settings.get(department.key),
            clock,
            budget=FEED_SECONDS,
            lane="feed",
            watch=watch,
        )

    return Feeds(
        outages=outage_feed.HttpOutageFeed(client(outage_feed.DEPARTMENT)),
        bookings={
            office: HttpBookingFeed(client(department), office)
            for office, department in OFFICES.items()
        },
        alerts=alert_feed.HttpAlertFeed(client(alert_feed.DEPARTMENT)),
        detours=transit.open_detours(client(transit.DEPARTMENT)),
        fuel=fuel.open_fuel(client(fuel.DEPARTMENT)),
        policies=enterprise.open_policies(client(enterprise.DEPARTMENT)),
    )
