"""Subscribers as JSON Lines (导入、导出订阅者): streamed, restartable, bad lines reported.

One person per line:
`{"openid": "…", "topics": ["outage.water"], "region": "440305", "tags": [],
"subjects": [{"kind": "vehicle", "value": "粤B12345", "plate_type": "02"}]}`
and, if known, `"followed_at"` and `"active_at"`: times with their zone.

A killed import goes on after its last finished batch when it is started again with the same
file. An import adds and never takes away, so doing a batch twice changes nothing.

People are written in the order of their openids, a window of lines at a time: MongoDB's index
has a dozen entries for each, and in random order a large index is rewritten again and again.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson

from config.catalogue import Catalogue
from domain.clock import BEIJING, aware, in_beijing
from domain.errors import ConfigError, InvalidInput
from domain.ids import AccountId, OpenId, RegionCode, TopicId
from domain.people import Subject, Subscriber, Subscription
from subscriptions.audience import normalised

BATCH_LINES = 2000
WINDOW_LINES = 100_000  # sorted together; about 40 MB while it is being written
BAD_LINES_KEPT = 1000
LONGEST_LINE = 256 * 1024  # bytes; one person has some hundred
_TOO_LONG = b"\xff"  # stands for a line that is, which is not kept in memory
EARLIEST, LATEST = datetime(2011, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_FINGERPRINT_BYTES = 64 * 1024
_NOT_LINES = (  # how files begin that hold no JSON Lines, and what helps
    (b"\x1f\x8b", "compressed (gzip)", "unpack it with gunzip"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "save it as JSON Lines"),
    (b"\xfd7zX", "compressed (xz)", "unpack it with unxz"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
)
_OPENID = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_TAG = re.compile(r"[^\s\0]{1,32}")

Known = tuple[Subscriber, tuple[Subject, ...]]


class ImportStore(Protocol):
    """What importing and exporting need from storage."""

    async def checkpoint(self, key: str) -> Mapping[str, int] | None: ...

    async def save_checkpoint(self, key: str, reached: Mapping[str, int]) -> None: ...

    async def drop_checkpoint(self, key: str) -> None: ...

    async def add(self, people: Sequence[Known]) -> None: ...

    def everyone(self, account: AccountId) -> AsyncIterator[Known]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has got: lines done, people taken, lines skipped.

    The window it is in begins at byte `offset`, after `before` lines; `done` of its lines are
    written, in their sorted order.
    """

    lines: int = 0
    imported: int = 0
    skipped: int = 0
    offset: int = 0
    before: int = 0
    done: int = 0
    read: int = 0  # bytes, about; for whoever watches


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was skipped; the reason never repeats what stands in it."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The end of an import. `bad` keeps the first thousand of this run."""

    lines: int
    imported: int
    skipped: int
    resumed_after: int  # lines done by an earlier run that was killed; 0 if none was
    bad: tuple[BadLine, ...] = ()


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some lines, read: whom they name, what is wrong with others, how far one is with them."""

    people: Sequence[Known]
    bad: Sequence[BadLine]
    progress: Progress


class Importer:
    """Reads a file of subscribers into one account."""

    def __init__(
        self,
        store: ImportStore,
        catalogue: Catalogue,
        *,
        batch_lines: int = BATCH_LINES,
        window_lines: int = WINDOW_LINES,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._batch_lines = batch_lines
        self._window_lines = window_lines

    async def run(
        self,
        path: Path,
        account: AccountId,
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        on_bad: Callable[[BadLine], None] = lambda _: None,
    ) -> Report:
        """Import a file, going on where an earlier run of the same file was killed."""
        try:
            file = await asyncio.to_thread(path.open, "rb")
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}; check its name") from error
        with file:
            await asyncio.to_thread(_check_kind, file, path)
            key = await asyncio.to_thread(_fingerprint, file, account)
            saved = await self._store.checkpoint(key)
            start = progress = Progress(**saved) if saved else Progress()
            file.seek(start.offset)
            bad: list[BadLine] = []
            batches = self._batches(file, account, start)
            batch = await asyncio.to_thread(next, batches, None)
            while batch:
                for line in batch.bad:
                    on_bad(line)
                bad += batch.bad[: BAD_LINES_KEPT - len(bad)]
                progress = batch.progress
                # the next batch is read while this one is written
                following, _ = await asyncio.gather(
                    asyncio.to_thread(next, batches, None),
                    self._write(key, batch),
                )
                on_progress(progress)
                batch = following
        await self._store.drop_checkpoint(key)
        return Report(
            lines=progress.lines,
            imported=progress.imported,
            skipped=progress.skipped,
            resumed_after=start.lines,
            bad=tuple(sorted(bad, key=lambda line: line.number)),
        )

    async def _write(self, key: str, batch: _Batch) -> None:
        """Write a batch; only then the checkpoint moves behind it."""
        await self._store.add(batch.people)
        await self._store.save_checkpoint(key, asdict(batch.progress))

    def _batches(self, file: BinaryIO, account: AccountId, progress: Progress) -> Iterator[_Batch]:
        """Read on from where `progress` is, window by window."""
        while lines := list(islice(_lines(file), self._window_lines)):
            reached = file.tell()
            before, done, offset = progress.before, progress.done, progress.offset
            numbered = sorted(
                (_sort_key(line), number, line)
                for number, line in enumerate(lines, before + 1)
                if line.strip()
            )
            for start in range(done, len(numbered), self._batch_lines):
                part = numbered[start : start + self._batch_lines]
                people, bad = self._read(part, account)
                progress = replace(
                    progress,
                    lines=before + start + len(part),
                    imported=progress.imported + len(people),
                    skipped=progress.skipped + len(bad),
                    done=start + len(part),
                    read=offset + (reached - offset) * (start + len(part)) // len(numbered),
                )
                yield _Batch(people, bad, progress)
            progress = replace(
                progress,
                lines=before + len(lines),
                offset=reached,
                read=reached,
                before=before + len(lines),
                done=0,
            )
            yield _Batch((), (), progress)  # a step of its own: the next window begins here

    def _read(
        self, lines: Sequence[tuple[str, int, bytes]], account: AccountId
    ) -> tuple[list[Known], list[BadLine]]:
        people: list[Known] = []
        bad: list[BadLine] = []
        for _, number, line in lines:
            if line is _TOO_LONG:
                bad.append(BadLine(number, f"longer than {LONGEST_LINE // 1024} KB"))
                continue
            try:
                people.append(self.person(_text(line), account))
            except _BadPerson as error:
                bad.append(BadLine(number, str(error)))
        return people, bad

    def person(self, text: bytes, account: AccountId) -> Known:
        """Read one line, or raise with what is wrong with it."""
        try:
            content = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise _BadPerson("not JSON") from error
        if not isinstance(content, dict):
            raise _BadPerson("not an object")
        openid = content.get("openid")
        if not isinstance(openid, str) or not _OPENID.fullmatch(openid):
            raise _BadPerson("openid is missing or has characters an openid never has")
        region = self._region(content.get("region"))
        subscriber = Subscriber(
            account=account,
            openid=OpenId(openid),
            following=True,
            followed_at=_moment(content.get("followed_at"), "followed_at"),
            active_on=_day(_moment(content.get("active_at"), "active_at")),
            region=region,
            tags=_tags(content.get("tags")),
            subscriptions=tuple(
                self._subscription(topic, region)
                for topic in dict.fromkeys(_strings(content.get("topics"), "topics"))
            ),
        )
        return subscriber, _subjects(content.get("subjects"))

    def _region(self, code: Any) -> RegionCode | None:
        if code is None or code == "":
            return None
        # a town or village below a known district is known too
        if not isinstance(code, str) or RegionCode(code[:6]) not in self._catalogue.regions:
            raise _BadPerson("region is not in config/regions.toml")
        if len(code) not in (6, 12) or not code.isdigit():
            raise _BadPerson("region has neither 6 nor 12 digits")
        return RegionCode(code)

    def _subscription(self, name: str, region: RegionCode | None) -> Subscription:
        topic = self._catalogue.topics.get(TopicId(name))
        if topic is None:
            raise _BadPerson("a topic is not in config/topics.toml")
        if topic.scope == "region":
            return Subscription(topic=topic.id, region=region)
        if topic.scope == "none":
            return Subscription(topic=topic.id)
        return Subscription(topic=topic.id, subject=topic.scope)


async def export_lines(store: ImportStore, account: AccountId) -> AsyncIterator[bytes]:
    """Yield every follower of an account in the form that `Importer` reads.

    A person with topics for several regions has one line for each region.
    """
    async for subscriber, subjects in store.everyone(account):
        regions = [subscriber.region] if subscriber.region else []
        regions += [item.region for item in subscriber.subscriptions if item.region]
        first, *others = dict.fromkeys(regions) or [None]
        content: dict[str, Any] = {
            "openid": subscriber.openid,
            "topics": _topics(subscriber, first, with_regionless=True),
            "region": first,
            "tags": subscriber.tags,
            "subjects": [_subject_json(subject) for subject in subjects],
        }
        yield orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
        for region in others:
            line = {"openid": subscriber.openid, "region": region}
            more = {"topics": _topics(subscriber, region, with_regionless=False)}
            yield orjson.dumps(line | more, option=orjson.OPT_APPEND_NEWLINE)


class _BadPerson(Exception):
    """Why a line is skipped."""


def _text(line: bytes) -> bytes:
    return line.strip().removeprefix(b"\xef\xbb\xbf")


def _sort_key(line: bytes) -> str:
    """Return the openid of a line; what has none comes last and is looked at then."""
    try:
        openid = orjson.loads(_text(line))["openid"]
    except (ValueError, KeyError, TypeError):
        return "\uffff"
    return openid if isinstance(openid, str) else "\uffff"


def _strings(value: Any, name: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _BadPerson(f"{name} is not a list of texts")
    return value


def _moment(value: Any, name: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = aware(datetime.fromisoformat(value))
    except (TypeError, ValueError) as error:
        raise _BadPerson(f"{name} is not a time with its zone") from error
    if not EARLIEST <= moment < LATEST:
        raise _BadPerson(f"{name} is not between 2011 and 2100")
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _day(moment: datetime | None) -> datetime | None:
    """Return the midnight in Beijing before the moment: activity is kept by the day."""
    if moment is None:
        return None
    return datetime.combine(in_beijing(moment).date(), time(), BEIJING).astimezone(UTC)


def _tags(value: Any) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(_strings(value, "tags")))
    if not all(_TAG.fullmatch(tag) for tag in tags):
        raise _BadPerson("a tag is empty, has spaces or is longer than 32 characters")
    return tags


def _subjects(value: Any) -> tuple[Subject, ...]:
    if value is None or value == []:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _BadPerson("subjects is not a list of objects")
    return tuple(dict.fromkeys(map(_subject, value)))


def _subject(item: Mapping[str, Any]) -> Subject:
    kind, value, plate_type = item.get("kind"), item.get("value"), item.get("plate_type")
    if kind not in ("vehicle", "person"):
        raise _BadPerson("a subject's kind is neither vehicle nor person")
    if not isinstance(value, str) or not isinstance(plate_type, str | None):
        raise _BadPerson("a subject's value or plate_type is not a text")
    try:
        return normalised(Subject(kind=kind, value=value, plate_type=plate_type or None))
    except InvalidInput as error:
        raise _BadPerson(f"a subject's {error.field or 'value'} is not valid") from error


def _subject_json(subject: Subject) -> dict[str, str]:
    content = {"kind": subject.kind, "value": subject.value}
    return content | ({"plate_type": subject.plate_type} if subject.plate_type else {})


def _topics(
    subscriber: Subscriber, region: RegionCode | None, *, with_regionless: bool
) -> list[TopicId]:
    regions = {region, None} if with_regionless else {region}
    held = [item.topic for item in subscriber.subscriptions if item.region in regions]
    return list(dict.fromkeys(held))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines, and of one that does not end only that it is too long."""
    while line := file.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while (more := file.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
            pass
        yield _TOO_LONG


def _check_kind(file: BinaryIO, path: Path) -> None:
    """Refuse as a whole what would be refused line by line, or could not be gone on with."""
    if not file.seekable():
        raise ConfigError(
            f"{path} is a pipe: an import that was killed could not go on; name a file"
        )
    beginning = file.read(4)
    file.seek(0)
    for sign, what, remedy in _NOT_LINES:
        if beginning.startswith(sign):
            raise ConfigError(f"{path} is {what}; {remedy}, then import what comes out")


def _fingerprint(file: BinaryIO, account: AccountId) -> str:
    """Return what tells this file from another: its size, its beginning and its end."""
    digest = hashlib.sha256()
    digest.update(file.read(_FINGERPRINT_BYTES))
    size = file.seek(0, 2)
    file.seek(max(0, size - _FINGERPRINT_BYTES))
    digest.update(file.read(_FINGERPRINT_BYTES))
    file.seek(0)
    return f"{account}:{size}:{digest.hexdigest()[:32]}"
