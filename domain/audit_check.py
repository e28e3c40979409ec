"""Following the audit chain (核验) from its beginning to its end, in parts of any size.

What it proves: no entry was changed, added or removed between the first one kept and the signed
head. What it cannot prove alone: that the whole database was not put back to an older state, the
head with it. For that a place noted elsewhere (`seq:hash`, as the log line `audit.entry` and the
verify command give it) is held against the chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.audit import GENESIS, Anchor, Entry
from domain.errors import InvalidInput
from domain.sentence import Sentence


@dataclass(frozen=True, slots=True)
class Place:
    """An entry's number and hash, as people note them: `1234:9f86d0…`."""

    seq: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read what `str` gave."""
        seq, _, digest = text.strip().partition(":")
        if not (seq.isascii() and seq.isdigit() and len(seq) < 16 and len(digest) == len(GENESIS)):
            raise InvalidInput(
                Sentence("链尾应写作“序号:哈希”，哈希为 64 位十六进制数。"), field="place"
            )
        return cls(int(seq), digest.lower())

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How far the chain was followed, and what was found."""

    place: Place  # the last good entry, or what the first one must follow
    expected: tuple[Place, ...]  # places that must be met: the head, one noted elsewhere
    first: int  # the first entry kept
    checked: int = 0
    broken_at: int | None = None  # the first entry that is not what it was
    reason: str = ""
    is_over: bool = False
    open_intents: frozenset[int] = frozenset()  # acts of which no outcome was written

    @property
    def is_good(self) -> bool:
        """Whether it was followed to the end and nothing was wrong."""
        return self.is_over and self.broken_at is None

    @property
    def total(self) -> int:
        """How many entries there were when it began."""
        return max([0, *(place.seq - self.first + 1 for place in self.expected)])

    def broken(self, seq: int, reason: str) -> "Walk":
        """Return it ended here."""
        return replace(self, broken_at=seq, reason=reason, is_over=True)


def begin(
    anchor_key: bytes,
    head: Anchor | None,
    checkpoint: Anchor | None,
    *,
    is_empty: bool,
    noted: Place | None = None,
) -> Walk:
    """Return a walk at its beginning; a head or checkpoint that is not ours ends it at once."""
    start = Place(checkpoint.seq, checkpoint.hash) if checkpoint else Place(0, GENESIS)
    walk = Walk(place=start, expected=(), first=start.seq + 1)
    if checkpoint and not checkpoint.is_genuine(anchor_key):
        return walk.broken(checkpoint.seq, Sentence("检查点的签名不对"))
    if head is None:
        if is_empty and checkpoint is None and noted is None:
            return replace(walk, is_over=True)
        return walk.broken(walk.first, Sentence("签名的链尾不见了"))
    if not head.is_genuine(anchor_key):
        return walk.broken(head.seq, Sentence("链尾的签名不对"))
    if noted and noted.seq < walk.first:
        return walk.broken(noted.seq, Sentence("记下的链尾早于现存的第一条，已无法比对"))
    expected = [Place(head.seq, head.hash), *([noted] if noted else [])]
    return replace(walk, expected=tuple(expected))


def follow(walk: Walk, entries: Sequence[Entry], key: bytes) -> Walk:
    """Follow the next entries; none at all means that the chain ends here."""
    intents = set(walk.open_intents)
    for entry in entries:
        place, number = walk.place, walk.place.seq + 1
        if entry.seq != number:
            return walk.broken(number, Sentence("第 {number} 条不见了", number=number))
        if not entry.follows(place.hash, key):
            return walk.broken(
                number, Sentence("第 {number} 条的内容或次序被改动过", number=number)
            )
        for wanted in walk.expected:
            if wanted.seq == number and wanted.hash != entry.hash:
                return walk.broken(
                    number, Sentence("第 {number} 条与记下的链尾不一致", number=number)
                )
        if entry.outcome == "intended":
            intents.add(number)
        intents.discard(entry.intent)
        walk = replace(walk, place=Place(number, entry.hash), checked=walk.checked + 1)
    walk = replace(walk, open_intents=frozenset(intents))
    if entries:
        return walk
    last = max((place.seq for place in walk.expected), default=0)
    if walk.place.seq < last:
        lost = walk.place.seq + 1
        return walk.broken(
            lost, Sentence("第 {lost} 条到第 {last} 条从末尾被删除", lost=lost, last=last)
        )
    return replace(walk, is_over=True)
