"""Somebody's time at the console (登录会话), from signing in to signing out."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser in which an operator is signed in. The id is a digest of the cookie's token."""

    id: str
    operator_id: str
    csrf_secret: bytes = field(repr=False)  # what this session's forms are signed with
    created_at: datetime
    seen_at: datetime  # to the minute
    expires_at: datetime  # however busy
    remote: str
    agent: str
