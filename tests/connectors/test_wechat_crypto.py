"""Signatures and AES against the published vectors and hostile ciphertexts."""

import base64

import pytest
from wechatpy.crypto.cryptography import WeChatCipher

from connectors.wechat.crypto import MessageCipher, Undecipherable, is_signed, signature_of

# wechat-platform.md B
TOKEN, TIMESTAMP, NONCE = "TestToken123", "1700000000", "987654321"
APP_ID = "wx0123456789abcdef"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
MESSAGE = "<xml><Content><![CDATA[你好 hi]]></Content></xml>"
ENCRYPTED = (
    "Q3stYC6hdFzMh9T8HCvyDJkOBK0jyiN1y6jAinuFRHoDQWXIimf1v8EFRpl9FQvjp2U2V0RwWx509wD3dLur+BB7r81T"
    "JMjn0U+9kSOCNGCz0O9JX17D41lmV7dUmnME"
)
FULL_PAD = (
    "Q3stYC6hdFzMh9T8HCvyDKrhsqkWjSa4DbROCGPw/zlHngOOnfZmPDWcUOO43s9854j7kasL+snjwyltVpoUf8iILpni"
    "4EwvD9XgreztQ3sumGdDY62B1gK9LCRf/mss"
)


def cipher(*keys: str) -> MessageCipher:
    return MessageCipher(APP_ID, keys or (KEY,))


def encrypted(plain: bytes) -> str:
    """Encrypt whole blocks as they are, to build what no honest sender would."""
    raw = WeChatCipher(base64.b64decode(KEY + "=")).encrypt(plain)
    return base64.b64encode(raw).decode()


def plaintext(
    message: bytes, *, app_id: str = APP_ID, length: int | None = None, pad: int | None = None
) -> bytes:
    size = len(message) if length is None else length
    content = b"0123456789abcdef" + size.to_bytes(4, "big") + message + app_id.encode()
    missing = 32 - len(content) % 32
    return content + bytes([missing if pad is None else pad]) * missing


def test_signs_as_published():
    assert signature_of(TOKEN, TIMESTAMP, NONCE) == "0710f9a7bb3dda301d5114e248456e0b55851d44"
    assert is_signed("d5e79bc6fa1a0f4039a84ee888441b96aff591cc", TOKEN, TIMESTAMP, NONCE, ENCRYPTED)


def test_a_changed_part_or_signature_is_not_signed():
    right = signature_of(TOKEN, TIMESTAMP, NONCE)

    assert not is_signed(right, "TestToken124", TIMESTAMP, NONCE)
    assert not is_signed(right.upper(), TOKEN, TIMESTAMP, NONCE)
    assert not is_signed("é" + right[1:], TOKEN, TIMESTAMP, NONCE)
    assert not is_signed("\ud800", TOKEN, TIMESTAMP, NONCE)


def test_decrypts_the_published_message_and_the_full_pad_block():
    assert cipher().decrypt(ENCRYPTED) == MESSAGE.encode()
    assert cipher().decrypt(FULL_PAD) == b"a" * 26


@pytest.mark.parametrize("length", [0, 1, 15, 16, 31, 32, 33, 2048])
def test_what_we_encrypt_comes_back_whatever_its_length(length):
    message = b"x" * length

    assert cipher().decrypt(cipher().encrypt(message)) == message


def test_the_previous_key_still_opens_while_the_account_changes_it():
    changing = cipher("B" * 43, KEY)

    assert changing.decrypt(ENCRYPTED) == MESSAGE.encode()
    assert cipher("B" * 43).decrypt(changing.encrypt(b"new")) == b"new"


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        ("not base64!", "Base64"),
        ("", "blocks"),
        (ENCRYPTED[:-8], "blocks"),
        (encrypted(plaintext(b"<xml/>", pad=0)), "padding"),
        (encrypted(plaintext(b"<xml/>", pad=33)), "padding"),
        (encrypted(b"\x20" * 32), "padding"),
        (encrypted(plaintext(b"<xml/>", length=2**32 - 1)), "length"),
        (encrypted(plaintext(b"<xml/>", length=40)), "length"),
        (encrypted(plaintext(b"<xml/>", app_id="wx9999999999999999")), "app id"),
        (encrypted(plaintext(b"<xml/>", length=3)), "app id"),
    ],
)
def test_hostile_ciphertext_is_refused_with_its_reason(hostile, reason):
    with pytest.raises(Undecipherable, match=reason):
        cipher().decrypt(hostile)
