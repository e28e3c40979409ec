"""Personal fields (个人信息字段): encrypted before they reach MongoDB, found by keyed hash.

MongoDB's own explicit client-side encryption (AEAD_AES_256_CBC_HMAC_SHA_512) with a data key
that is kept in `<database>.__keyVault`, wrapped under `security.field_key`. The id of the data
key stands in every ciphertext, so a later key can live beside an older one. Whoever has the
database without `field_key` has neither the values nor a way to test a guess.
"""

import base64
import hmac
from typing import Any, Self

from bson import CodecOptions
from bson.binary import UUID_SUBTYPE, Binary
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pymongo import AsyncMongoClient, IndexModel
from pymongo.asynchronous.encryption import AsyncClientEncryption
from pymongo.encryption_shared import Algorithm
from pymongo.errors import DuplicateKeyError, EncryptionError

from domain.errors import ConfigError

KEY_VAULT = "__keyVault"
KEY_NAME = "personal-fields"
ENCRYPTED = 6  # the BSON subtype of encrypted values
BLIND_BYTES = 16  # 128 bits: no two values of one kind will ever meet

Document = dict[str, Any]


class FieldCipher:
    """Encrypts, decrypts and blinds the personal fields of one database."""

    key_vault_indexes = (
        # two processes that start at once must not make two keys of one name
        IndexModel(
            "keyAltNames",
            unique=True,
            partialFilterExpression={"keyAltNames": {"$exists": True}},
        ),
    )

    def __init__(
        self, encryption: AsyncClientEncryption[Document], key_id: Binary, blind_key: bytes
    ) -> None:
        self._encryption = encryption
        self._key_id = key_id
        self._blind = hmac.new(blind_key, digestmod="sha256")

    @classmethod
    async def open(
        cls, client: AsyncMongoClient[Document], database_name: str, master_key: bytes
    ) -> Self:
        """Fetch the data key, or make it in an empty database, and prove that it opens.

        A wrong `security.field_key` is a `ConfigError` here rather than garbage later.
        """
        vault = client[database_name][KEY_VAULT]
        await vault.create_indexes(list(cls.key_vault_indexes))
        encryption: AsyncClientEncryption[Document] = AsyncClientEncryption(
            {"local": {"key": master_key}}, f"{database_name}.{KEY_VAULT}", client, CodecOptions()
        )
        try:
            cipher = cls(encryption, await _data_key(encryption), _blind_key(master_key))
            await cipher.decrypt(await cipher.encrypt("proof"))
        except EncryptionError as error:
            await encryption.close()
            raise ConfigError(
                "setting security.field_key: it is not the key under which the personal fields "
                f"of database {database_name!r} are encrypted; put the former key back (it is "
                "kept apart from the backups, see docs/operations.md)"
            ) from error
        except BaseException:
            await encryption.close()
            raise
        return cipher

    async def encrypt(self, text: str, *, searchable: bool = False) -> Binary:
        """Return the ciphertext, different each time unless it is to be `searchable`.

        Lookups go by `blind`; equal ciphertexts tell who shares a value, so ask for them only
        where MongoDB itself has to compare.
        """
        algorithm = (
            Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Deterministic
            if searchable
            else Algorithm.AEAD_AES_256_CBC_HMAC_SHA_512_Random
        )
        return await self._encryption.encrypt(text, algorithm, key_id=self._key_id)

    async def decrypt(self, binary: bytes) -> str:
        """Return what `encrypt` was given."""
        return str(await self._encryption.decrypt(Binary(binary, ENCRYPTED)))

    def blind(self, kind: str, value: str) -> str:
        """Return the keyed hash by which a value of this kind is found again.

        The kind is part of it, so that equal values of two kinds do not look alike.
        """
        mac = self._blind.copy()  # far cheaper than a new one, which an import would feel
        mac.update(f"{kind}\0{value}".encode())
        return base64.urlsafe_b64encode(mac.digest()[:BLIND_BYTES]).rstrip(b"=").decode()

    async def aclose(self) -> None:
        """Let the key go; the client stays with whoever opened it."""
        await self._encryption.close()


async def _data_key(encryption: AsyncClientEncryption[Document]) -> Binary:
    """Return the id of the data key, making it once over all processes."""
    found = await encryption.get_key_by_alt_name(KEY_NAME)
    if found is None:
        try:
            return await encryption.create_data_key("local", key_alt_names=[KEY_NAME])
        except DuplicateKeyError:  # another process was quicker
            found = await encryption.get_key_by_alt_name(KEY_NAME)
        except EncryptionError as error:
            if not isinstance(error.cause, DuplicateKeyError):
                raise
            found = await encryption.get_key_by_alt_name(KEY_NAME)
    if found is None:
        raise ConfigError(f"the key {KEY_NAME!r} disappeared from {KEY_VAULT} while starting")
    return Binary(bytes(found["_id"]), UUID_SUBTYPE)


def _blind_key(master_key: bytes) -> bytes:
    """Derive the key of the lookups, so that one setting protects both."""
    return HKDF(SHA256(), 32, salt=None, info=b"weizheng blind lookups").derive(master_key)
