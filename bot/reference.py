"""Reference numbers (编号): what a citizen reads out to the hotline and we find in the log."""

import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that sounds or looks like another


def new_reference() -> str:
    """Return eight characters, unguessable enough not to repeat within the life of a log."""
    return "".join(secrets.choice(ALPHABET) for _ in range(8))
