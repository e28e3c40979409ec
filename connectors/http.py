"""Asking a department over HTTP: three seconds in all, one repeat, a breaker, a checked answer.

Every question here only reads, so it may be asked twice. Personal data travels in the body of
a POST, never in a URL, which servers write into their logs.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from config.settings import DepartmentSettings
from connectors.asking import account_asking
from connectors.breaker import Breaker, BreakerOpen
from connectors.watch import Watch
from domain.clock import Clock
from domain.department_health import Connector, Lane, Trouble
from domain.errors import BrokenContract, DepartmentError, DepartmentRefused, DepartmentTimeout
from domain.maintenance import UnderMaintenance

BUDGET_SECONDS = 3.0  # for everything, the repeat included: WeChat waits five
CONNECT_SECONDS = 1.2  # so that a dead address leaves time for the repeat
MAX_ANSWER_BYTES = 1024 * 1024
LONGEST_ETAG = 200
BUSY = frozenset({408, 429, 500, 502, 503, 504})  # worth a second try
ANSWERS = frozenset({"no_data", "bad_input", "unknown_mark"})  # refusals of a system that works
REASONS = ANSWERS | {"not_authorised", "busy", "maintenance"}

log = logging.getLogger(__name__)
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """A department as citizens know it; its own hotline stands in every apology."""

    key: str  # its name in the settings: [departments.<key>]
    title: str
    hotline: str


class Refusal(DepartmentRefused):
    """The department answered that it will not; `reason` is its word for why.

    Reasons of the plug-in contract: no_data, bad_input, not_authorised, busy, maintenance.
    """

    def __init__(self, department: Department, status: int, reason: str) -> None:
        super().__init__(
            department.title, f"refused with {status} {reason}", hotline=department.hotline
        )
        self.reason = reason


class LeftAlone(DepartmentTimeout):
    """It was not asked: the breaker is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh(Generic[Model]):
    """An answer to a question asked with an ETag: `answer` is None when nothing has changed."""

    answer: Model | None
    etag: str = ""  # to ask with next time; empty when the department gives none


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it came; `charset` as the header says, empty if it does not."""

    content: bytes
    charset: str = ""


@dataclass(frozen=True, slots=True)
class _Got:
    """What came over the wire; no content: 304."""

    content: bytes | None
    etag: str = ""
    charset: str = ""


class _Trouble(Exception):
    """The answer says that the department has a problem of its own."""


class DepartmentClient:
    """One department's door. Without settings every question is answered with its hotline."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        department: Department,
        settings: DepartmentSettings | None,
        clock: Clock,
        *,
        budget: float = BUDGET_SECONDS,
        lane: Lane = "query",
        watch: Watch | None = None,
    ) -> None:
        self.department = department
        self._http = http
        self._settings = settings
        self._clock = clock
        self._budget = budget
        self.breaker = Breaker(clock)
        self._watch = watch or Watch(clock)
        self._connector = Connector(key=department.key, title=department.title, lane=lane)
        self._watch.know(self._connector, self.breaker, is_set_up=settings is not None)

    async def get(self, path: str, model: type[Model], **params: str) -> Model:
        """Ask for something public; `params` are seen by everyone on the way."""
        _, answer = await self._ask("GET", path, model, params=params, body=b"")
        return self._must(answer, path)

    async def get_fresh(
        self, path: str, model: type[Model], *, etag: str = "", **params: str
    ) -> Fresh[Model]:
        """Ask for something public unless it is still what it was (`If-None-Match`, 304).

        An ETag belongs to the address it came from: the same `params`.
        """
        got, answer = await self._ask("GET", path, model, params=params, body=b"", etag=etag)
        return Fresh(answer=answer, etag=got.etag or etag if answer is None else got.etag)

    async def query(self, path: str, model: type[Model], content: Mapping[str, str]) -> Model:
        """Ask about a person or a thing of theirs; `content` travels in the body."""
        body = json.dumps(content, ensure_ascii=False).encode()
        _, answer = await self._ask("POST", path, model, params={}, body=body)
        return self._must(answer, path)

    async def get_document(self, path: str) -> Document:
        """Fetch something public that is no JSON; what it means is the caller's business."""
        got, _ = await self._ask("GET", path, None, params={}, body=b"")
        if got.content is None:
            raise self.broken(path, "status 304 to a question without If-None-Match")
        return Document(content=got.content, charset=got.charset)

    def _must(self, answer: Model | None, path: str) -> Model:
        if answer is None:
            raise self.broken(path, "status 304 to a question without If-None-Match")
        return answer

    async def _ask(
        self,
        method: str,
        path: str,
        model: type[Model] | None,
        *,
        params: Mapping[str, str],
        body: bytes,
        etag: str = "",
    ) -> tuple[_Got, Model | None]:
        if self._settings is None:
            raise DepartmentError(
                self.department.title,
                f"not configured: add [departments.{self.department.key}] to the settings",
                hotline=self.department.hotline,
            )
        self._refuse_while_maintained()
        url = URL(self._settings.base_url.rstrip("/") + path).with_query(params)
        with self._counted(path):
            return await self._guarded(method, url, path, model, body, etag)

    async def _guarded(
        self,
        method: str,
        url: URL,
        path: str,
        model: type[Model] | None,
        body: bytes,
        etag: str,
    ) -> tuple[_Got, Model | None]:
        was_open = self.breaker.is_open
        try:
            with self.breaker.attempt(DepartmentTimeout, BrokenContract):
                got = await self._fetch(method, url, body, etag)
                if got.content is None or model is None:
                    return got, None
                return got, self._read(got.content, model, path)
        except BreakerOpen as error:
            raise LeftAlone(
                self.department.title,
                "left alone, it failed several times in a row",
                hotline=self.department.hotline,
            ) from error
        finally:
            if self.breaker.is_open != was_open:
                log.warning(
                    "department.closed" if self.breaker.is_open else "department.back",
                    extra={"department": self.department.key},
                )

    def _refuse_while_maintained(self) -> None:
        """Raise at once what a person wrote for citizens; work of our own goes on trying."""
        account = account_asking()
        say = self._watch.notice_for(account, self.department.key) if account else None
        if say is not None:
            raise UnderMaintenance(self.department.title, say, hotline=self.department.hotline)

    @contextmanager
    def _counted(self, path: str) -> Iterator[None]:
        """Count the question that the block asks; one that was given up says nothing."""
        began = time.perf_counter()
        try:
            yield
        except DepartmentError as error:
            trouble, reason = _trouble_of(error)
            took = time.perf_counter() - began
            self._watch.count(self._connector, took, trouble, path=path, reason=reason)
            raise
        self._watch.count(self._connector, time.perf_counter() - began)

    async def _fetch(self, method: str, url: URL, body: bytes, etag: str) -> _Got:
        """Return the answer, asking once more when the first try fails quickly."""
        try:
            async with asyncio.timeout(self._budget):
                try:
                    return await self._once(method, url, body, etag)
                except (aiohttp.ClientError, _Trouble) as error:
                    log.info(
                        "department.asked_again",
                        extra={"department": self.department.key, "reason": str(error)},
                    )
                return await self._once(method, url, body, etag)
        except TimeoutError as error:
            raise self._timeout(f"no answer in {self._budget} seconds") from error
        except (aiohttp.ClientError, _Trouble) as error:
            raise self._timeout(f"failed twice: {type(error).__name__}: {error}") from error

    async def _once(self, method: str, url: URL, body: bytes, etag: str) -> _Got:
        headers = self._headers(method, url, body)
        if etag:
            headers["If-None-Match"] = etag
        async with self._http.request(
            method,
            url,
            data=body or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=self._budget, sock_connect=CONNECT_SECONDS),
            allow_redirects=False,  # a signed question is meant for one address only
        ) as answer:
            content = await self._bytes_of(answer)
            if answer.status == 200:
                return _Got(content, _etag_of(answer), answer.charset or "")
            if answer.status == 304 and etag:
                return _Got(None, _etag_of(answer))
            if answer.status in BUSY:
                raise _Trouble(f"status {answer.status}")
            raise self._refusal(answer.status, content)

    async def _bytes_of(self, answer: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for chunk in answer.content.iter_chunked(64 * 1024):
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                raise self.broken(answer.url.path, f"more than {MAX_ANSWER_BYTES} bytes")
        return bytes(content)

    def _refusal(self, status: int, content: bytes) -> DepartmentError:
        """Return the refusal the answer spells out; one without a reason was not agreed."""
        try:
            reason = json.loads(content)["code"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            broken = self.broken("", f"status {status} without a reason")
            broken.__cause__ = error
            return broken
        return Refusal(self.department, status, str(reason)[:40])

    def _read(self, content: bytes, model: type[Model], path: str) -> Model:
        try:
            return model.model_validate(json.loads(content, parse_float=Decimal))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            # the error itself would write the person's data into the log
            raise self.broken(path, f"{where}: {first['type']}") from None
        except (ValueError, RecursionError) as error:
            raise self.broken(path, "not JSON") from error

    def _headers(self, method: str, url: URL, body: bytes) -> dict[str, str]:
        headers = {"Accept": "application/json, application/cap+xml;q=0.9, */*;q=0.5"}
        if body:
            headers["Content-Type"] = "application/json"
        if self._settings is not None and self._settings.secret is not None:
            headers |= sign(
                self._settings.secret.get_secret_value(),
                method=method,
                target=url.raw_path_qs,
                body=body,
                timestamp=int(self._clock.now().timestamp()),
                nonce=secrets.token_hex(16),
            )
        return headers

    def _timeout(self, detail: str) -> DepartmentTimeout:
        return DepartmentTimeout(self.department.title, detail, hotline=self.department.hotline)

    def broken(self, path: str, problem: str) -> BrokenContract:
        """Write the alarm to the log and return the error to raise: a person must act."""
        log.error(
            "department.broken_contract",
            extra={"department": self.department.key, "path": path, "problem": problem},
        )
        return BrokenContract(
            self.department.title, f"{path} {problem}", hotline=self.department.hotline
        )


def _etag_of(answer: aiohttp.ClientResponse) -> str:
    """Return the answer's ETag; one that cannot be kept and sent back is none."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.isascii() and len(etag) <= LONGEST_ETAG else ""


def _trouble_of(error: DepartmentError) -> tuple[Trouble | None, str]:
    """Return what kind of trouble an error is, None for a refusal that is an honest answer.

    The word that goes with it is one of the agreement: the department's own might name somebody.
    """
    if isinstance(error, Refusal):
        reason = error.reason if error.reason in REASONS else "other"
        return (None if error.reason in ANSWERS else "refused"), reason
    if isinstance(error, LeftAlone):
        return "left_alone", ""
    return ("broken" if isinstance(error, BrokenContract) else "timeout"), ""


def sign(
    secret: str, *, method: str, target: str, body: bytes, timestamp: int, nonce: str
) -> dict[str, Any]:
    """Return the headers that prove who asks: HMAC-SHA256 over what is asked, and when.

    The department refuses a timestamp more than five minutes off and a nonce it has seen.
    """
    digest = hashlib.sha256(body).hexdigest()
    text = "\n".join([method, target, str(timestamp), nonce, digest])
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return {"X-Wz-Timestamp": str(timestamp), "X-Wz-Nonce": nonce, "X-Wz-Signature": signature}
