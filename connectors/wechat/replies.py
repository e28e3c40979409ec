"""From an answer to reply XML (wechat-platform.md 3), whatever the text holds.

wechatpy writes the XML; what it does not guard is guarded here: `]]>`, characters that XML
forbids, lone surrogates, and the 2048 bytes beyond which the citizen would see a failure.
"""

import re

from wechatpy.replies import TextReply, TransferCustomerServiceReply

from domain.conversation import Answer

MAX_BYTES = 2048  # of UTF-8, of the Content
# everything but what XML 1.0 allows: C0 controls without tab, LF and CR; surrogates; U+FFFE/F
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINK_OPENS = re.compile(r"<a?\Z|<a\b", re.IGNORECASE)
_LINK_CLOSES = re.compile(r"</a\s*>", re.IGNORECASE)


def clean(text: str) -> str:
    """Remove what no XML may hold; CR LF becomes LF, as every reader of XML would make it."""
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def size(text: str) -> int:
    """Return the size that counts against the limit."""
    return len(text.encode("utf-8"))


def shorten(text: str, limit: int) -> str:
    """Return as much of the text as fits into `limit` bytes of UTF-8.

    Cut at the end of a line, or when the first line is too long at a character; never inside
    `<a …>…</a>`, whose halves the citizen would see as rubbish.
    """
    data = text.encode("utf-8")
    if len(data) <= limit:
        return text
    kept = data[: max(0, limit)].decode("utf-8", "ignore")
    line_end = kept.rfind("\n")
    if line_end > 0:
        kept = kept[:line_end]
    return _whole_links(kept).rstrip()


def _whole_links(kept: str) -> str:
    """Cut before the first link that lost its end; `<` alone may be the start of its `</a>`."""
    read_to = 0
    while opened := _LINK_OPENS.search(kept, read_to):
        closed = _LINK_CLOSES.search(kept, opened.end())
        if closed is None:
            return kept[: opened.start()]
        read_to = closed.end()
    return kept


def reply_xml(answer: Answer, *, to: str, by: str, at: int) -> str | None:
    """Return the reply's XML, or None when there is nothing to say."""
    if answer.kind == "text":
        text = shorten(clean(answer.text), MAX_BYTES)
        if not text.strip():
            return None  # an empty Content is not the same as an empty answer
        reply = TextReply(source=by, target=to, time=at, content=_cdata(text))
        return str(reply.render())
    if answer.kind == "transfer":
        xml = str(TransferCustomerServiceReply(source=by, target=to, time=at).render())
        if not answer.text:
            return xml
        desk = _cdata(clean(answer.text))
        chosen = f"<TransInfo><KfAccount><![CDATA[{desk}]]></KfAccount></TransInfo>"
        return xml.removesuffix("</xml>") + f"{chosen}\n</xml>"
    return None


def _cdata(text: str) -> str:
    """Make the text fit between `<![CDATA[` and `]]>`."""
    return text.replace("]]>", "]]]]><![CDATA[>")
