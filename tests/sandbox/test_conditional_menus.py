"""Conditional menus 个性化菜单 of the stand-in: who sees which, and what is refused."""

import json
from typing import Any

import pytest

from tests.sandbox.conftest import ANNA, BEN


def named(name: str) -> list[dict[str, str]]:
    return [{"type": "click", "name": name, "key": "k"}]


async def ask(sandbox, path: str, content: Any) -> dict[str, Any]:
    return await sandbox.call(path, json.dumps(content, ensure_ascii=False).encode())


async def seen_by(sandbox, openid: str) -> str:
    return (await ask(sandbox, "menu/trymatch", {"user_id": openid}))["button"][0]["name"]


async def test_the_newest_menu_that_fits_is_seen_and_others_see_the_default(sandbox):
    await ask(sandbox, "menu/create", {"button": named("默认")})
    await ask(sandbox, "menu/addconditional", {"button": named("旧"), "matchrule": {"tag_id": "2"}})
    rule = {"tag_id": "2", "client_platform_type": "1"}
    new = await ask(sandbox, "menu/addconditional", {"button": named("新"), "matchrule": rule})
    await sandbox.do("traits", openid=ANNA, tags=["7", "2"], client="1")  # the last tag counts
    await sandbox.do("traits", openid=BEN, tags=["2", "7"], client="1")

    seen = [await seen_by(sandbox, openid) for openid in (ANNA, BEN)]
    listed = (await sandbox.call("menu/get"))["conditionalmenu"]
    await ask(sandbox, "menu/delconditional", {"menuid": new["menuid"]})

    assert seen == ["新", "默认"]
    assert [menu["matchrule"]["tag_id"] for menu in listed] == [2, 2]  # numbers come back
    assert await seen_by(sandbox, ANNA) == "旧"


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({}, 65305),
        (None, 65305),
        ({"sex": "1"}, 65320),
        ({"client_platform_type": "9"}, 65307),
        ({"tag_id": "abc"}, 65304),
    ],
)
async def test_a_rule_that_matches_nobody_is_refused(sandbox, rule, code):
    await ask(sandbox, "menu/create", {"button": named("默认")})
    content = {"button": named("甲"), "matchrule": rule}

    assert (await ask(sandbox, "menu/addconditional", content))["errcode"] == code


async def test_it_needs_a_default_menu_and_goes_with_it(sandbox):
    content = {"button": named("甲"), "matchrule": {"tag_id": "2"}}
    before = await ask(sandbox, "menu/addconditional", content)
    await ask(sandbox, "menu/create", {"button": named("默认")})
    await ask(sandbox, "menu/addconditional", content)
    await sandbox.call("menu/delete")
    await ask(sandbox, "menu/create", {"button": named("默认")})

    assert before["errcode"] == 65303
    assert "conditionalmenu" not in await sandbox.call("menu/get")
    assert (await ask(sandbox, "menu/delconditional", {"menuid": "1"}))["errcode"] == 65301
    assert (await ask(sandbox, "menu/trymatch", {"user_id": "nobody"}))["errcode"] == 65309
