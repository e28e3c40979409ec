"""Words of the console that stand in code: `mark` lets the extractor of translations find them."""

from domain.sentence import Sentence


def mark(text: str) -> Sentence:
    """Return words that a page says later, in the language of whoever looks."""
    return Sentence(text)
