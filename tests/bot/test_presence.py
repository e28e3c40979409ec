"""Hearing from somebody is passed on, but not with every word."""

from datetime import UTC, datetime

import pytest

from bot.presence import Presence
from domain.conversation import TextMessage
from domain.ids import AccountId, OpenId


def message(openid: str) -> TextMessage:
    return TextMessage(
        account=AccountId("city"),
        openid=OpenId(openid),
        at=datetime(2026, 11, 24, tzinfo=UTC),
        dedupe_key="k",
        text="菜单",
    )


async def test_each_citizen_is_passed_on_once():
    told = []

    async def tell(account, openid, at):
        told.append(openid)

    presence = Presence(tell)
    for openid in ("oA", "oA", "oB", "oA"):
        await presence.note(message(openid))

    assert told == ["oA", "oB"]


async def test_what_could_not_be_passed_on_is_tried_again():
    told = []

    async def tell(account, openid, at):
        told.append(openid)
        if len(told) == 1:
            raise ConnectionError

    presence = Presence(tell)
    with pytest.raises(ConnectionError):
        await presence.note(message("oA"))
    await presence.note(message("oA"))

    assert told == ["oA", "oA"]
