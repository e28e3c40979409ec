"""What an alert gives to say, to whom, and whether it wakes people (`domain.md` 3.5).

Pure rules over what is known of the messages that belong together (a chain: an alert, its updates
and its end, tied by their references):

- one push per alert and level: a region that was told of this level or a higher one stays quiet,
  so an upgrade pushes and a downgrade does not;
- an update tells regions that were not told before, whatever its level;
- the end (Cancel, 解除) goes to those who got the alert, and to nobody else;
- exercises, tests, drafts, system messages and what is not public never go out;
- nothing is relayed after its `expires`;
- what comes late changes nothing that was sent later: it neither ends nor takes the place of it.

Messages that refer to the same one belong together, even if that one never came to us.

An area without a code that we know means the whole account: one alert too many is a nuisance,
one too few is a danger.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.alert import (
    LEVEL_NAMES,
    LEVELS,
    Alert,
    AlertArea,
    AlertId,
    AlertInfo,
    Level,
    Status,
    rank,
    regions_of,
)
from domain.alert_record import Action, AlertRecord, Say
from domain.ids import RegionCode
from domain.topic import ancestors

WITHOUT_EXPIRY = timedelta(hours=24)  # how long an alert that does not say so is news
NEWS_OF_END = timedelta(hours=12)  # longer than the quiet hours
ENDED = "已解除"
MOST_REGIONS = 500  # of one push: who names more means everybody
ACCOUNT = RegionCode("")  # everybody who follows the topic, wherever they are
_NEVER: Mapping[Status, str] = {
    "Exercise": "exercise",
    "Test": "test",
    "System": "system",
    "Draft": "draft",
}


Places = Callable[[str], RegionCode | None]  # the region that a name means
Key = Callable[[str, str], str]  # (digest, phase) → the key of a broadcast


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a decision is made in: when, by which way it came, and what names mean."""

    now: datetime
    via: str
    find_region: Places
    key: Key


def decide(
    alert: Alert, family: Sequence[AlertRecord], unheard: frozenset[str], setting: Setting
) -> AlertRecord:
    """Return what becomes of an alert. `unheard`: keys of pushes that never began."""
    mine = alert.id.digest
    refers = tuple(dict.fromkeys(r.digest for r in alert.references if r.digest != mine))
    known = {record.id for record in family}
    says, reason = _says(alert, family, unheard, setting)
    is_orphan = (
        alert.message_type in ("Update", "Cancel")
        and alert.status == "Actual"
        and known.isdisjoint(refers)
    )
    action: Action = "sent" if says else "ignored"
    if is_orphan and alert.message_type == "Cancel" and not says:
        action, reason = "orphan", "orphan_cancel"
    first = alert.chosen[0] if alert.chosen else None
    return AlertRecord(
        id=mine,
        identifier=alert.id.identifier,
        sender=alert.id.sender,
        sent=alert.id.sent,
        status=alert.status,
        message_type=alert.message_type,
        event=first.event if first else "",
        headline=first.headline if first else "",
        issuer=_issuer(alert, first),
        level=max((info.level for info in alert.chosen), key=rank, default="unknown"),
        expires=first.expires if first else None,
        references=refers,
        chain=min((record.chain for record in family), default=mine),
        is_orphan=is_orphan,
        action=action,
        reason=reason,
        says=says,
        warnings=alert.warnings,
        via=setting.via,
        received_at=setting.now,
        is_done=not says,
    )


def replaced_by(alert: Alert, family: Sequence[AlertRecord]) -> list[AlertRecord]:
    """Return the messages of a chain whose place an update or an end takes."""
    if alert.message_type not in ("Update", "Cancel") or not alert.is_public:
        return []
    if alert.message_type == "Update" and not alert.infos:
        return []  # it says nothing that could stand in their place
    real = [record for record in family if record.is_said_to_all]
    return [] if _is_superseded(alert, real) else _earlier(alert, real)


def _is_superseded(alert: Alert, family: Sequence[AlertRecord]) -> bool:
    """Whether a later message came first: one that refers to it, or the end of everything."""
    if any(
        alert.id.digest in record.references and record.reason != "no_info" for record in family
    ):
        return True
    return alert.message_type != "Cancel" and any(
        record.message_type == "Cancel" and record.sent > alert.id.sent for record in family
    )


def _earlier(alert: Alert, family: Sequence[AlertRecord]) -> list[AlertRecord]:
    """Return what an alert can speak of: what it names, and what was sent before it."""
    named = {reference.digest for reference in alert.references}
    return [record for record in family if record.sent <= alert.id.sent or record.id in named]


def _says(
    alert: Alert, family: Sequence[AlertRecord], unheard: frozenset[str], setting: Setting
) -> tuple[tuple[Say, ...], str]:
    if alert.status != "Actual":
        return (), _NEVER[alert.status]
    if alert.message_type in ("Ack", "Error"):
        return (), "acknowledgement"
    if alert.scope != "Public":
        return (), "not_public"
    real = [record for record in family if record.is_said_to_all]
    if _is_superseded(alert, real):
        return (), "superseded"
    if alert.message_type == "Cancel":
        return _end(alert, real, unheard, setting)
    if not alert.chosen:
        return (), "no_info"
    return _levels(alert, _since_the_end(real, alert.id), unheard, setting)


# --- alerts and updates -----------------------------------------------------------------------


def _levels(
    alert: Alert, family: Sequence[AlertRecord], unheard: frozenset[str], setting: Setting
) -> tuple[tuple[Say, ...], str]:
    """Say each level of the chosen blocks to the regions that it is news for."""
    told = _told(family, unheard)
    found: list[Say] = []
    reasons: list[str] = []
    for level in reversed(LEVELS):
        found_infos = [info for info in alert.chosen if info.level == level]
        infos = [info for info in found_infos if _expiry(info, alert.id.sent) > setting.now]
        if not infos:
            reasons += ["expired"] if found_infos else []
            continue
        until = min(_expiry(info, alert.id.sent) for info in infos)
        regions = _regions(infos, setting.find_region)
        news = tuple(region for region in regions if told.rank_in(region) < rank(level))
        if not news:
            is_lower = all(told.rank_in(region) > rank(level) for region in regions)
            reasons.append("downgrade" if is_lower else "same_level")
            continue
        key = setting.key(alert.id.digest, level)
        found.append(
            Say(
                phase=level,
                key=key,
                regions=() if ACCOUNT in news else news,
                headline=infos[0].headline or infos[0].event,
                level=LEVEL_NAMES[level],
                issuer=_issuer(alert, infos[0]),
                time=alert.id.sent,
                url=infos[0].web,
                expires_at=until,
                before=told.keys_from(level),
                stops=told.keys_below(level, news),
            )
        )
        told.add(found[-1])
    return tuple(found), "" if found else reasons[0]


class _Told:
    """Which regions were told of which level, and under which keys."""

    def __init__(self) -> None:
        self._says: list[tuple[int, Say]] = []

    def add(self, say: Say) -> None:
        if say.phase != "cancel":
            self._says.append((rank(say.phase), say))

    def rank_in(self, region: RegionCode) -> int:
        """Return the highest level that everybody in the region was told of; -1: none."""
        told = (number for number, say in self._says if _within(region, say.regions))
        return max(told, default=-1)

    def keys_from(self, level: Level) -> tuple[str, ...]:
        """Return the keys of this level and higher ones: who got one of these knows."""
        return tuple(say.key for number, say in self._says if number >= rank(level))

    def keys_below(self, level: Level, regions: Sequence[RegionCode]) -> tuple[str, ...]:
        """Return the keys of lower levels, none of whose regions lie outside these."""
        everywhere = () if ACCOUNT in regions else tuple(regions)
        return tuple(
            say.key
            for number, say in self._says
            if number < rank(level)
            and all(_within(region, everywhere) for region in say.regions or (ACCOUNT,))
        )


def _within(region: RegionCode, regions: Sequence[RegionCode]) -> bool:
    """Whether a region lies in one of these; none of these: the account, which holds all."""
    return not regions or (region != ACCOUNT and any(up in regions for up in ancestors(region)))


def _told(family: Sequence[AlertRecord], unheard: frozenset[str]) -> _Told:
    told = _Told()
    for record in family:
        for say in record.says:
            if say.key not in unheard:
                told.add(say)
    return told


def _since_the_end(family: Sequence[AlertRecord], mine: AlertId) -> list[AlertRecord]:
    """Leave out what was ended before this message: what is announced again is news again."""
    ends = [
        record.sent
        for record in family
        if record.message_type == "Cancel" and record.sent <= mine.sent
    ]
    last = max(ends, default=None)
    return [record for record in family if last is None or record.sent > last]


# --- the end ----------------------------------------------------------------------------------


def _end(
    alert: Alert, family: Sequence[AlertRecord], unheard: frozenset[str], setting: Setting
) -> tuple[tuple[Say, ...], str]:
    """Tell those who got one of the pushes, and were not told of the end already."""
    if alert.id.sent + NEWS_OF_END <= setting.now:
        return (), "expired"
    ended = {key for record in family for say in record.says if say.is_end for key in say.before}
    told = [
        (record, say)
        for record in _earlier(alert, family)
        for say in record.says
        if not say.is_end and say.key not in unheard and say.key not in ended
    ]
    if not told:
        return (), "nobody_told"
    record, last = max(told, key=lambda pair: pair[0].sent)
    info = alert.chosen[0] if alert.chosen else None
    say = Say(
        phase="cancel",
        key=setting.key(alert.id.digest, "cancel"),
        headline=(info.headline if info else "") or last.headline,
        level=ENDED,
        issuer=_issuer(alert, info) if info or alert.source else record.issuer,
        time=alert.id.sent,
        url=info.web if info else "",
        expires_at=alert.id.sent + NEWS_OF_END,
        before=tuple(say.key for _, say in told),
        stops=tuple(say.key for _, say in told),
    )
    return (say,), ""


# --- who and when -----------------------------------------------------------------------------


def _regions(infos: Sequence[AlertInfo], find_region: Places) -> tuple[RegionCode, ...]:
    """Return where these blocks speak of, each region once and none inside another."""
    found: dict[RegionCode, None] = {}
    for info in infos:
        if not info.areas:
            found[ACCOUNT] = None
        for area in info.areas:
            found |= dict.fromkeys(_places(area, find_region))
            if ACCOUNT in found or len(found) > MOST_REGIONS:
                return (ACCOUNT,)
    if ACCOUNT in found:
        return (ACCOUNT,)
    return tuple(
        code for code in found if not any(up in found for up in ancestors(code) if up != code)
    )


def _places(area: AlertArea, find_region: Places) -> tuple[RegionCode, ...]:
    """Return an area's regions: by code, else by name, else everywhere."""
    if codes := regions_of(area):
        return codes
    found: list[RegionCode] = []
    for name in dict.fromkeys(re.split(r"[、，,;；\s]+", area.text)):
        code = find_region(name) if name else None
        if name and code is None:
            return (ACCOUNT,)
        found += [code] if code else []
    return tuple(found) or (ACCOUNT,)


def _expiry(info: AlertInfo, sent: datetime) -> datetime:
    return info.expires or max(sent, info.effective or sent, info.onset or sent) + WITHOUT_EXPIRY


def _issuer(alert: Alert, info: AlertInfo | None) -> str:
    return (info.sender_name if info else "") or alert.source or alert.id.sender
