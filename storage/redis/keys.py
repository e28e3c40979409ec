"""Names of a citizen's keys. The braces keep them together should Redis ever be a cluster."""

import hashlib

from domain.ids import AccountId, OpenId


def citizen_key(account: AccountId, openid: OpenId) -> str:
    """Return `wz:{digest}`: an openid is personal information and need not be readable here."""
    return f"wz:{{{digest(f'{account}:{openid}')}}}"


def digest(text: str) -> str:
    """Return 96 bits as text: short, and the same in every process."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
