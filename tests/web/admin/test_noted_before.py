"""What matters stands in the audit chain before it is done: a kill in between leaves a trace."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.audit import Wanted
from domain.ids import AccountId
from tests.support.console import PASSWORD, Console
from tests.support.console_broadcasts import in_review

CITY = AccountId("city")
OWN = {"present": PASSWORD, "password": "my-own-horse-77", "again": "my-own-horse-77"}


async def a_key(console: Console) -> str:
    return (await console.ctx.api_keys.make(CITY, "水务", ("notices:write",), now=_now(console)))[1]


async def nothing(_console: Console) -> str:
    return ""


def _now(console: Console) -> Any:
    return console.ctx.clock.now()


ACTS: dict[str, tuple[str, Callable[[Any], Any], str, Any, str, dict[str, str]]] = {
    "api_key.revoke": (
        "system_admin", lambda ctx: ctx.api_keys, "revoke", a_key,
        "/admin/a/city/settings/keys/{}/revoke", {},
    ),
    "callback_keys.discard": (
        "system_admin", lambda ctx: ctx.callback_keys, "discard", nothing,
        "/admin/a/city/settings/callback-keys/discard", {},
    ),
    "maintenance.end": (
        "account_manager", lambda ctx: ctx.maintenance, "end", nothing,
        "/admin/a/city/departments/utilities/notice/end", {},
    ),
    "broadcast.cancel": (
        "publisher", lambda ctx: ctx.broadcasts, "cancel", in_review,
        "/admin/a/city/broadcasts/{}/cancel", {"revision": "1"},
    ),
    "broadcast.approve": (
        "reviewer", lambda ctx: ctx.approvals, "approve", in_review,
        "/admin/a/city/broadcasts/{}/approval", {"revision": "1"},
    ),
    "password.change": (
        "editor", lambda ctx: ctx.stores.operators, "set_password", nothing,
        "/admin/me/password", OWN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("action", ACTS)
async def test_the_intention_stands_there_when_the_act_is_done(
    console: Console, monkeypatch, action: str
):
    role, owner, name, make, path, form = ACTS[action]
    client = await console.as_((role,))  # type: ignore[arg-type]
    thing = await make(console)
    service = owner(console.ctx)
    act, seen = getattr(service, name), []

    async def looked_at(*given: Any, **more: Any) -> Any:
        entries, _ = await console.ctx.audit.search(Wanted(action=action))
        seen.extend(entry.outcome for entry in entries)
        return await act(*given, **more)

    monkeypatch.setattr(service, name, looked_at)
    await client.post(path.format(thing), form)

    assert seen == ["intended"]
