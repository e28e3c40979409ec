"""Three news desks: the bus company's detours, the office's fuel prices, policies for enterprises.

    transit     announce {id?, line?, direction?, region?, in_hours?, hours?, reason?, path_after?,
                stops_skipped?, review_in_hours?}     hours 0: until the road is passable
                change {id, …}   restore {id}   cancel {id}
    prices      decide {window_date?, decision?, yuan?, revision?}     for today, unless said so
    enterprise  publish {id?, title?, issuer?, days?, url?}            days 0: no last day
                change {id, …}   withdraw {id}

Each answers the entry it published.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from domain.clock import Clock, in_beijing
from sandbox.feeds import Feed, NewsRefused

Json = dict[str, Any]
DETOUR: Json = {
    "line": "M392",
    "direction": "both",
    "region": "440304",
    "in_hours": 24.0,
    "hours": 72.0,
    "reason": "道路施工",
    "path_after": ["红荔路", "华富路"],
    "stops_skipped": ["市民中心站"],
    "review_in_hours": 0.0,
}
FUEL: Json = {"window_date": "", "decision": "up", "yuan": 0.21, "revision": 1}
OLD_PRICES = {"92": 7.14, "95": 7.73, "98": 9.73, "0": 6.78}
POLICY: Json = {
    "title": "专精特新中小企业奖励",
    "issuer": "市工业和信息化局（样例）",
    "days": 30.0,
    "url": "https://enterprise.sample.example/policies/1",
}


class _Desk:
    """What the three have in common: entries by id, and the next revision of one."""

    def __init__(self, clock: Clock, defaults: Json) -> None:
        self.feed = Feed()
        self._clock = clock
        self._defaults = defaults
        self._told: dict[str, Json] = {}
        self._newest: dict[str, Json] = {}

    def _new(self, content: Json) -> tuple[str, Json]:
        name = str(content.get("id") or f"N{len(self._told) + 1}")
        if name in self._told:
            raise NewsRefused(f"id {name} is there already; change it")
        self._told[name] = self._defaults | self._known(content)
        return name, self._told[name]

    def _again(self, content: Json) -> tuple[str, Json, int]:
        name = str(content.get("id", ""))
        if name not in self._newest:
            raise NewsRefused(f"id is one of {', '.join(self._newest) or 'none yet'}")
        self._told[name] |= self._known(content)
        return name, self._told[name], self._newest[name]["revision"] + 1

    def _end(self, content: Json, status: str) -> Json:
        name, _, revision = self._again(content)
        return self._out(self._newest[name] | {"status": status, "revision": revision})

    def _out(self, entry: Json) -> Json:
        if "id" in entry:
            self._newest[entry["id"]] = entry
        self.feed.publish(entry)
        return entry

    def _known(self, content: Json) -> Json:
        wrong = sorted(set(content) - set(self._defaults) - {"verb", "id"})
        if wrong:
            raise NewsRefused(f"{', '.join(wrong)}: not known here; see sandbox/feed_city.py")
        for name, usual in self._defaults.items():
            if isinstance(usual, float) and not isinstance(content.get(name, 0), int | float):
                raise NewsRefused(f"{name} must be a number")
        return {key: content[key] for key in self._defaults if key in content}


class BusDesk(_Desk):
    """The bus company."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, DETOUR)
        self.verbs: Mapping[str, Callable[[Json], Json]] = {
            "announce": lambda content: self._publish(*self._new(content), 1, "announced"),
            "change": lambda content: self._publish(*self._again(content), "changed"),
            "restore": lambda content: self._end(content, "restored"),
            "cancel": lambda content: self._end(content, "cancelled"),
        }

    def _publish(self, name: str, told: Json, revision: int, status: str) -> Json:
        now = in_beijing(self._clock.now()).replace(minute=0, second=0, microsecond=0)
        start = now + timedelta(hours=float(told["in_hours"]))
        entry: Json = {
            "id": name,
            "revision": revision,
            "status": status,
            "line": told["line"],
            "direction": told["direction"],
            "from": start.isoformat(),
            "reason": told["reason"],
            "path_before": ["深南大道"],
            "path_after": told["path_after"],
            "stops_skipped": told["stops_skipped"],
            "regions": [told["region"]],
            "issuer": "市公交集团（样例）",
            "hotline": "0755-96196",
        }
        if told["hours"]:
            entry["to"] = (start + timedelta(hours=float(told["hours"]))).isoformat()
        if told["review_in_hours"]:
            review = start + timedelta(hours=float(told["review_in_hours"]))
            entry["review_at"] = review.isoformat()
        return self._out(entry)


class FuelDesk(_Desk):
    """The pricing office."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, FUEL)
        self.verbs: Mapping[str, Callable[[Json], Json]] = {"decide": self._decide}

    def _decide(self, content: Json) -> Json:
        told = FUEL | self._known(content)
        today = in_beijing(self._clock.now()).date().isoformat()
        sign = {"up": 1, "down": -1, "hold": 0}.get(str(told["decision"]))
        if sign is None:
            raise NewsRefused("decision is up, down or hold")
        change = sign * float(told["yuan"])
        return self._out(
            {
                "window_date": told["window_date"] or today,
                "revision": told["revision"],
                "decision": told["decision"],
                "delta_per_ton": {"gasoline": round(change * 1000), "diesel": round(change * 960)},
                "price_per_litre": [
                    {"grade": grade, "old": f"{old:.2f}", "new": f"{old + change:.2f}"}
                    for grade, old in OLD_PRICES.items()
                ],
                "province": "广东",
                "source": "省发展和改革委员会（样例）",
            }
        )


class PolicyDesk(_Desk):
    """The platform for enterprises."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, POLICY)
        self.verbs: Mapping[str, Callable[[Json], Json]] = {
            "publish": lambda content: self._publish(*self._new(content), 1),
            "change": lambda content: self._publish(*self._again(content)),
            "withdraw": lambda content: self._end(content, "withdrawn"),
        }

    def _publish(self, name: str, told: Json, revision: int) -> Json:
        now = in_beijing(self._clock.now()).replace(microsecond=0)
        midnight = now.replace(hour=23, minute=59, second=59)
        entry: Json = {
            "id": name,
            "revision": revision,
            "status": "published",
            "title": told["title"],
            "issuer": told["issuer"],
            "published_at": now.isoformat(),
            "url": told["url"],
        }
        if told["days"]:
            entry["apply_until"] = (midnight + timedelta(days=float(told["days"]))).isoformat()
        return self._out(entry)
