"""A booking (入账、记账): a department says that something was booked for a person.

It carries no amount: what was booked is read on the owner's own page, never on a lock screen
(domain.md 1.8), and of a medical record nothing but that there is one (2.2).
"""

from dataclasses import dataclass
from datetime import datetime

from domain.masking import IdentityNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One booking. `kind` is the department's own word; `tail`: last four of the account."""

    id_number: IdentityNumber
    seq: str
    at: datetime
    kind: str = ""
    tail: str = ""
