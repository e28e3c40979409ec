"""Hashing of passwords (argon2id, RFC 9106's second choice: 64 MiB, 3 rounds).

One hash takes 64 MiB and some 50 ms of all cores, so few run at a time and the rest wait:
whoever floods the sign-in page slows down signing in, not what citizens ask. Work runs in
threads; it cannot hang, and an await that is cancelled leaves it to finish by itself.
"""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from domain.ids import new_id

AT_ONCE = 2


class PasswordHashes:
    """Makes and checks hashes. A check against nobody's hash takes as long as any other."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobody = ""

    async def make(self, password: str) -> str:
        """Return a hash of its own salt."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, known: str | None, password: str) -> bool:
        """Whether the password is the hashed one; None stands for an unknown person."""
        if not self._nobody:
            self._nobody = await self.make(new_id("nobody"))
        async with self._turn:
            try:
                await asyncio.to_thread(self._hasher.verify, known or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
        return known is not None

    def is_outdated(self, known: str) -> bool:
        """Whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(known)
