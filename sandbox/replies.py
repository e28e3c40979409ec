"""Passive replies (`wechat-platform.md` 3): is this answer one that WeChat would show?"""

from collections.abc import Callable, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from sandbox.accounts import Account
from sandbox.crypto import CryptoError, check_signature
from sandbox.xml import BrokenXml, read, text_of

TEXT_LIMIT = 2048
Result = Mapping[str, Any]


class BadReply(Exception):
    """An answer that brings the failure notice; the text says why."""


def understand(account: Account, openid: str, body: bytes, *, is_event: bool) -> tuple[str, Result]:
    """Return the reply in clear and what it shows; raise `BadReply` for anything abnormal."""
    if body in (b"", b"success"):
        return "", {"kind": "none"}
    try:
        clear = _decrypted(account, body.decode())
        root = read(clear)
    except UnicodeDecodeError as error:
        raise BadReply("the reply is not UTF-8") from error
    except BrokenXml as error:
        raise BadReply(f"the reply is not the XML of a reply: {error}") from error
    except CryptoError as error:
        raise BadReply(f"the encrypted reply is refused: {error}") from error
    if text_of(root, "FromUserName") != account.gh_id or text_of(root, "ToUserName") != openid:
        raise BadReply("ToUserName and FromUserName are not those of the push, swapped")
    if not text_of(root, "CreateTime").isdecimal():
        raise BadReply("CreateTime is not a whole number")
    kind = text_of(root, "MsgType")
    reader = _READERS.get(kind)
    if reader is None:
        raise BadReply(f"MsgType {kind!r} is not a kind of reply")
    return clear, {"kind": kind, **reader(root, is_event)}


def _decrypted(account: Account, text: str) -> str:
    root = read(text)
    encrypted = text_of(root, "Encrypt")
    if not encrypted:
        if account.mode == "safe":
            raise BadReply("safe mode wants an encrypted reply")
        return text
    if account.mode == "plain" or account.envelope is None:
        raise BadReply("plain mode wants a reply in clear")
    check_signature(
        text_of(root, "MsgSignature"),
        account.token,
        text_of(root, "TimeStamp"),
        text_of(root, "Nonce"),
        encrypted,
    )
    return account.envelope.decrypt(encrypted)


def _text(root: Element, is_event: bool) -> Result:
    content = text_of(root, "Content")
    size = len(content.encode())
    if not content:
        raise BadReply("Content is empty")
    if size > TEXT_LIMIT:
        raise BadReply(f"Content has {size} bytes, more than {TEXT_LIMIT}")
    return {"text": content}


def _media(member: str) -> Callable[[Element, bool], Result]:
    def reader(root: Element, is_event: bool) -> Result:
        media_id = text_of(root, f"{member}/MediaId")
        if not media_id:
            raise BadReply(f"{member}/MediaId is missing")
        return {
            "media_id": media_id,
            "title": text_of(root, f"{member}/Title"),
            "description": text_of(root, f"{member}/Description"),
        }

    return reader


def _music(root: Element, is_event: bool) -> Result:
    if not text_of(root, "Music/ThumbMediaId"):
        raise BadReply("Music/ThumbMediaId is missing")
    return {
        "title": text_of(root, "Music/Title"),
        "description": text_of(root, "Music/Description"),
        "url": text_of(root, "Music/MusicUrl"),
    }


def _news(root: Element, is_event: bool) -> Result:
    articles = [
        {
            "title": text_of(item, "Title"),
            "description": text_of(item, "Description"),
            "picture": text_of(item, "PicUrl"),
            "url": text_of(item, "Url"),
        }
        for item in root.findall("Articles/item")
    ]
    if text_of(root, "ArticleCount") != str(len(articles)) or not articles:
        raise BadReply("ArticleCount is not the number of articles")
    if len(articles) > 8:
        raise BadReply("more than 8 articles")
    return {"articles": articles if is_event else articles[:1]}


def _transfer(root: Element, is_event: bool) -> Result:
    return {"desk": text_of(root, "TransInfo/KfAccount")}


_READERS: Mapping[str, Callable[[Element, bool], Result]] = {
    "text": _text,
    "image": _media("Image"),
    "voice": _media("Voice"),
    "video": _media("Video"),
    "music": _music,
    "news": _news,
    "transfer_customer_service": _transfer,
}
