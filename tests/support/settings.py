"""Settings for tests: three accounts, one in each mode, on the embedded servers."""

import base64
from pathlib import Path
from typing import Any

from config.settings import Settings
from sandbox.departments import NAMES, NEWS_NAMES

FIELD_KEY = base64.b64encode(bytes(range(96))).decode()
TEMPLATES = {
    "outage_notice": {"thing1": "area", "time2": "start", "time3": "end", "thing4": "reason"},
    "violation_notice": {
        "thing1": "plate",
        "time2": "time",
        "thing3": "place",
        "thing4": "act",
        "amount5": "fine",
    },
    "balance_notice": {
        "character_string1": "account",
        "thing2": "change",
        "amount3": "balance",
        "time4": "time",
    },
    "case_notice": {"character_string1": "case", "thing2": "step", "time3": "time"},
    "alert_notice": {"thing1": "headline", "phrase2": "level", "thing3": "issuer", "time4": "time"},
    "reminder_notice": {"thing1": "matter", "date2": "due", "thing3": "note"},
}

SUBSCRIPTIONS = {"outage_notice": "one_time", "case_notice": "long_term"}


def account(account_id: str, mode: str, *, api_base: str = "http://127.0.0.1:9") -> dict[str, Any]:
    """Return one [[accounts]] section with every template."""
    return {
        "id": account_id,
        "name": f"测试{account_id}",
        "app_id": f"wx{account_id:0<16}",
        "app_secret": f"secret-of-{account_id}",
        "token": f"token{account_id}",
        "encoding_aes_key": None if mode == "plain" else f"{account_id:A<43}",
        "mode": mode,
        "api_base": api_base,
        "templates": {
            name: {"id": f"{account_id}-{name}", "fields": fields}
            for name, fields in TEMPLATES.items()
        },
        "subscription_templates": {
            name: {"id": f"{account_id}-sub-{name}", "fields": TEMPLATES[name], "kind": kind}
            for name, kind in SUBSCRIPTIONS.items()
        },
    }


def make_settings(
    data_dir: Path,
    *,
    database: str = "weizheng_test",
    port: int = 8000,
    api_base: str = "http://127.0.0.1:9",
    **sections: Any,
) -> Settings:
    """Return settings on the embedded servers of `data_dir`; `sections` replace whole sections."""
    content: dict[str, Any] = {
        "server": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "mongo": {"uri": "embedded", "database": database},
        "redis": {"url": "embedded"},
        "storage": {"data_dir": data_dir},
        "security": {"secret_key": "for-tests-and-nothing-else", "field_key": FIELD_KEY},
        "push": {"lease_seconds": 1},
        "accounts": [
            account("city", "safe", api_base=api_base),
            account("plain", "plain", api_base=api_base),
            account("both", "compatible", api_base=api_base),
        ],
        "departments": {
            name: {"base_url": f"{api_base}/sandbox/departments/{name}"}
            for name in (*NAMES, *NEWS_NAMES)
        },
    }
    return Settings.model_validate(content | sections)
