"""The verbs of the control API that change something (see `sandbox.control`)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, cast

from sandbox.accounts import Account, Mode
from sandbox.acts import Acts, Oddities
from sandbox.chat import Exchange
from sandbox.control_body import BadRequest, Body
from sandbox.crypto import CryptoError, Envelope
from sandbox.faults import KINDS, Fault, FaultKind
from sandbox.followers import STATES, FollowerState
from sandbox.notices import Answer
from sandbox.template_messages import Template
from sandbox.world import World

Content = dict[str, Any]
Verb = Callable[[World, Account, Body], Content | Awaitable[Content]]
Act = Callable[[Acts, Body], Awaitable[Exchange]]


def _act(act: Act) -> Verb:
    """Make a verb of something a citizen does."""

    async def run(world: World, account: Account, body: Body) -> Content:
        oddities = Oddities(
            copies=body.whole("copies", 1),
            omit=tuple(body.texts("omit")),
            extra=body.mapping("extra"),
            bad_signature=body.flag("bad_signature"),
        )
        exchange = await act(Acts(world, account, body.text("openid"), oddities), body)
        return exchange.as_json()

    return run


def _scan(acts: Acts, body: Body) -> Awaitable[Exchange]:
    ticket = body.text("ticket", "")
    if not ticket:
        return acts.scan(body.text("scene"))
    scene = acts.account.qr_codes.get(ticket)
    if scene is None:
        raise BadRequest("ticket is not one that qrcode/create gave out")
    return acts.scan(scene, ticket)


def _consent(acts: Acts, body: Body) -> Awaitable[Exchange]:
    if body.flag("manage"):
        return acts.withdraw_consent(body.text("template_id"))
    answer = cast(Answer, body.one_of("answer", ("accept", "reject")))
    templates = body.texts("template_ids") or [body.text("template_id")]
    return acts.consent(dict.fromkeys(templates, answer), body.text("scene", "1"))


def _location(acts: Acts, body: Body) -> Awaitable[Exchange]:
    return acts.location(
        body.number("latitude", 22.543527),
        body.number("longitude", 114.057939),
        body.text("label", "深圳市福田区福中三路市民中心"),
        body.whole("scale", 15),
    )


ACTS: Mapping[str, Act] = {
    "follow": lambda acts, body: acts.follow(body.text("scene", "")),
    "unfollow": lambda acts, body: acts.unfollow(),
    "text": lambda acts, body: acts.text(body.text("text"), body.text("menu_id", "")),
    "voice": lambda acts, body: acts.voice(body.text("text") if "text" in body else None),
    "image": lambda acts, body: acts.image(body.text("url", "")),
    "video": lambda acts, body: acts.video(short=body.flag("short")),
    "location": _location,
    "link": lambda acts, body: acts.link(
        body.text("title"), body.text("description", ""), body.text("url")
    ),
    "click": lambda acts, body: acts.click(body.text("key"), body.text("name", "")),
    "view": lambda acts, body: acts.view(
        body.text("url"), body.text("menu_id", ""), body.text("name", "")
    ),
    "scan": _scan,
    "consent": _consent,
    "event": lambda acts, body: acts.event(body.text("event"), body.mapping("fields")),
    "message": lambda acts, body: acts.other_message(body.text("kind"), body.mapping("fields")),
    "raw": lambda acts, body: acts.raw(body.text("xml")),
}


def fault(world: World, account: Account, body: Body) -> Content:
    """Add a fault, or clear them."""
    if body.flag("clear"):
        world.faults.clear(body.text("path") if "path" in body else None)
    else:
        world.faults.add(
            Fault(
                kind=cast(FaultKind, body.one_of("kind", KINDS)),
                path=body.text("path", ""),
                account=account.id if "account" in body else "",
                openid=body.text("openid", ""),
                errcode=body.whole("errcode", -1),
                detail=body.text("detail", ""),
                delay=body.number("delay", 0.0),
                left=body.whole("next") if "next" in body else None,
                skip=body.whole("skip", 0),
                probability=body.number("probability", 1.0),
            )
        )
    return {
        "faults": [
            {field.name: getattr(rule, field.name) for field in fields(rule)}
            for rule in world.faults.rules
        ]
    }


def _set_members(target: Any, body: Body) -> Content:
    """Change those members of a dataclass that the request names, and return them all."""
    for field in fields(target):
        if field.name not in body:
            continue
        is_flag = isinstance(getattr(target, field.name), bool)
        setattr(target, field.name, body.flag(field.name) if is_flag else body.number(field.name))
    return {field.name: getattr(target, field.name) for field in fields(target)}


def receipts(world: World, account: Account, body: Body) -> Content:
    """Change how results of template messages come."""
    world.receipts.concurrency = body.whole("concurrency", world.receipts.concurrency)
    return _set_members(account.habits, body)


def push(world: World, account: Account, body: Body) -> Content:
    """Change the patience of pushes."""
    return _set_members(world.courier.habits, body)


def limits(world: World, account: Account, body: Body) -> Content:
    """Change the calls allowed per day and per minute."""
    path = body.text("path")
    if "per_day" in body:
        account.quotas.per_day[path] = body.whole("per_day")
    if "per_minute" in body:
        account.quotas.per_minute[path] = body.whole("per_minute")
    return {
        "path": path,
        "per_day": account.quotas.day_limit(path, len(account.followers)),
        "per_minute": account.quotas.per_minute.get(path, 0),
    }


def tokens(world: World, account: Account, body: Body) -> Content:
    """Make the account's tokens invalid or expired."""
    now = world.clock.timestamp()
    if body.flag("kill"):
        account.tokens.kill_all(now)
    if body.flag("expire"):
        account.tokens.expire_all(now)
    return {}


def change_account(world: World, account: Account, body: Body) -> Content:
    """Change an account's settings in the console of the platform."""
    account.name = body.text("name", account.name)
    account.token = body.text("token", account.token)
    account.callback_url = body.text("callback_url", account.callback_url)
    if "whitelist" in body:
        account.whitelist = frozenset(body.texts("whitelist"))
    if "encoding_aes_key" in body:
        try:
            account.envelope = Envelope(body.text("encoding_aes_key"), account.app_id)
        except CryptoError as error:
            raise BadRequest(f"encoding_aes_key: {error}") from error
    if "mode" in body:
        mode = body.one_of("mode", ("plain", "compatible", "safe"))
        if mode != "plain" and account.envelope is None:
            raise BadRequest("mode needs an encoding_aes_key")
        account.mode = cast(Mode, mode)
    return {"mode": account.mode, "callback_url": account.callback_url}


def template(world: World, account: Account, body: Body) -> Content:
    """Add, ban or remove a template."""
    template_id = body.text("id")
    if body.flag("remove"):
        account.templates.pop(template_id, None)
        return {}
    if "content" in body:
        account.templates[template_id] = Template.of(
            template_id, body.text("title", template_id), body.text("content")
        )
    known = account.templates.get(template_id)
    if known is None:
        raise BadRequest("content must say the fields of a new template")
    known.banned = body.flag("banned")
    return {**known.as_json(), "keys": list(known.checks)}


def clock(world: World, account: Account, body: Body) -> Content:
    """Move the platform's clock."""
    if body.flag("resume"):
        world.clock.resume()
    if "set" in body:
        try:
            moment = datetime.fromisoformat(body.text("set"))
        except ValueError as error:
            raise BadRequest("set must be an ISO time") from error
        if moment.tzinfo is None:
            raise BadRequest("set needs its zone, for example +08:00")
        world.clock.set(moment, running=not body.flag("stop"))
    if "advance" in body:
        world.clock.advance(body.number("advance"))
    return {"now": world.clock.now().isoformat()}


def followers(world: World, account: Account, body: Body) -> Content:
    """Add many silent followers at once."""
    if "openids" in body:
        added = world.add_openids(account.id, body.texts("openids"))
    else:
        added = world.add_followers(
            account.id,
            body.text("prefix", "oBulk"),
            body.whole("add_followers"),
            first=body.whole("first", 0),
        )
    return {"added": added, "followers": len(account.followers)}


def state(world: World, account: Account, body: Body) -> Content:
    """Change somebody's standing without any event."""
    person = world.person(account, body.text("openid"))
    world.set_state(account, person, cast(FollowerState, body.one_of("state", STATES)))
    return {"openid": person.openid, "state": person.state}


def traits(world: World, account: Account, body: Body) -> Content:
    """Give somebody tags of the platform and a kind of phone, for conditional menus."""
    openid, tags = body.text("openid"), tuple(body.texts("tags"))
    account.traits[openid] = (tags, body.text("client", ""))
    return {"openid": openid, "tags": list(tags)}


def citizen(world: World, account: Account, body: Body) -> Content:
    """Give somebody a phone on the page."""
    wanted = body.one_of("state", STATES) if "state" in body else "stranger"
    openid, name = body.text("openid"), body.text("name")
    person = world.add_citizen(account.id, openid, name, state=cast(FollowerState, wanted))
    return {"openid": openid, "name": name, "state": person.state}


def forget(world: World, account: Account, body: Body) -> Content:
    """Begin a new book of sends."""
    account.book.clear()
    account.notices.clear()
    account.mass.clear()
    return {}


def mass(world: World, account: Account, body: Body) -> Content:
    """Let the review of mass sends refuse what comes, or accept it again."""
    account.mass.refuse_as = body.text("refuse_as", "")
    return {"refuse_as": account.mass.refuse_as}


async def verify(world: World, account: Account, body: Body) -> Content:
    """Check the callback's address as the console does."""
    return {"verified": await world.courier.verify_url(account)}


VERBS: Mapping[str, Verb] = {
    **{name: _act(act) for name, act in ACTS.items()},
    "fault": fault,
    "receipts": receipts,
    "push": push,
    "limits": limits,
    "tokens": tokens,
    "account": change_account,
    "template": template,
    "clock": clock,
    "followers": followers,
    "state": state,
    "traits": traits,
    "citizen": citizen,
    "forget": forget,
    "mass": mass,
    "verify": verify,
}
