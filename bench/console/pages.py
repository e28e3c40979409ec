"""What is asked: every GET of the console's route table, and what pages ask while somebody works.

A route whose address names something is filled from the stock; one that nothing is known for is
an error, so that a new page cannot be forgotten here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from bench.console.data import RARE, Stock
from bench.push.city import ACCOUNT, DISTRICTS, TOPICS, City, openid_of
from domain.access import ROLES, Role
from domain.ids import BroadcastId, OpenId, RegionCode, TopicId
from domain.looking import Sought
from domain.rights import RIGHTS
from web.admin.compose_form import fields_for
from web.admin.dashboard import PLOTS
from web.admin.routes import ROUTES
from web.admin.table import ConsoleRoute

Form = Mapping[str, Sequence[str]]
# they lead on to another page, and are measured as that
LEADS = {
    "home", "me-identity", "subscriber-value", "sign-in-code", "sign-in-enrol", "sign-in-password",
    "sign-in-provider", "sign-in-back",
}  # fmt: skip
WITHOUT_PROVIDER = {"sign-in-provider", "sign-in-back"}  # nobody signs in elsewhere here: 404
STREAMS = {"broadcast-live", "broadcast-export", "audit-export"}  # measured to the first byte
_GROUP = re.compile(r"\((?!\?:)((?:[^()]|\((?:[^()])*\))*)\)")


class NoSample(LookupError):
    """A route of the console that the bench knows no address of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, as whom, and what its answer must be; a form makes it a POST of htmx."""

    name: str
    path: str
    role: Role | None  # None: nobody
    form: Form | None = None
    statuses: tuple[int, ...] = (200,)
    holds: str = ""  # what must be in the answer
    is_stream: bool = False
    again: str = ""  # while this is in the answer, the page asks once more


def everything(city: City, stock: Stock) -> list[Ask]:
    """Return all that is asked when nothing is being sent."""
    return [
        *_table(city, stock),
        *_dashboards(),
        *_plots(),
        *_lists(stock),
        *_search(city),
        *_streams(stock),
    ]


# --- the table ----------------------------------------------------------------------------------


def _table(city: City, stock: Stock) -> Iterator[Ask]:
    """Ask for every GET of the table."""
    samples = samples_of(city, stock)
    for name, route in ROUTES.items():
        if route.get is None or name in STREAMS:
            continue
        statuses = (302, 303) if name in LEADS else (200,)
        yield Ask(
            name=name,
            path=address(route, samples),
            role=whose(route),
            statuses=(*statuses, 404) if name in WITHOUT_PROVIDER else statuses,
        )


def samples_of(city: City, stock: Stock) -> dict[str, tuple[str, ...]]:
    """Return the path's arguments of every route that names something."""
    reference = city.ctx.followers.reference(ACCOUNT, stock.follower)
    big: tuple[str, ...] = (stock.big,)
    return {
        "broadcast": big,
        "broadcast-audience": big,
        "broadcast-progress": big,
        "broadcast-live": big,
        "broadcast-report": big,
        "broadcast-report-time": big,
        "broadcast-report-failures": big,
        "broadcast-report-reasons": big,
        "broadcast-recipients": big,
        "broadcast-export": (stock.big, "csv"),
        "broadcast-review": (stock.review,),
        "broadcast-revision": (stock.review, "1"),
        "broadcast-switch": (stock.big, "resend"),
        "broadcast-discard": (stock.review,),
        "compose.edit": (stock.drafts["everybody"],),
        "dashboard-plot": ("followers",),
        "department": ("utilities",),
        "latency": ("utilities",),
        "menu-version": ("7",),
        "operator": (stock.operator,),
        "subscriber": (reference,),
        "subscriber-value": (reference,),
        "template": stock.template,
    }


def address(route: ConsoleRoute, samples: Mapping[str, tuple[str, ...]]) -> str:
    """Return the route's address in our account."""
    path = route.pattern.replace("{account}", ACCOUNT, 1).removesuffix("$")
    groups = _GROUP.findall(path)
    arguments = samples.get(route.name, ())
    if len(groups) != len(arguments):
        raise NoSample(f"bench/console/pages.py has no sample for the route {route.name!r}")
    rest = iter(arguments)
    return _GROUP.sub(lambda _: next(rest), path).replace("\\", "")


def whose(route: ConsoleRoute, method: str = "GET") -> Role | None:
    """Return the first role that may; None for what is anybody's."""
    needed = set(route.needs(method) or ())
    if "anyone" in needed:
        return None
    return next(role for role in ROLES if needed & RIGHTS[role])


def _of(name: str, *arguments: str, query: Mapping[str, str] | None = None, **more: str) -> Ask:
    """Return the ask of a route with these arguments."""
    route = ROUTES[name]
    path = address(route, {name: arguments})
    said = f"{name} ({more['what']})" if "what" in more else name
    asked = f"{path}?{urlencode(query)}" if query else path
    return Ask(name=said, path=asked, role=whose(route))


# --- more of the same pages ---------------------------------------------------------------------


def _dashboards() -> Iterator[Ask]:
    """Everybody's first page: what waits depends on the role."""
    for role in ROLES:
        if "dashboard.read" in RIGHTS[role]:
            yield replace(_of("dashboard", what=role), role=role)


def _plots() -> Iterator[Ask]:
    for name in PLOTS:
        yield _of("dashboard-plot", name, what=name)


def _lists(stock: Stock) -> Iterator[Ask]:
    """Lists by what they can be asked, and pages deep in them."""
    for state in ("draft", "in_review", "finished"):
        yield _of("broadcasts", query={"state": state}, what=state)
    yield _of("broadcasts", query={"q": "停水"}, what="frequent words")
    yield _of("broadcasts", query={"q": "没有这个标题"}, what="words of none")
    for state in ("failed", "unknown"):
        yield _of("broadcast-recipients", stock.big, query={"state": state}, what=state)
    yield _of("broadcast", stock.plan, what="one that recurs")
    for verb in ("publish", "cancel"):
        yield _of("broadcast-switch", stock.review, verb, what=verb)
    for shape, draft in stock.drafts.items():
        yield _of("compose.edit", draft, what=shape)
    for shape in ("everybody", "topic and district", "a rule"):
        counted = _of("broadcast-audience", stock.drafts[shape], what=shape)
        yield replace(counted, again="data-counting")
    yield _of("menu-versions", query={"before": "9"}, what="before the ninth")
    yield _of("audit", query={"before": str(stock.entries // 2)}, what="the middle")
    yield _of("audit", query={"action": "menu.save", "who": "李敏3"}, what="who did what")
    yield _of("audit", query={"since": "2026-11-20T00:00", "object": "broadcast:x"}, what="none")


def deep(city: City, stock: Stock, cursor: str, older: int) -> list[Ask]:
    """Return pages far down in long lists; cursors come from walking there."""
    reference = city.ctx.followers.reference(ACCOUNT, stock.follower)
    middle = OpenId(openid_of(city.plan.people * 9 // 10))
    onward = city.ctx.followers.search(ACCOUNT, Sought(), middle)
    return [
        _of("broadcast-recipients", stock.big, query={"cursor": cursor}, what="deep"),
        _of("subscribers", query={"q": onward}, what="nine tenths down"),
        _of("subscriber", reference, query={"before": str(older)}, what="older notices"),
    ]


def _search(city: City) -> Iterator[Ask]:
    """Followers by each criterion and by pairs, frequent and rare; with all from the beginning."""
    water, rare_topic = TopicId(TOPICS[0]), TopicId(TOPICS[3])
    frequent, other = RegionCode(DISTRICTS[0]), RegionCode(DISTRICTS[1])
    whole, city_code = openid_of(city.plan.people // 2), RegionCode("440300")
    asked = {
        "an openid": Sought(openid=whole),
        "the beginning of openids": Sought(openid="oBench"),
        "an openid of nobody": Sought(openid="oNobody"),
        "a frequent topic": Sought(topic=water),
        "a frequent region": Sought(region=city_code),
        "a frequent tag": Sought(tag="s0"),
        "a rare tag": Sought(tag=RARE),
        "a tag of nobody": Sought(tag="没有"),
        "topic and region, frequent": Sought(topic=water, region=frequent),
        "topic and region of nobody": Sought(topic=rare_topic, region=other),
        "topic and frequent tag": Sought(topic=water, tag="s0"),
        "topic and rare tag": Sought(topic=water, tag=RARE),
        "topic and tag of nobody": Sought(topic=water, tag="没有"),
        "region and frequent tag": Sought(region=frequent, tag="s0"),
        "region and rare tag": Sought(region=city_code, tag=RARE),
        "topic, region and rare tag": Sought(topic=water, region=city_code, tag=RARE),
        "openid and topic": Sought(openid="oBench", topic=water),
        "openid and rare tag": Sought(openid="oBench", tag=RARE),
        "openid, topic and region of nobody": Sought(
            openid="oBench", topic=rare_topic, region=other
        ),
    }
    for what, sought in asked.items():
        token = city.ctx.followers.search(ACCOUNT, sought)
        yield _of("subscribers", query={"q": token}, what=what)
    middle = OpenId(openid_of(city.plan.people // 2))
    token = city.ctx.followers.search(ACCOUNT, asked["topic and rare tag"], middle)
    yield _of("subscribers", query={"q": token}, what="topic and rare tag, half way")


def _streams(stock: Stock) -> Iterator[Ask]:
    """What has no end worth waiting for: the first byte counts."""
    for kind in ("csv", "xlsx"):
        export = _of("broadcast-export", stock.big, kind, what=f"{kind}, first byte")
        yield replace(export, is_stream=True)
    yield replace(_of("audit-export", what="first byte"), is_stream=True)
    yield replace(_of("broadcast-live", stock.big, what="first event"), is_stream=True)


def export(broadcast: BroadcastId, kind: str) -> Ask:
    """Return the export of a broadcast."""
    return _of("broadcast-export", broadcast, kind, what=kind)


# --- while somebody works -----------------------------------------------------------------------


async def parts(city: City, stock: Stock) -> list[Ask]:
    """Return what pages post while somebody works on them."""
    forms = {name: await _form(city, draft) for name, draft in stock.drafts.items()}
    form = forms["everybody"]
    prefix = {"search": ["oBench00"]}
    menu = await city.ctx.menus.draft(ACCOUNT)
    found = [
        _part("compose.message", form),
        _part("compose.blanks", form),
        _part("compose.rule", {**forms["a rule"], "action": ["rule:add:"]}),
        _part("compose.readers", {**form, "action": ["some"]}, what="some"),
        _part("compose.readers", {**form, **prefix}, what="by openid"),
        _part("menu", {"revision": [str(menu.revision)], "do": ["look"]}, what="look"),
        _part("audit-check", {"noted": [""]}),
    ]
    for name, each in forms.items():
        asked = _part("compose.outlook", each, what=name)
        found.append(replace(asked, again="data-counting", holds="发送人数"))
    return found


async def _form(city: City, draft: BroadcastId) -> Form:
    return fields_for(await city.ctx.drafts.find(draft, ACCOUNT))


def _part(name: str, form: Form, **more: str) -> Ask:
    route = ROUTES[name]
    said = f"{name} ({more['what']})" if "what" in more else name
    return Ask(name=f"POST {said}", path=address(route, {}), role=whose(route, "POST"), form=form)


def while_sending(broadcast: BroadcastId, when: str) -> list[Ask]:
    """Return what people look at while a broadcast is sent."""
    names = (
        "broadcast", "broadcast-progress", "broadcast-report", "broadcast-report-time",
        "broadcast-report-failures", "broadcast-report-reasons", "broadcast-recipients",
    )  # fmt: skip
    asks = [_of(name, broadcast, what=when) for name in names]
    asks.append(_of("broadcast-switch", broadcast, "pause", what=when))
    asks += [_of("dashboard", what=when), _of("broadcasts", what=when)]
    live = _of("broadcast-live", broadcast, what=f"first event, {when}")
    return [*asks, replace(live, is_stream=True)]
