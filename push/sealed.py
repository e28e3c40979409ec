"""The sealed part of a notice (密封内容): what it says and what it is about, as one text.

It is encrypted before it is kept, and travels as it is into the items of digests.
"""

import json

from domain.content import content_from, content_parts
from domain.ledger import Content
from domain.people import Subject


def seal(content: Content, subject: Subject) -> str:
    """Return the text of a notice that is encrypted before it is kept."""
    return json.dumps(
        {
            **content_parts(content),
            "subject": [subject.kind, subject.value, subject.plate_type],
        },
        ensure_ascii=False,
    )


def unseal(text: str) -> tuple[Content, Subject]:
    """Read what `seal` wrote."""
    part = json.loads(text)
    kind, value, plate_type = part["subject"]
    return (
        content_from(part),
        Subject(kind=kind, value=value, plate_type=plate_type),
    )
