"""The second factor (动态口令): time-based codes (RFC 6238) and recovery codes.

A code is six digits of a 30-second step; the step before and the one after count too, because
phones are not exact. Each step is accepted once (RFC 6238 5.2). Recovery codes are for the day
the phone is lost: shown once, each good for one sign-in.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno

from domain.clock import Clock
from storage.mongo.second_factors import FactorState, MongoSecondFactors

ISSUER = "微政"
STEP_SECONDS = 30
AROUND = (0, -1, 1)  # steps that count, the likeliest first
RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # 80 bits: nothing to guess


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What somebody needs to set up their phone."""

    secret: str  # in groups of four, to be typed where no camera is
    uri: str
    qr: str  # the picture, as a data: address of an SVG


class SecondFactors:
    """Enrols, checks and resets second factors."""

    def __init__(self, factors: MongoSecondFactors, clock: Clock) -> None:
        self._factors = factors
        self._clock = clock

    async def state(self, operator_id: str) -> FactorState | None:
        """Return what there is; None without a second factor."""
        return await self._factors.state(operator_id)

    async def holders(self) -> frozenset[str]:
        """Return the ids of the operators who have one."""
        return await self._factors.holders()

    async def offer(self, operator_id: str, name: str, *, to: str) -> Enrolment:
        """Return a secret to set a phone up with: the same one for one sign-in or session `to`."""
        secret = await self._factors.offer(operator_id, _mark(to), pyotp.random_base32())
        uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)
        picture = segno.make(uri, error="m", micro=False)
        return Enrolment(
            secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            uri=uri,
            qr=picture.svg_data_uri(scale=5, border=4, light="#fff"),
        )

    async def confirm(self, operator_id: str, code: str, *, to: str) -> tuple[str, ...] | None:
        """Enrol with the phone's first code; return the recovery codes, None for a wrong code."""
        secret = await self._factors.offered(operator_id, _mark(to))
        step = None if secret is None else matching_step(secret, code, self._clock.now())
        if step is None:
            return None
        codes = recovery_codes()
        plain = [spelt(each) for each in codes]
        now = self._clock.now()
        confirmed = await self._factors.confirm(operator_id, _mark(to), step, plain, now=now)
        return codes if confirmed else None

    async def check(self, operator_id: str, code: str) -> str | None:
        """Use a code up; return which kind it was ("totp", "recovery"), None for a wrong one."""
        code = code[:64]
        secret = await self._factors.secret(operator_id)
        if secret is None:
            return None
        step = matching_step(secret, code, self._clock.now())
        if step is not None:
            return "totp" if await self._factors.use_step(operator_id, step) else None
        used = await self._factors.use_recovery(operator_id, spelt(code))
        return "recovery" if used else None

    async def check_phone(self, operator_id: str, code: str) -> bool:
        """Use a code of the phone up; a recovery code is none, and stays good."""
        secret = await self._factors.secret(operator_id)
        step = None if secret is None else matching_step(secret, code[:64], self._clock.now())
        return step is not None and await self._factors.use_step(operator_id, step)

    async def renew_recovery(self, operator_id: str) -> tuple[str, ...]:
        """Return fresh recovery codes; those from before are void."""
        codes = recovery_codes()
        await self._factors.set_recovery(operator_id, [spelt(each) for each in codes])
        return codes

    async def reset(self, operator_id: str) -> bool:
        """Forget the second factor, so that the person enrols anew; False without one."""
        return await self._factors.remove(operator_id)


def _mark(to: str) -> str:
    """Return what stands for a sign-in or session in the database: its token is a secret."""
    return hashlib.sha256(to.encode()).hexdigest()


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step whose code it is, if it is one that counts now."""
    typed = "".join(code.split())
    if len(typed) != 6 or not typed.isascii() or not typed.isdigit():
        return None
    totp = pyotp.TOTP(secret)
    present = int(now.timestamp()) // STEP_SECONDS
    found = None
    for around in AROUND:  # all of them, whichever fits: the time taken tells nothing
        if hmac.compare_digest(totp.generate_otp(present + around), typed) and found is None:
            found = present + around
    return found


def recovery_codes() -> tuple[str, ...]:
    """Return codes such as `abcd-efgh-ijkl-mnop`."""
    texts = [
        base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
        for _ in range(RECOVERY_CODES)
    ]
    return tuple("-".join(text[at : at + 4] for at in range(0, 16, 4)) for text in texts)


def spelt(code: str) -> str:
    """Return a recovery code as it is kept: no dashes or spaces, and no matter the case."""
    return "".join(each for each in code.lower() if each.isalnum())
