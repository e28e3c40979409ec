"""The sandbox's own cryptography against published vectors and against wechatpy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import WeChatCrypto

from sandbox.crypto import CryptoError, Envelope, check_signature, sign

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
APP_ID = "wx0123456789abcdef"
MESSAGE = "<xml><Content><![CDATA[你好 hi]]></Content></xml>"
RANDOM = b"0123456789abcdef"
ENCRYPTED = (
    "Q3stYC6hdFzMh9T8HCvyDJkOBK0jyiN1y6jAinuFRHoDQWXIimf1v8EFRpl9FQvjp2U2V0RwWx509wD3dLur+BB7"
    "r81TJMjn0U+9kSOCNGCz0O9JX17D41lmV7dUmnME"
)
FULL_BLOCK = (
    "Q3stYC6hdFzMh9T8HCvyDKrhsqkWjSa4DbROCGPw/zlHngOOnfZmPDWcUOO43s9854j7kasL+snjwyltVpoUf8iI"
    "Lpni4EwvD9XgreztQ3sumGdDY62B1gK9LCRf/mss"
)


def test_signs_like_the_platform():
    signature = sign("TestToken123", "1700000000", "987654321")
    with_body = sign("TestToken123", "1700000000", "987654321", ENCRYPTED)

    assert signature == "0710f9a7bb3dda301d5114e248456e0b55851d44"
    assert with_body == "d5e79bc6fa1a0f4039a84ee888441b96aff591cc"


@pytest.mark.parametrize(("message", "encrypted"), [(MESSAGE, ENCRYPTED), ("a" * 26, FULL_BLOCK)])
def test_encrypts_and_decrypts_the_published_vectors(message, encrypted):
    envelope = Envelope(KEY, APP_ID)

    assert envelope.encrypt(message, random_part=RANDOM) == encrypted
    assert envelope.decrypt(encrypted) == message


def test_a_wrong_token_does_not_pass():
    with pytest.raises(CryptoError) as refusal:
        check_signature(sign("other", "1", "2"), "TestToken123", "1", "2")

    assert refusal.value.code == -40001


def test_a_foreign_app_id_inside_is_refused():
    foreign = Envelope(KEY, "wxffffffffffffffff").encrypt(MESSAGE)

    with pytest.raises(CryptoError) as refusal:
        Envelope(KEY, APP_ID).decrypt(foreign)

    assert refusal.value.code == -40005


@pytest.mark.parametrize("text", ["", "not base64!", "YWJj", "A" * 64])
def test_rubbish_is_refused(text):
    with pytest.raises(CryptoError):
        Envelope(KEY, APP_ID).decrypt(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_wechatpy_reads_what_the_sandbox_encrypts(message):
    crypto = WeChatCrypto("token", KEY, APP_ID)
    encrypted = Envelope(KEY, APP_ID).encrypt(message)

    body = f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    read = crypto.decrypt_message(body, sign("token", "1", "2", encrypted), "1", "2")

    assert read == message
