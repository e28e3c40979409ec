"""The console's cookies: which browser is signed in, which form it filled in, in what language.

Names begin with `__Host-` over HTTPS, so that no neighbouring host can set them. `SameSite=Lax`
lets a link from the work chat open the console; every form carries a token besides.
"""

import base64
import hmac
import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from tornado.web import RequestHandler

SESSION = "wz_console"
FORM = "wz_form"  # ties the forms of nobody in particular to one browser
FLASH = "wz_flash"
LANGUAGE = "wz_lang"
LONGEST_FLASH = 300  # characters
YEAR_DAYS = 365


def read(page: RequestHandler, name: str) -> str:
    """Return a cookie's value, empty if there is none."""
    value = page.get_cookie(_full(page, name)) or ""
    return value if value.isascii() else ""


def write(
    page: RequestHandler,
    name: str,
    value: str,
    *,
    until: datetime | None = None,
    days: int | None = None,
) -> None:
    """Set a cookie that scripts cannot read; without an end it lasts as long as the browser."""
    page.set_cookie(
        _full(page, name),
        value,
        expires=until,
        expires_days=days,
        path="/",
        httponly=True,
        secure=_is_https(page),
        samesite="Lax",
    )


def clear(page: RequestHandler, name: str) -> None:
    """Take a cookie back."""
    page.clear_cookie(
        _full(page, name), path="/", secure=_is_https(page), httponly=True, samesite="Lax"
    )


def signed(key: bytes, purpose: str, text: str) -> str:
    """Return what proves that we wrote `text` for this purpose."""
    return hmac.new(key, f"{purpose}\0{text}".encode(), sha256).hexdigest()


def form_secret(page: RequestHandler) -> str:
    """Return what ties a form to this browser, and set it if this is its first form."""
    known = read(page, FORM)
    if len(known) >= 32:
        return known
    fresh = secrets.token_urlsafe(32)
    write(page, FORM, fresh)
    return fresh


def write_flash(page: RequestHandler, key: bytes, text: str, kind: str) -> None:
    """Keep one sentence for the next page."""
    content = base64.urlsafe_b64encode(orjson.dumps([kind, text[:LONGEST_FLASH]])).decode()
    write(page, FLASH, f"{content}.{signed(key, 'flash', content)}")


def take_flash(page: RequestHandler, key: bytes) -> dict[str, str] | None:
    """Return the sentence kept for this page, once; None for one that is not ours."""
    kept = read(page, FLASH)
    if not kept:
        return None
    clear(page, FLASH)
    content, _, proof = kept.partition(".")
    if not hmac.compare_digest(signed(key, "flash", content), proof):
        return None
    pair: Any = orjson.loads(base64.urlsafe_b64decode(content))
    return {"kind": pair[0], "text": pair[1]}


def _is_https(page: RequestHandler) -> bool:
    return bool(page.application.settings.get("is_https"))


def _full(page: RequestHandler, name: str) -> str:
    return f"__Host-{name}" if _is_https(page) else name
