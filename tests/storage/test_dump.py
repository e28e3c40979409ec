"""Backup and restore: complete, checked before anything changes, and safe to repeat."""

import gzip
from datetime import UTC, datetime

import pytest
from pymongo import IndexModel

from domain.errors import ConfigError
from storage.mongo.dump import BESIDE, MANIFEST, dump, restore

MARK = "mark-of-the-key"
PEOPLE = [{"_id": number, "at": datetime(2026, 11, 24, tzinfo=UTC)} for number in range(2500)]


def silent(name: str, done: int, total: int) -> None:
    assert done <= total


@pytest.fixture
def back_up(mongo, mongo_client, clock, tmp_path):
    """Back the test's database up into a folder and return it."""

    async def run(name: str = "backup"):
        folder = tmp_path / name
        await dump(
            mongo_client, mongo.name, folder,
            made_at=clock.now(), key_mark=MARK, progress=silent,
        )  # fmt: skip
        return folder

    return run


@pytest.fixture
def bring_back(mongo, mongo_client):
    """Restore a folder into the test's database."""

    async def run(folder, *, replace: bool = False, key_mark: str = MARK):
        return await restore(
            mongo_client, mongo.name, folder,
            key_mark=key_mark, replace=replace, progress=silent,
        )  # fmt: skip

    return run


async def test_everything_comes_back_with_its_indexes(mongo, back_up, bring_back):
    await mongo.people.insert_many(PEOPLE)
    await mongo.people.create_indexes([IndexModel("at", name="by_time", sparse=True)])
    await mongo["__keyVault"].insert_one({"_id": 1, "key": b"\x00\xff"})
    await mongo.create_collection("empty")
    folder = await back_up()
    for name in await mongo.list_collection_names():
        await mongo.drop_collection(name)

    counts = await bring_back(folder)

    assert counts == {"__keyVault": 1, "empty": 0, "people": 2500}
    assert await mongo.people.find({}).sort("_id").to_list() == PEOPLE
    assert await mongo["__keyVault"].find_one({}) == {"_id": 1, "key": b"\x00\xff"}
    assert (await mongo.people.index_information())["by_time"]["sparse"] is True
    assert sorted(await mongo.list_collection_names()) == ["__keyVault", "empty", "people"]


async def test_a_database_that_holds_something_is_not_overwritten_unasked(
    mongo, back_up, bring_back
):
    await mongo.people.insert_one({"_id": 1})
    folder = await back_up()

    with pytest.raises(ConfigError, match="--replace"):
        await bring_back(folder)

    assert await mongo.people.count_documents({}) == 1


async def test_replace_puts_the_backup_in_place_of_everything(mongo, back_up, bring_back):
    await mongo.people.insert_one({"_id": "then"})
    folder = await back_up()
    await mongo.people.insert_one({"_id": "since"})
    await mongo.later.insert_one({"_id": 1})

    await bring_back(folder, replace=True)

    assert await mongo.people.distinct("_id") == ["then"]
    assert await mongo.list_collection_names() == ["people"]


async def test_a_damaged_file_is_found_before_anything_changes(mongo, back_up, bring_back):
    await mongo.people.insert_one({"_id": "then"})
    folder = await back_up()
    (folder / "people.bson.gz").write_bytes(gzip.compress(b"something else"))

    with pytest.raises(ConfigError, match=r"people\.bson\.gz is missing or damaged"):
        await bring_back(folder, replace=True)

    assert await mongo.people.distinct("_id") == ["then"]


async def test_a_restore_that_was_cut_short_leaves_no_trace_in_the_next_one(
    mongo, back_up, bring_back
):
    await mongo.people.insert_many(PEOPLE)
    folder = await back_up()
    await mongo[BESIDE + "people"].insert_one({"_id": "left over"})

    await bring_back(folder, replace=True)

    assert await mongo.people.count_documents({}) == len(PEOPLE)
    assert await mongo.list_collection_names() == ["people"]


async def test_a_backup_under_another_key_is_refused(mongo, back_up, bring_back):
    await mongo.people.insert_one({"_id": 1})
    folder = await back_up()

    with pytest.raises(ConfigError, match=r"setting security\.field_key"):
        await bring_back(folder, key_mark="another", replace=True)


async def test_an_unfinished_backup_is_refused(back_up, mongo, bring_back):
    await mongo.people.insert_one({"_id": 1})
    folder = await back_up()
    (folder / MANIFEST).unlink()

    with pytest.raises(ConfigError, match="no finished backup"):
        await bring_back(folder, replace=True)


async def test_a_folder_that_holds_something_is_not_written_into(mongo, back_up):
    await mongo.people.insert_one({"_id": 1})
    await back_up()

    with pytest.raises(ConfigError, match="is not empty"):
        await back_up()


async def test_a_place_where_no_folder_can_be_is_named(back_up, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"cannot be written \(Not a directory\)"):
        await back_up("file")


async def test_a_backup_is_readable_by_its_owner_only(mongo, back_up):
    await mongo.people.insert_one({"_id": 1})

    folder = await back_up()

    assert folder.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.glob("*.gz"))
