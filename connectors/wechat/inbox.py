"""The inbox (收件): from an HTTP request of the platform to a message, and back to its answer.

The account's settings decide the mode, never the request. In safe and compatible mode only
what `msg_signature` covers is believed: the decrypted `Encrypt`. In plain mode nothing covers
the body, which is why safe mode is the default. A timestamp may be ten minutes off; replays
within them are stopped by the guards, which keep answers longer.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.settings import AccountSettings
from connectors.wechat.crypto import MessageCipher, Undecipherable, is_signed, signature_of
from connectors.wechat.pushes import Push, read_push
from connectors.wechat.replies import reply_xml
from connectors.wechat.xml import Malformed, encrypted_part, parse
from domain.callback_keys import CallbackPair
from domain.clock import Clock
from domain.conversation import Answer, Inbound
from domain.errors import ServiceError
from domain.ids import AccountId

FRESH_SECONDS = 600
NOTHING = b"success"  # stops the platform's repeats and shows nothing


class Refused(ServiceError):
    """A request that is not the platform's; `reason` is for the log, the answer says little."""

    code = "callback_refused"

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with what its reply needs."""

    message: Inbound
    sender: str
    receiver: str
    door: "Door"  # the keys it came under, which its reply is written with


class Door:
    """One pair of keys that a request may come under; no cipher in plain mode."""

    __slots__ = ("cipher", "number", "token")

    def __init__(self, app_id: str, pair: CallbackPair, *, is_plain: bool) -> None:
        self.number = pair.number
        self.token = pair.token
        self.cipher = None if is_plain else MessageCipher(app_id, pair.aes_keys)


class Inbox:
    """The callback of one account.

    While its keys are changed (`accept`) several pairs count. `in_use` is the number of the pair
    that the platform was last seen to use.
    """

    def __init__(self, account: AccountSettings, clock: Clock) -> None:
        self.account = AccountId(account.id)
        self.in_use: int | None = None
        self._clock = clock
        self._app_id = account.app_id
        self._is_plain = account.mode == "plain"
        self._pairs: tuple[CallbackPair, ...] = ()
        self._doors: tuple[Door, ...] = ()
        self.of_settings = pair_of(account)
        self.accept([self.of_settings])

    def accept(self, pairs: Sequence[CallbackPair]) -> None:
        """Believe requests under these pairs, and no others, from now on."""
        if tuple(pairs) == self._pairs:
            return
        self._pairs = tuple(pairs)
        self._doors = tuple(
            Door(self._app_id, pair, is_plain=self._is_plain) for pair in self._pairs
        )

    def echo(self, query: Mapping[str, str]) -> str:
        """Return `echostr` of a signed verification; it is clear text in every mode."""
        self._signed(query, self._check_time(query))
        echo = query.get("echostr", "")
        if not echo or len(echo) > 1024 or not echo.isprintable():
            raise Refused(400, "echostr is missing or not printable")
        return echo

    def receive(self, query: Mapping[str, str], body: bytes) -> Envelope:
        """Return the message of a push, or raise `Refused`."""
        timestamp = self._check_time(query)
        doors = self._doors
        if self._is_plain or "signature" in query:
            doors = (self._signed(query, timestamp),)
        try:
            door, clear = (doors[0], body) if self._is_plain else self._decrypt(doors, query, body)
            push: Push = read_push(self.account, parse(clear), clear)
        except Malformed as error:
            raise Refused(400, str(error)) from error
        self.in_use = door.number
        return Envelope(push.message, push.sender, push.receiver, door)

    def reply(self, envelope: Envelope, answer: Answer) -> bytes:
        """Return the body of the response; encrypted unless the account is in plain mode."""
        now = int(self._clock.now().timestamp())
        xml = reply_xml(answer, to=envelope.sender, by=envelope.receiver, at=now)
        if xml is None:
            return NOTHING
        if envelope.door.cipher is None:
            return xml.encode()
        encrypted = envelope.door.cipher.encrypt(xml.encode())
        timestamp, nonce = str(now), secrets.token_hex(8)
        signature = signature_of(envelope.door.token, timestamp, nonce, encrypted)
        return (
            f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt>"
            f"<MsgSignature><![CDATA[{signature}]]></MsgSignature>"
            f"<TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        ).encode()

    def _check_time(self, query: Mapping[str, str]) -> str:
        timestamp = query.get("timestamp", "")
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
            raise Refused(403, "timestamp is missing or no number")
        if abs(self._clock.now().timestamp() - int(timestamp)) > FRESH_SECONDS:
            raise Refused(403, "timestamp is more than ten minutes off")
        return timestamp

    def _signed(self, query: Mapping[str, str], timestamp: str) -> Door:
        """Return the door whose token signed the request."""
        nonce, signature = _nonce(query), query.get("signature", "")
        for door in self._doors:
            if signature and is_signed(signature, door.token, timestamp, nonce):
                return door
        raise Refused(403, "signature is missing or wrong")

    def _decrypt(
        self, doors: Sequence[Door], query: Mapping[str, str], body: bytes
    ) -> tuple[Door, bytes]:
        signature, nonce = query.get("msg_signature", ""), _nonce(query)
        if not signature:
            raise Refused(403, "msg_signature is missing")
        encrypted = encrypted_part(body)
        if not encrypted:
            raise Refused(403, "nothing is encrypted")
        for door in doors:
            if door.cipher is not None and is_signed(
                signature, door.token, query["timestamp"], nonce, encrypted
            ):
                try:
                    return door, door.cipher.decrypt(encrypted)
                except Undecipherable as error:
                    raise Refused(403, f"cannot be decrypted: {error}") from error
        raise Refused(403, "msg_signature is wrong")


def pair_of(account: AccountSettings) -> CallbackPair:
    """Return the pair of keys in the settings file."""
    keys = (account.encoding_aes_key, account.previous_encoding_aes_key)
    return CallbackPair(
        token=account.token.get_secret_value(),
        aes_keys=tuple(key.get_secret_value() for key in keys if key),
    )


def _nonce(query: Mapping[str, str]) -> str:
    nonce = query.get("nonce", "")
    if not nonce or not nonce.isascii() or len(nonce) > 128:
        raise Refused(403, "nonce is missing or too odd")
    return nonce
