"""Backup of a whole database as files, and the way back (备份与恢复).

A backup is a folder: one gzip'd file of BSON documents per collection, and `manifest.json` with
counts, checksums and indexes, written last. All collections are read at one instant. A restore
checks every file first, loads into collections beside the living ones and renames them at the
end: one that is cut short changes nothing, and running it again starts afresh.
"""

import asyncio
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bson.codec_options import CodecOptions
from bson.errors import InvalidBSON
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from domain.errors import ConfigError

Document = dict[str, Any]
Progress = Callable[[str, int, int], None]  # collection, documents done, documents in all

FORMAT = 1
MANIFEST = "manifest.json"
BATCH = 1000
BESIDE = "restoring."  # collections that a restore is still filling
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_SNAPSHOT_GONE = (239, 246)  # SnapshotTooOld, SnapshotUnavailable


async def dump(
    client: AsyncMongoClient[Document],
    database: str,
    folder: Path,
    *,
    made_at: datetime,
    key_mark: str,
    progress: Progress,
) -> dict[str, int]:
    """Write the backup into a folder that must not hold anything yet; return the counts."""
    unfinished = await asyncio.to_thread(_begin, folder)
    source = client[database]
    written: dict[str, Document] = {}
    try:
        async with client.start_session(snapshot=True) as session:
            for name in await _collections(source):
                written[name] = await _write(source, name, unfinished, session, progress)
    except OperationFailure as error:
        if error.code not in _SNAPSHOT_GONE:
            raise
        raise ConfigError(
            "the database changed too much while it was read: take the backup at a quieter hour"
        ) from error
    manifest = {
        "format": FORMAT,
        "database": database,
        "made_at": made_at.isoformat(),
        "key_mark": key_mark,
        "collections": written,
    }
    await asyncio.to_thread(_finish, unfinished, manifest, folder)
    return {name: int(entry["documents"]) for name, entry in written.items()}


async def restore(
    client: AsyncMongoClient[Document],
    database: str,
    folder: Path,
    *,
    key_mark: str,
    replace: bool,
    progress: Progress,
) -> dict[str, int]:
    """Bring a backup back into an empty database, or with `replace` in place of what is there."""
    entries = await asyncio.to_thread(_checked, folder, key_mark)
    target = client[database]
    present = await _collections(target)
    if not replace and await _holds_anything(target, present):
        raise ConfigError(
            f"the database {database!r} is not empty: restore into another one "
            "(mongo.database), or replace what is there with --replace"
        )
    for name, entry in entries.items():
        await _load(target, name, folder, entry, progress)
    for name in entries:
        await target[BESIDE + name].rename(name, dropTarget=True)
    for name in present:
        if name not in entries:
            await target.drop_collection(name)
    return {name: int(entry["documents"]) for name, entry in entries.items()}


# --- writing ------------------------------------------------------------------------------


def _begin(folder: Path) -> Path:
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} is not empty: name a new folder for the backup")
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        unfinished.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}); name a new folder"
        ) from error
    return unfinished


def _finish(unfinished: Path, manifest: Document, folder: Path) -> None:
    text = dumps(manifest, json_options=CANONICAL_JSON_OPTIONS, indent=1, ensure_ascii=False)
    (unfinished / MANIFEST).write_text(text, encoding="utf-8")
    if folder.exists():
        folder.rmdir()
    unfinished.replace(folder)


async def _collections(database: AsyncDatabase[Document]) -> list[str]:
    found = await database.list_collection_names(filter={"type": "collection"})
    return sorted(name for name in found if not name.startswith(("system.", BESIDE)))


async def _holds_anything(database: AsyncDatabase[Document], names: list[str]) -> bool:
    for name in names:
        if await database[name].find_one({}, {"_id": 1}) is not None:
            return True
    return False


async def _write(
    database: AsyncDatabase[Document],
    name: str,
    folder: Path,
    session: AsyncClientSession,
    progress: Progress,
) -> Document:
    collection: AsyncCollection[Any] = database.get_collection(name, codec_options=_RAW)
    total = await database[name].estimated_document_count()
    path = folder / f"{name}.bson.gz"
    done = 0
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
        batch: list[bytes] = []
        async for document in collection.find({}, session=session, batch_size=BATCH):
            batch.append(document.raw)
            if len(batch) == BATCH:
                await asyncio.to_thread(file.write, b"".join(batch))
                done += len(batch)
                batch.clear()
                progress(name, done, total)
        await asyncio.to_thread(file.write, b"".join(batch))
        done += len(batch)
    progress(name, done, done)
    path.chmod(0o600)
    indexes = [spec async for spec in await database[name].list_indexes()]
    return {
        "file": path.name,
        "documents": done,
        "sha256": await asyncio.to_thread(_checksum, path),
        "indexes": [spec for spec in indexes if spec["name"] != "_id_"],
    }


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- reading ------------------------------------------------------------------------------


def _checked(folder: Path, key_mark: str) -> dict[str, Document]:
    """Return the manifest's entries after comparing every file with its checksum."""
    path = folder / MANIFEST
    try:
        manifest = loads(path.read_text(encoding="utf-8"), json_options=CANONICAL_JSON_OPTIONS)
        made_by, mark = manifest["format"], manifest["key_mark"]
        entries: dict[str, Document] = manifest["collections"]
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} is no finished backup: {MANIFEST} is missing") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): take another backup") from error
    if made_by != FORMAT:
        raise ConfigError(f"{path} has format {made_by}, and this program reads {FORMAT}")
    if mark != key_mark:
        raise ConfigError(
            "setting security.field_key: the backup was made under another key, without which "
            "nobody can read its personal fields; put that key into the settings"
        )
    for name, entry in entries.items():
        file = folder / str(entry["file"])
        if not file.is_file() or _checksum(file) != entry["sha256"]:
            raise ConfigError(
                f"{file} is missing or damaged (collection {name}): nothing was changed; take "
                "another backup"
            )
    return entries


async def _load(
    database: AsyncDatabase[Document],
    name: str,
    folder: Path,
    entry: Document,
    progress: Progress,
) -> None:
    beside = database.get_collection(BESIDE + name, codec_options=_RAW)
    await beside.drop()
    await database.create_collection(BESIDE + name)  # an empty one is a collection too
    batches = _documents(folder / str(entry["file"]))
    done, total = 0, int(entry["documents"])
    while batch := await asyncio.to_thread(next, batches, None):
        await beside.insert_many(batch)
        done += len(batch)
        progress(name, done, total)
    if done != total:
        raise ConfigError(
            f"{name} holds {done} documents instead of {total}: nothing was changed; take another "
            "backup"
        )
    if entry["indexes"]:
        await database.command({"createIndexes": BESIDE + name, "indexes": entry["indexes"]})


def _documents(path: Path) -> Iterator[list[RawBSONDocument]]:
    """Yield the documents of a file in batches."""
    batch: list[RawBSONDocument] = []
    with gzip.open(path, "rb") as file:
        while size := file.read(4):
            content = size + file.read(int.from_bytes(size, "little") - 4)
            try:
                batch.append(RawBSONDocument(content))
            except InvalidBSON as error:
                raise ConfigError(f"{path} is damaged: take another backup") from error
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch
