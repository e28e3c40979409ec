"""Identifiers that cannot be mixed up."""

import secrets
from typing import NewType

AccountId = NewType("AccountId", str)  # our short name of an official account: "city"
OpenId = NewType("OpenId", str)  # WeChat's id of a person within one account
BroadcastId = NewType("BroadcastId", str)
TopicId = NewType("TopicId", str)  # "outage.water"
RegionCode = NewType("RegionCode", str)  # GB/T 2260, 6 digits: "440305"


def new_id(prefix: str) -> str:
    """Return a fresh unguessable id such as `bc_5f2c…` (96 random bits)."""
    return f"{prefix}_{secrets.token_hex(12)}"
