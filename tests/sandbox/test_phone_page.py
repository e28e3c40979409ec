"""The page with the citizens' phones, in Chromium and as a stream of events."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from sandbox.world import DEMO_CITIZENS
from tests.sandbox.conftest import ANNA, SandboxClient

CHEN, LI, WANG = DEMO_CITIZENS


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for this file."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, sandbox: SandboxClient) -> AsyncIterator[Page]:
    """The phones of `city` on a wide screen; a script error fails the test."""
    errors: list[str] = []
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    page.set_default_timeout(5000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    await page.goto(f"{sandbox.base}/sandbox/")
    yield page
    await page.close()
    assert errors == []


def phone(page, openid=CHEN):
    """Return one citizen's phone."""
    return page.locator(f'.phone[data-openid="{openid}"]')


async def follow(page, openid=CHEN):
    """Follow the account and wait for the greeting."""
    await phone(page, openid).get_by_role("button", name="关注", exact=True).click()
    await expect(phone(page, openid).locator(".bubble.from-account")).to_have_count(1)


async def write(page, text, openid=CHEN):
    """Write a text."""
    await phone(page, openid).locator("input[name=text]").fill(text)
    await phone(page, openid).get_by_role("button", name="发送").click()


@pytest.mark.browser
async def test_a_citizen_follows_writes_and_reads_the_answer(page):
    await follow(page)
    await write(page, "停水 园岭街道")

    await expect(phone(page).locator(".bubble.from-citizen")).to_contain_text("停水 园岭街道")
    await expect(phone(page).locator(".bubble.from-account").last).to_contain_text(
        "收到停水 园岭街道"
    )
    await expect(phone(page, LI).locator(".bubble")).to_have_count(0)


@pytest.mark.browser
async def test_a_voice_message_carries_its_recognition(page, mini):
    await follow(page)
    await phone(page).get_by_role("button", name="语音").click()
    await write(page, "查公积金")

    await expect(phone(page).locator(".spoken")).to_have_text("查公积金。")
    assert mini.received[-1].recognition == "查公积金。"


@pytest.mark.browser
async def test_a_sub_menu_pops_up_and_its_entry_is_a_click(page, mini):
    await follow(page)
    entry = phone(page).get_by_role("button", name="公积金查询")
    await expect(entry).to_be_hidden()

    await phone(page).get_by_role("button", name="查询", exact=True).click()
    await page.keyboard.press("Escape")
    await expect(entry).to_be_hidden()
    await phone(page).get_by_role("button", name="查询", exact=True).click()
    await entry.click()

    await expect(phone(page).locator(".bubble.from-account").last).to_contain_text("收到click")
    assert mini.received[-1].key == "query.fund"


@pytest.mark.browser
async def test_a_published_menu_is_shown_at_once(page, sandbox):
    menu = {"button": [{"type": "click", "name": "新菜单", "key": "new"}]}

    await sandbox.call("menu/create", json.dumps(menu, ensure_ascii=False).encode())

    await expect(phone(page).get_by_role("button", name="新菜单")).to_be_visible()


@pytest.mark.browser
async def test_a_template_message_arrives_live_as_a_card(page, sandbox):
    await follow(page)

    await sandbox.send_template(CHEN)

    card = phone(page).locator(".card")
    await expect(card).to_contain_text("停水停电停气通知")
    await expect(card.locator("dd").first).to_have_text("南山区粤海街道")
    await expect(card.get_by_role("link")).to_have_attribute("href", "https://example.org/n/1")


@pytest.mark.browser
async def test_only_safe_links_of_a_reply_are_links(page, mini):
    mini.answer = lambda _: (
        '<a href="https://example.org/h5">办理</a><a href="javascript:alert(1)">坏</a>'
        '<img src=x onerror="alert(1)"><b>粗</b>'
    )
    await phone(page).get_by_role("button", name="关注", exact=True).click()

    bubble = phone(page).locator(".bubble.from-account")
    await expect(bubble.get_by_role("link")).to_have_count(1)
    await expect(bubble.get_by_role("link")).to_have_attribute("href", "https://example.org/h5")
    await expect(bubble).to_contain_text('<img src=x onerror="alert(1)"><b>粗</b>')
    await expect(bubble.locator("img, b")).to_have_count(0)


@pytest.mark.browser
async def test_scanning_a_code_follows_with_its_scene(page, mini):
    await phone(page).get_by_role("button", name="更多").click()
    await phone(page).get_by_role("button", name="扫一扫").click()
    await page.get_by_label("场景值").fill("window_12")
    await page.get_by_role("button", name="扫描", exact=True).click()

    await expect(phone(page).locator(".bubble.from-account")).to_have_count(1)
    assert mini.received[0].scene_id == "window_12"


@pytest.mark.browser
async def test_the_drawer_shows_the_push_in_clear_and_as_it_was_sent(page):
    await follow(page)
    await phone(page).get_by_text("原始 XML").click()

    blocks = phone(page).locator(".exchanges pre")
    await expect(blocks).to_have_count(4)
    await expect(blocks.nth(0)).to_contain_text("subscribe")
    await expect(blocks.nth(1)).to_contain_text("<Encrypt>")


@pytest.mark.browser
async def test_what_was_said_is_there_again_after_a_reload(page):
    await follow(page)
    await write(page, "在吗")
    await expect(phone(page).locator(".bubble")).to_have_count(3)

    await page.reload()

    await expect(phone(page).locator(".bubble")).to_have_count(3)


@pytest.mark.browser
async def test_a_narrow_screen_shows_one_phone_and_a_switcher(page):
    await page.set_viewport_size({"width": 360, "height": 740})

    await expect(phone(page, CHEN)).to_be_visible()
    await expect(phone(page, LI)).to_be_hidden()
    await page.get_by_role("button", name="李先生").click()
    await expect(phone(page, LI)).to_be_visible()
    await expect(phone(page, CHEN)).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.browser
async def test_another_account_has_its_own_chat(page, sandbox):
    await follow(page)

    await page.get_by_label("公众号", exact=True).select_option("plain")
    await page.wait_for_url("**/sandbox/?account=plain")

    await expect(phone(page).locator(".account-name")).to_have_text("测试plain")
    await expect(phone(page).locator(".bubble")).to_have_count(0)


async def test_the_stream_begins_with_what_was_missed_and_goes_on_live(sandbox):
    await sandbox.do("text", openid=ANNA, text="早")
    url = f"{sandbox.base}/sandbox/events"
    seen = []

    async with sandbox.http.get(url, params={"account": "city", "openid": ANNA}) as stream:
        async with asyncio.timeout(5):
            async for line in stream.content:
                if line.startswith(b"data: ") and b'"kind":"text"' in line and b'"seq"' in line:
                    seen.append(json.loads(line[6:]))
                if len(seen) == 2:
                    await sandbox.do("text", openid=ANNA, text="晚")
                if len(seen) == 4:
                    break

    assert [line.get("text") for line in seen if "side" in line] == [
        "早",
        "收到早",
        "晚",
        "收到晚",
    ]


async def test_the_page_forbids_foreign_scripts(sandbox):
    async with sandbox.http.get(f"{sandbox.base}/sandbox/") as response:
        html = await response.text()

        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
    assert "style=" not in html
    assert "onclick" not in html
