"""The routes about broadcasts that exist: list, page, review, switches, live, people, report."""

from web.admin import (
    broadcast_list,
    broadcast_live,
    broadcast_page,
    broadcast_people,
    broadcast_report,
    broadcast_review,
    broadcast_switches,
)

routes = (
    *broadcast_list.routes,
    *broadcast_page.routes,
    *broadcast_live.routes,
    *broadcast_review.routes,
    *broadcast_switches.routes,
    *broadcast_report.routes,
    *broadcast_people.routes,
)
