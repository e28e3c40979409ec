"""The frozen content of a message as plain values, for documents and for sealing."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from domain.channel import TEMPLATE_ONLY, SubscriptionNotice
from domain.ledger import Content


def content_parts(content: Content) -> dict[str, Any]:
    """Return the content as plain values; what only other channels need only if they are used."""
    parts: dict[str, Any] = {
        "template_id": content.template_id,
        "fields": dict(content.fields),
        "url": content.url,
    }
    if content.channels == TEMPLATE_ONLY:
        return parts
    parts |= {"channels": list(content.channels), "text": content.text}
    if content.notice is not None:
        parts["notice"] = {
            "template_id": content.notice.template_id,
            "kind": content.notice.kind,
            "fields": dict(content.notice.fields),
        }
    return parts


def content_digest(content: Content) -> str:
    """Return a digest that two messages share when their readers would see the same."""
    text = json.dumps(content_parts(content), sort_keys=True, ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def content_from(parts: Mapping[str, Any]) -> Content:
    """Read what `content_parts` gave; what an older version did not write has its default."""
    notice = parts.get("notice")
    return Content(
        template_id=parts["template_id"],
        fields=parts["fields"],
        url=parts["url"],
        channels=tuple(parts.get("channels", TEMPLATE_ONLY)),
        notice=SubscriptionNotice(**notice) if notice else None,
        text=parts.get("text", ""),
    )
