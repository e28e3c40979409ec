"""The cipher of personal fields: one key per database, no plain text, a wrong key is said."""

import asyncio

import pytest
from pymongo.errors import DuplicateKeyError

from domain.errors import ConfigError
from storage.mongo.fields import KEY_VAULT, FieldCipher


async def test_what_was_encrypted_is_read_back(fields):
    secret = await fields.encrypt("粤B12345")

    assert "粤B12345".encode() not in bytes(secret)
    assert await fields.decrypt(secret) == "粤B12345"


async def test_the_same_value_looks_different_each_time_unless_it_is_searchable(fields):
    assert await fields.encrypt("张三") != await fields.encrypt("张三")
    assert await fields.encrypt("张三", searchable=True) == await fields.encrypt(
        "张三", searchable=True
    )


async def test_another_process_reads_what_the_first_wrote(fields, mongo, mongo_client, settings):
    secret = await fields.encrypt("张三")

    other = await FieldCipher.open(mongo_client, mongo.name, settings.security.master_key)

    assert await other.decrypt(secret) == "张三"
    assert other.blind("person", "张三") == fields.blind("person", "张三")


async def test_many_processes_that_start_at_once_make_one_key(mongo, mongo_client, settings):
    key = settings.security.master_key

    ciphers = await asyncio.gather(
        *(FieldCipher.open(mongo_client, mongo.name, key) for _ in range(8))
    )

    assert await mongo[KEY_VAULT].count_documents({}) == 1
    secret = await ciphers[0].encrypt("张三")
    assert [await cipher.decrypt(secret) for cipher in ciphers] == ["张三"] * 8


async def test_two_keys_of_one_name_cannot_be(fields, mongo):
    key = await mongo[KEY_VAULT].find_one({})
    assert key is not None

    with pytest.raises(DuplicateKeyError):
        await mongo[KEY_VAULT].insert_one({"keyAltNames": key["keyAltNames"]})


async def test_a_wrong_master_key_is_named_with_its_remedy(fields, mongo, mongo_client):
    with pytest.raises(ConfigError, match=r"security\.field_key.*put the former key back"):
        await FieldCipher.open(mongo_client, mongo.name, bytes(96))


async def test_a_keyed_hash_depends_on_value_kind_and_key(fields, mongo_client, settings):
    other = await FieldCipher.open(mongo_client, f"{settings.mongo.database}_2", bytes(96))
    try:
        hashes = {
            fields.blind("vehicle", "粤B12345"),
            fields.blind("vehicle", "粤B12346"),
            fields.blind("person", "粤B12345"),
            other.blind("vehicle", "粤B12345"),
        }
    finally:
        await mongo_client.drop_database(f"{settings.mongo.database}_2")

    assert len(hashes) == 4
    assert all(len(digest) == 22 for digest in hashes)
