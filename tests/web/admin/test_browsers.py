"""What one's own sessions are called, and the icon that browsers ask for."""

import pytest

from web.admin.browsers import browser_of

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{WEBKIT} Chrome/142.0.0.0"


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "Chrome · Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {CHROME} Safari/537.36 Edg/142.0", "Edge · Windows"),
        (f"Mozilla/5.0 (Linux; Android 15) {CHROME} MicroMessenger/8.0.60", "WeChat · Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) Version/19.1 Safari/604.1",
            "Safari · iPhone",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Firefox/146.0", "Firefox · Linux"),
        ("curl/8.5.0", "curl"),
        ("<script>alert(1)</script>", ""),
        ("", ""),
    ],
)
def test_a_browser_is_named_in_a_few_words(agent: str, told: str):
    assert browser_of(agent) == told


async def test_an_icon_is_there_for_every_browser(console):
    nobody = await console.nobody()

    page = await nobody.get("/admin/sign-in")
    icon = await nobody.get("/favicon.ico")

    assert 'rel="icon"' in page.text
    assert (icon.status, icon.headers["Location"]) == (302, "/static/favicon.svg")
    assert (await nobody.get("/static/favicon.svg")).status == 200
