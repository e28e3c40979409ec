"""Stand-ins for the departments' systems, over real HTTP, under /sandbox/departments/<name>/.

They speak the short field names of the real systems, refuse as agreed, check signatures where
a secret is known, and misbehave on demand:
`POST /sandbox/departments/<name>/fault {"kind": "slow", "seconds": 5, "times": 1}`.
Their feeds (see `connectors/feeds.py`) tell news, which `POST …/<name>/news` makes.
"""

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, get_args

from tornado.web import RequestHandler

from domain.clock import Clock, SystemClock, in_beijing
from sandbox import feeds, outage_data, people_data, vehicle_data
from sandbox.news import News, NewsRefused

NAMES = ("social", "medical", "fund", "traffic", "utilities")
NEWS_NAMES = ("weather", "prices", "transit", "enterprise")  # they only tell news
TITLES = {
    "social": "市社会保险基金管理局（样例）",
    "medical": "市医疗保障局（样例）",
    "fund": "市住房公积金管理中心（样例）",
    "traffic": "市公安局交警支队（样例）",
    "utilities": "市水电气联合服务中心（样例）",
    "weather": "市气象台（样例）",
    "prices": "省发展和改革委员会（样例）",
    "transit": "市公交集团（样例）",
    "enterprise": "市企业服务平台（样例）",
}
FaultKind = Literal["none", "slow", "500", "malformed", "broken", "huge", "busy"]
REPLAY_WINDOW = 300  # seconds
MAX_NONCES = 10_000

Json = dict[str, Any]


@dataclass(slots=True)
class _Fault:
    """What a department does wrong, and how many times (None: until told otherwise)."""

    kind: str = "none"
    seconds: float = 5.0
    times: int | None = None

    def take(self) -> str:
        """Return the fault of this call, counting it."""
        if self.times == 0:
            return "none"
        if self.times is not None:
            self.times -= 1
        return self.kind


@dataclass(slots=True)
class _Departments:
    """All departments' state: the clock they live by, their faults, the nonces they saw."""

    clock: Clock
    secrets: Mapping[str, str]
    faults: dict[str, _Fault] = field(default_factory=lambda: {n: _Fault() for n in TITLES})
    nonces: dict[str, None] = field(default_factory=dict)
    news: News = field(init=False)

    def __post_init__(self) -> None:
        self.news = News(self.clock)


class _Base(RequestHandler):
    """A JSON end point of one department."""

    def initialize(self, departments: _Departments) -> None:
        self.departments = departments
        self._gone = asyncio.Event()

    def check_xsrf_cookie(self) -> None:
        """Nothing here lives in a browser."""

    def on_connection_close(self) -> None:
        self._gone.set()

    def refuse(self, status: int, code: str, message: str) -> None:
        self.set_status(status)
        self.finish({"code": code, "message": message})

    def content(self) -> Json:
        try:
            found = json.loads(self.request.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class DepartmentSystem(_Base):
    """A department's questions: `/record`, `/violations`, `/outages`."""

    is_polled = True  # the log need not tell of each look at a feed

    async def get(self, name: str, question: str) -> None:
        feed = self.departments.news.find(name, question)
        if feed is not None:
            if await self._is_well(name):
                feeds.answer(self, feed, TITLES[name], self.departments.clock.now())
        elif (name, question) != ("utilities", "outages"):
            self.refuse(404, "unknown_service", "no such service")
        elif await self._is_well(name):
            self._outages()

    async def post(self, name: str, question: str) -> None:
        answer = {
            ("social", "record"): self._social,
            ("medical", "record"): self._medical,
            ("fund", "record"): self._fund,
            ("traffic", "violations"): self._violations,
        }.get((name, question))
        if answer is None:
            self.refuse(404, "unknown_service", "no such service")
        elif await self._is_well(name):
            answer()

    async def _is_well(self, name: str) -> bool:
        """Check who asks, then do whatever is wrong today; True when the answer may go out."""
        problem = self._signature_problem(name)
        if problem:
            self.refuse(401, "not_authorised", problem)
            return False
        fault = self.departments.faults[name]
        kind = fault.take()
        if kind == "slow":
            try:
                await asyncio.wait_for(self._gone.wait(), fault.seconds)
            except TimeoutError:
                return True  # late, but an answer
            return False
        if kind == "500":
            self.set_status(500)
            self.finish("<html>Internal Server Error</html>")
        elif kind == "busy":
            self.refuse(503, "busy", "too many requests")
        elif kind == "malformed":
            self.finish('{"department": "')
        elif kind == "broken":
            self.finish({"department": TITLES[name], "as_of": "yesterday"})
        elif kind == "huge":
            self.finish({"padding": "x" * (2 * 1024 * 1024)})
        return kind in ("none", "")

    def _signature_problem(self, name: str) -> str:
        """Return what is wrong with the signature; unsigned is fine where no secret is known."""
        secret = self.departments.secrets.get(name)
        if not secret:
            return ""
        headers = self.request.headers
        stamp, nonce = headers.get("X-Wz-Timestamp", ""), headers.get("X-Wz-Nonce", "")
        if not stamp.isdigit() or not nonce:
            return "the request is not signed"
        if abs(int(stamp) - self.departments.clock.now().timestamp()) > REPLAY_WINDOW:
            return "the timestamp is more than five minutes off"
        parts = (
            self.request.method or "",
            self.request.uri or "",
            stamp,
            nonce,
            hashlib.sha256(self.request.body).hexdigest(),
        )
        right = hmac.new(secret.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, headers.get("X-Wz-Signature", "")):
            return "the signature is wrong"
        if nonce in self.departments.nonces:
            return "this request was made before"
        self.departments.nonces[nonce] = None
        while len(self.departments.nonces) > MAX_NONCES:
            self.departments.nonces.pop(next(iter(self.departments.nonces)))
        return ""

    def _answer(self, name: str, content: Json | None) -> None:
        if content is None:
            self.refuse(404, "no_data", "nothing on record")
            return
        now = in_beijing(self.departments.clock.now())
        frame = {"department": TITLES[name], "as_of": now.isoformat(timespec="seconds")}
        self.finish(frame | content)

    def _person(self, number_field: str, name_field: str) -> tuple[str, str] | None:
        content = self.content()
        number, name = str(content.get(number_field, "")), str(content.get(name_field, ""))
        if not re.fullmatch(r"\d{17}[\dX]", number) or not name:
            self.refuse(422, "bad_input", "identity number and name are required")
            return None
        return number, name

    def _social(self) -> None:
        if person := self._person("AAC002", "AAC003"):
            self._answer("social", people_data.social_record(*person, self._today()))

    def _medical(self) -> None:
        if person := self._person("certno", "psn_name"):
            self._answer("medical", people_data.medical_record(*person, self._today()))

    def _fund(self) -> None:
        if person := self._person("zjhm", "xingming"):
            self._answer("fund", people_data.fund_record(*person, self._today()))

    def _violations(self) -> None:
        content = self.content()
        plate, plate_type = str(content.get("hphm", "")), str(content.get("hpzl", ""))
        right_type, digits = vehicle_data.expected(plate)
        if plate_type != right_type or not str(content.get("fdjh", "")).endswith(digits):
            self.refuse(422, "bad_input", "plate, type and engine number do not match")
            return
        records = [
            *vehicle_data.records_of(plate, self.departments.clock.now()),
            *self.departments.news.vehicles.records_of(plate),
        ]
        self._answer("traffic", {"hphm": plate, "hpzl": plate_type, "records": records})

    def _outages(self) -> None:
        region = self.get_query_argument("region", "")
        utility = self.get_query_argument("utility", "")
        street = self.get_query_argument("street", "")
        below = re.sub(r"(00)+$", "", region)
        found = [
            outage
            for outage in (
                *outage_data.outages(self.departments.clock.now()),
                *self.departments.news.outages.revisions(),
            )
            if (not utility or outage["utility"] == utility)
            and any(
                area["region"].startswith(below) and street in area["street"]
                for area in outage["areas"]
            )
        ]
        self._answer("utilities", {"outages": found})

    def _today(self) -> date:
        return in_beijing(self.departments.clock.now()).date()


class Documents(DepartmentSystem):
    """What a feed's index lists: CAP documents of the weather office."""

    async def get(self, name: str, question: str) -> None:
        document = self.departments.news.alerts.documents.get(question)
        if name != "weather" or document is None:
            self.refuse(404, "no_data", "no such document")
        elif await self._is_well(name):
            self.set_header("Content-Type", "application/cap+xml")
            self.finish(document)

    async def post(self, name: str, question: str) -> None:
        self.refuse(404, "unknown_service", "no such service")


class FaultSwitch(_Base):
    """Make a department misbehave: for tests, and to show what citizens then see."""

    def get(self, name: str) -> None:
        fault = self.departments.faults[name]
        self.finish({"kind": fault.kind, "seconds": fault.seconds, "times": fault.times})

    def post(self, name: str) -> None:
        content = self.content()
        kind, times = str(content.get("kind", "")), content.get("times")
        seconds = content.get("seconds", 5.0)
        if (
            kind not in get_args(FaultKind)
            or not isinstance(seconds, int | float)
            or not 0 <= seconds <= 60
            or not (times is None or isinstance(times, int))
        ):
            self.refuse(422, "bad_input", f"kind is one of {', '.join(get_args(FaultKind))}")
            return
        self.departments.faults[name] = _Fault(kind, float(seconds), times)
        self.get(name)


class NewsDesk(_Base):
    """Make news: `POST /sandbox/departments/<name>/news {"verb": …}`, see `sandbox.news`."""

    def post(self, name: str) -> None:
        try:
            self.finish(self.departments.news.make(name, self.content()))
        except NewsRefused as refusal:
            self.refuse(422, "bad_input", str(refusal))


def routes(
    clock: Clock | None = None, secrets: Mapping[str, str] | None = None
) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the departments' routes; with `secrets` by department, requests must be signed."""
    departments = {"departments": _Departments(clock or SystemClock(), secrets or {})}
    names = "|".join(TITLES)
    return [
        (rf"/sandbox/departments/({names})/fault", FaultSwitch, departments),
        (rf"/sandbox/departments/({names})/news", NewsDesk, departments),
        (rf"/sandbox/departments/({names})/documents/([\w.-]+)", Documents, departments),
        (rf"/sandbox/departments/({names})/(\w+)", DepartmentSystem, departments),
    ]
