"""Who looked at whose data (审计): one line in the log `audit` for each look (domain.md 10.2)."""

import logging

from domain.ids import AccountId

audit = logging.getLogger("audit")


def note_access(*, actor: str, account: AccountId, what: str, purpose: str, unmasked: bool) -> None:
    """Leave the line. `what` names the thing looked at, never anybody's whole openid."""
    audit.info(
        "audit.read",
        extra={
            "actor": actor,
            "account": account,
            "object": what,
            "purpose": purpose,
            "unmasked": unmasked,
        },
    )
