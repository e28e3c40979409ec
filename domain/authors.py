"""Who made or decided something, as one text (经办人): `operator:ID:NAME`, `key:ID:NAME`.

The id decides whether two of them are the same person, so that a changed name lets nobody approve
what they wrote. Other texts ("digest", "trigger:tax") are the machine's own and name themselves.
"""

from domain.sentence import Sentence

KINDS = frozenset({"operator", "key"})


def operator_author(operator_id: str, name: str) -> str:
    """Return how an operator is named as the maker of something."""
    return f"operator:{operator_id}:{name}"


def person_of(author: str) -> str:
    """Return the part that stays when the name changes."""
    kind, _, rest = author.partition(":")
    return f"{kind}:{rest.partition(':')[0]}" if kind in KINDS and rest else author


def is_same_person(one: str, other: str) -> bool:
    """Whether both texts are of one operator, one key or one part of the machine."""
    return person_of(one) == person_of(other)


def name_of(author: str) -> str:
    """Return what people read: the name, and of a key that it is one."""
    kind, _, rest = author.partition(":")
    if kind not in KINDS or not rest:
        return author
    name = rest.partition(":")[2] or rest
    return Sentence("{name}（接口）", name=name) if kind == "key" else name
