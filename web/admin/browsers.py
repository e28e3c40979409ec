"""Browsers in a few words (浏览器): what sends `User-Agent`, as somebody recognises it.

A list of one's own sessions needs "Edge · Windows", not the whole line; of two names in one line
the first listed is the true one, because browsers name those they imitate as well.
"""

import re

_BROWSERS = (
    ("MicroMessenger/", "WeChat"),
    ("Edg", "Edge"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("QQBrowser/", "QQ Browser"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"[\w.+-]{1,40}")


def browser_of(agent: str) -> str:
    """Return browser and system; of what is neither its first word; empty if it says nothing."""
    named = [
        next((told for part, told in table if part in agent), "") for table in (_BROWSERS, _SYSTEMS)
    ]
    told = " · ".join(filter(None, named))
    first = _PRODUCT.match(agent)
    return told or (first[0] if first else "")
