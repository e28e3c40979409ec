"""The settings of an account: live checks, keys shown once, nothing secret afterwards."""

import re
from datetime import timedelta

import pytest

from console.checks.service import CHECKS
from tests.support.console import Console

SETTINGS = "/admin/a/city/settings"
KEY = re.compile(r"wz_[0-9a-f]{12}_[\w-]{43}")


@pytest.fixture
async def admin(console: Console):
    return await console.as_(("system_admin",))


async def test_the_page_shows_what_stands_in_the_file_and_no_secret(console, admin, settings):
    page = await admin.get(SETTINGS)

    account = settings.account("city")
    assert page.status == 200
    assert account.app_id in page.text
    assert f"{settings.server.public_url}/wechat/city" in page.text
    for secret in (account.app_secret, account.token, account.encoding_aes_key):
        assert secret.get_secret_value() not in page.text
    assert all(check.title in page.text for check in CHECKS)
    english = await admin.get(f"{SETTINGS}?lang=en")
    assert all(check.title not in english.text for check in CHECKS)


async def test_every_check_answers_in_words_also_without_script(console, admin):
    whole = await admin.post(f"{SETTINGS}/checks")
    started = await admin.post(f"{SETTINGS}/checks", htmx=True)
    one = await admin.post(f"{SETTINGS}/checks/callback", htmx=True)
    none = await admin.post(f"{SETTINGS}/checks/nonsense", htmx=True)
    away = await admin.post(f"{SETTINGS}/checks/token", htmx=True)  # nobody listens there

    assert whole.text.count("data-checked") == len(CHECKS)
    assert started.text.count('hx-trigger="load"') == len(CHECKS)
    assert "能通过签名验证" in one.text  # our own callback, over HTTP
    assert none.status == 404
    assert "连不上微信接口" in away.text
    assert "怎么办" in away.text


async def test_a_new_pair_is_shown_once_and_believed_at_once(console, admin):
    made = await admin.post(f"{SETTINGS}/callback-keys", {"overlap": "24"})
    later = await admin.get(SETTINGS)
    token = re.search(r"wz-secret\">(\w{32})<", made.text)

    assert token is not None
    assert token[1] not in later.text
    assert "已于" in later.text
    assert len(console.ctx.inboxes["city"]._doors) == 2
    entry = await console.ctx.stores.database["audit"].find_one({"action": "callback_keys.prepare"})
    assert token[1] not in str(entry)

    given_up = await admin.post(f"{SETTINGS}/callback-keys/discard")
    assert given_up.status == 303
    assert len(console.ctx.inboxes["city"]._doors) == 1


async def test_a_key_is_made_replaced_with_an_overlap_and_revoked(console, admin, clock):
    made = await admin.post(
        f"{SETTINGS}/keys", {"name": "水务集团", "scopes": ["broadcasts:write", "notices:write"]}
    )
    first = KEY.search(made.text)[0]
    key_id = first.split("_")[1]
    security = await console.as_(("security_admin",))
    await security.post(f"/admin/confirmations/keys/{key_id}")
    replaced = await admin.post(f"{SETTINGS}/keys/{key_id}/replace", {"days": "7"})
    second = next(key for key in KEY.findall(replaced.text) if key != first)
    again = await admin.post(f"{SETTINGS}/keys/{key_id}/replace", {"days": "7"})
    await security.post(f"/admin/confirmations/keys/{second.split('_')[1]}")
    find, now = console.ctx.api_keys.find, clock.now()
    both = [await find(first, now=now), await find(second, now=now)]
    revoked = await admin.post(f"{SETTINGS}/keys/{second.split('_')[1]}/revoke")
    listed = await admin.get(f"{SETTINGS}/keys")

    assert [key.scopes for key in both] == [{"broadcasts:write", "notices:write"}] * 2
    assert (again.status, revoked.status) == (404, 303)
    assert "正被替换" in listed.text
    assert first not in listed.text
    assert await find(second, now=clock.now()) is None
    assert await find(first, now=clock.now() + timedelta(days=8)) is None


async def test_keys_of_another_account_cannot_be_touched(console, admin, clock):
    key, key_id = await console.ctx.api_keys.make(
        "plain", "别人的", ("notices:write",), now=clock.now()
    )

    answers = [
        await admin.post(f"{SETTINGS}/keys/{key_id}/replace", {"days": "7"}),
        await admin.post(f"{SETTINGS}/keys/{key_id}/revoke"),
    ]

    assert [answer.status for answer in answers] == [404, 404]
    assert await console.ctx.api_keys.find(key, now=clock.now())


async def test_a_key_nobody_could_use_is_refused_beside_its_field(admin):
    for form in (
        {"name": "", "scopes": ["notices:write"]},
        {"name": "x" * 1_000_000, "scopes": ["notices:write"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything", "{'$ne': 1}"]},
    ):
        answer = await admin.post(f"{SETTINGS}/keys", form)

        assert answer.status == 422
        assert "invalid-feedback" in answer.text
        assert not KEY.search(answer.text)


async def test_a_hostile_name_is_shown_harmlessly(console, admin):
    name = "<script>alert(1)</script>{{7*7}}\u202e=1+1"
    await admin.post(f"{SETTINGS}/keys", {"name": name, "scopes": ["notices:write"]})

    page = await admin.get(f"{SETTINGS}/keys")

    assert "<script>alert" not in page.text
    assert "{{7*7}}" in page.text
    assert "\u202e" not in page.text


async def test_a_manager_may_look_and_check_and_change_nothing(console):
    manager = await console.as_(("account_manager",))

    assert (await manager.get(SETTINGS)).status == 200
    assert (await manager.post(f"{SETTINGS}/checks/mode")).status == 200
    assert (await manager.post(f"{SETTINGS}/callback-keys")).status == 403
    assert (await manager.post(f"{SETTINGS}/keys", {"name": "x"})).status == 403
    assert (await manager.get("/admin/a/plain/settings")).status == 404


async def test_who_may_only_look_at_keys_reads_who_can_make_them(console):
    manager = await console.as_(("account_manager",), "city")

    page = await manager.get("/admin/a/city/settings/keys")

    assert page.status == 200
    assert "由系统管理员办理" in page.text
