"""Operators and their phones, for tests."""

import pyotp

from console.entry import Visit
from domain.access import EVERYWHERE
from domain.ids import AccountId

HERE = Visit(remote="198.51.100.7")
PASSWORD = "correct-horse-1"
EDITOR = {AccountId("city"): frozenset({"editor"})}
SECURITY = {EVERYWHERE: frozenset({"security_admin"})}
SYSTEM = {EVERYWHERE: frozenset({"system_admin"})}


def phone_code(secret: str, clock, *, steps: int = 0) -> str:
    """Return what a phone set up with this secret shows, now or some steps from now."""
    totp = pyotp.TOTP(secret.replace(" ", ""))
    return totp.generate_otp(int(clock.now().timestamp()) // 30 + steps)
