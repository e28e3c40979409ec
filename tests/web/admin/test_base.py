"""The console's frame: who is let in, forms that prove where they come from, errors in words."""

from datetime import timedelta

import pytest
from yarl import URL

from domain.ids import AccountId
from runtime.context import open_context
from tests.support.console import Console, open_console
from tests.support.web import serving
from web.admin import assets


async def test_nobody_is_led_to_the_sign_in_and_back(console: Console):
    nobody = await console.nobody()

    home = await nobody.get("/admin/")
    page = await nobody.get("/admin/a/city/")

    assert (home.status, home.location) == (302, "/admin/sign-in")
    assert page.status in (302, 404)


async def test_an_address_that_is_none_is_not_found_in_the_consoles_look(console: Console):
    editor = await console.as_(("editor",))

    answer = await editor.get("/admin/no-such-page")

    assert answer.status == 404
    assert "微政管理台" in answer.text
    assert "没有找到这个页面" in answer.text


async def test_a_session_ends_when_nothing_was_done_for_half_an_hour(console: Console, clock):
    auditor = await console.as_(("auditor",))
    clock.advance(timedelta(minutes=29))
    in_time = await auditor.get("/admin/")

    clock.advance(timedelta(minutes=31))
    too_late = await auditor.get("/admin/")

    assert not in_time.location.startswith("/admin/sign-in")
    assert too_late.location == "/admin/sign-in"


async def test_a_session_ends_after_half_a_day_however_busy(console: Console, clock):
    auditor = await console.as_(("auditor",))
    for _ in range(25):
        clock.advance(timedelta(minutes=29))
        last = await auditor.get("/admin/")

    assert last.location == "/admin/sign-in"


@pytest.mark.parametrize(("language", "word"), [("en", "Not found"), ("zh", "没有找到")])
async def test_the_language_chosen_is_kept(console: Console, language: str, word: str):
    editor = await console.as_(("editor",))
    await editor.get(f"/admin/none?lang={language}")

    answer = await editor.get("/admin/none")

    assert word in answer.text


async def test_over_https_cookies_are_bound_to_this_host_and_closed_to_scripts(
    settings, mongo, redis, clock
):
    server = settings.server.model_copy(update={"public_url": "https://wz.example.org"})
    port = settings.server.port
    async with (
        open_context(settings.model_copy(update={"server": server}), clock) as ctx,
        serving(ctx, port) as base,
        open_console(ctx, base) as console,
    ):
        answer = await (await console.nobody()).get("/admin/nowhere")

    set_, *rest = answer.headers["Set-Cookie"].split("; ")
    assert set_.startswith("__Host-wz_form=")
    assert {"HttpOnly", "Path=/", "Secure", "SameSite=Lax"} <= set(rest)
    assert answer.headers["Strict-Transport-Security"]


async def test_pages_say_what_to_do_when_set_up_has_not_fetched_their_styles(
    console: Console, tmp_path, monkeypatch
):
    monkeypatch.setattr(assets, "MODULES", tmp_path)
    assets.are_there.cache_clear()
    answer = await (await console.as_(("auditor",))).get("/admin/nowhere")
    assets.are_there.cache_clear()

    assert "make setup" in answer.text
    assert len(assets.missing()) == len(assets.ALLOWED)


async def test_a_token_that_is_none_is_nobody(console: Console):
    auditor = await console.as_(("auditor",))
    for value in ("", "x", "令牌", "a" * 5000):
        auditor.http.cookie_jar.update_cookies({"wz_console": value}, URL(console.base))

        answer = await auditor.get("/admin/")

        assert answer.location == "/admin/sign-in"


async def test_an_operator_who_is_disabled_is_out_at_once(console: Console):
    auditor = await console.as_(("auditor",))
    await console.ctx.stores.database["operators"].update_many(
        {}, {"$set": {"disabled_at": console.ctx.clock.now()}}
    )

    answer = await auditor.get("/admin/")

    assert answer.location == "/admin/sign-in"


async def test_only_listed_files_of_npm_are_served_and_they_may_be_kept(console: Console):
    nobody = await console.nobody()

    listed = await nobody.get("/static/npm/htmx.org/dist/htmx.min.js?v=2.0.7")
    unlisted = await nobody.get("/static/npm/htmx.org/package.json")
    above = await nobody.get("/static/npm/../package.json")

    assert listed.status == 200
    assert "immutable" in listed.headers["Cache-Control"]
    assert (unlisted.status, above.status) == (404, 404)


async def test_the_navigation_shows_what_a_role_may_open_and_no_other_account(console: Console):
    desk, auditor = await console.as_(("desk",), "plain"), await console.as_(("auditor",))

    page = (await desk.get("/admin/a/plain/subscribers")).text
    audit = (await auditor.get("/admin/audit")).text

    assert 'href="/admin/a/plain/subscribers" aria-current="page"' in page
    assert ("/admin/audit" in page, "/admin/a/city" in page, "测试city" in page) == (False,) * 3
    assert 'href="/admin/audit" aria-current="page"' in audit
    assert "/subscribers" not in audit


async def test_switching_the_account_stays_in_the_same_part_where_one_may(console: Console):
    grants = {"city": {"desk"}, "plain": {"desk"}, "both": {"editor"}}
    held = {AccountId(name): frozenset(roles) for name, roles in grants.items()}
    operator = await console.operator_with(held)

    page = (await (await console.signed_in(operator)).get("/admin/a/city/subscribers")).text

    assert 'href="/admin/a/plain/subscribers"' in page
    assert 'href="/admin/a/both/subscribers"' not in page
    assert 'href="/admin/a/both/' in page


async def test_the_console_is_found_without_the_slash(console: Console):
    answer = await (await console.nobody()).get("/admin")

    assert (answer.status, answer.location) == (302, "/admin/")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/static/%00", 404),
        ("/static/admin/console.css%00.js", 404),
        ("/static/%2e%2e/run.py", 403),
        ("/static/npm/%2e%2e/run.py", 404),
        ("/static/npm/htmx.org/package.json", 404),
        ("/admin", 302),
    ],
)
async def test_no_odd_address_is_an_error_of_ours_or_opens_another_file(
    console: Console, path: str, status: int
):
    answer = await (await console.nobody()).get(path)

    assert answer.status == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in answer.headers
