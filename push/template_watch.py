"""The platform's templates, looked at again and again (模板同步), and what that means for us.

Every hour, and when somebody asks, a scheduler compares the account's templates with the versions
we keep; what is new, different or gone becomes a version. Whatever is planned with a template that
is gone, that changed since, or whose keys the settings no longer fit gets a warning: the platform
would refuse every copy (40037, 47003). A channel that cannot be read keeps what was known.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from config.settings import AccountSettings, TemplateSettings
from connectors.wechat.answers import TemplateInfo
from domain.broadcast import Broadcast, BroadcastState
from domain.clock import Clock, in_beijing
from domain.delivery import SendFailed
from domain.ids import AccountId
from domain.sentence import Sentence, joined
from domain.template_form import (
    CHANNELS,
    FormChannel,
    FormVersion,
    SyncState,
    TemplateForm,
    form_changes,
    mapping_faults,
)
from storage.mongo.broadcast_lists import MongoBroadcastLists
from storage.mongo.template_forms import MongoTemplateForms
from storage.mongo.work_turns import MongoTurns

EVERY = timedelta(hours=1)
PATIENCE = timedelta(minutes=1)  # two calls of 5 s and a few writes
PLANNED: tuple[BroadcastState, ...] = ("draft", "in_review", "scheduled", "paused")
MOST_PLANNED = 50  # of each state, the newest

# channels that could not be read, and every template's versions; None before the first look
Known = tuple[frozenset[str], Mapping[tuple[FormChannel, str], tuple[FormVersion, ...]]] | None

log = logging.getLogger(__name__)


class TemplateLists(Protocol):
    """The platform's two lists of templates (`connectors.wechat.api`)."""

    async def templates(self) -> list[TemplateInfo]:
        """Return the templates for template messages, or raise `SendFailed`."""
        ...

    async def notice_templates(self) -> list[TemplateInfo]:
        """Return the templates for subscription notices, or raise `SendFailed`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one comparison found, in templates; `problems` by channel."""

    fresh: int = 0
    changed: int = 0
    gone: int = 0
    problems: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why messages with a template may be refused. `code` is stable, `message` for people."""

    code: str
    message: str


class TemplateWatch:
    """Keeps versions of templates and warns (runtime: `ctx.template_watch`)."""

    def __init__(
        self,
        store: MongoTemplateForms,
        turns: MongoTurns,
        platforms: Mapping[AccountId, TemplateLists],
        accounts: Mapping[AccountId, AccountSettings],
        broadcasts: MongoBroadcastLists,
        clock: Clock,
    ) -> None:
        self._store = store
        self._broadcasts = broadcasts
        self._turns = turns
        self._platforms = platforms
        self._accounts = accounts
        self._clock = clock

    # --- looking ----------------------------------------------------------------------------

    async def tick(self) -> None:
        """Look at every account whose turn it is."""
        for account in self._accounts:
            now = self._clock.now()
            if await self._turns.take(account, now=now, patience=PATIENCE):
                await self.sync(account)
                await self._turns.finish(account, next_at=now + EVERY)

    async def sync(self, account: AccountId) -> Look:
        """Compare now. Repeating it, or two at once, adds no version twice."""
        now = self._clock.now()
        platform = self._platforms[account]
        found: dict[FormChannel, list[TemplateForm]] = {}
        problems: dict[str, str] = {}
        try:
            found["template"] = [_form("template", info) for info in await platform.templates()]
        except SendFailed as error:
            problems["template"] = str(error)
        try:
            notices = await platform.notice_templates()
            found["subscription"] = [_form("subscription", info) for info in notices]
        except SendFailed as error:
            problems["subscription"] = str(error)
        fresh = changed = gone = 0
        known = {
            (versions[-1].form.channel, versions[-1].form.id): versions[-1]
            for versions in await self._store.list_(account)
        }
        for channel, forms in found.items():
            for form in forms:
                last = known.get((channel, form.id))
                if last is not None and last.form == form and not last.gone:
                    continue
                after = last.number if last else 0
                if await self._store.add(account, form, after=after, at=now):
                    fresh, changed = fresh + (last is None), changed + (last is not None)
            listed = {form.id for form in forms}
            for (where, id_), last in known.items():
                if where != channel or id_ in listed or last.gone:
                    continue
                gone += await self._store.add(
                    account, last.form, after=last.number, at=now, gone=True
                )
        await self._store.looked(account, at=now, channels=tuple(found), problems=problems)
        if fresh or changed or gone or problems:
            log.log(
                logging.WARNING if changed or gone or problems else logging.INFO,
                "templates.compared",
                extra={
                    "account": account,
                    "fresh": fresh,
                    "changed": changed,
                    "gone": gone,
                    "reason": "; ".join(problems.values()),
                },
            )
        return Look(fresh=fresh, changed=changed, gone=gone, problems=problems)

    # --- what is known ------------------------------------------------------------------------

    async def state(self, account: AccountId) -> SyncState:
        """Return when it was last looked at."""
        return await self._store.state(account)

    async def forms(self, account: AccountId) -> list[tuple[FormVersion, ...]]:
        """Return every template seen, each with its versions, the oldest first."""
        return await self._store.list_(account)

    async def form(self, account: AccountId, channel: str, id_: str) -> tuple[FormVersion, ...]:
        """Return one template's versions, none if it was never seen."""
        return await self._store.find(account, channel, id_)

    async def words_of(self, account: AccountId, name: str) -> tuple[str, Mapping[str, str]]:
        """Return the title and the labels that citizens read, empty if it was never looked at.

        `name` is what the settings call the template.
        """
        settings = self._accounts[account]
        own = settings.templates.get(name)
        other = settings.subscription_templates.get(name)
        template, channel = (own, "template") if own else (other, "subscription")
        seen = await self._store.find(account, channel, template.id) if template else ()
        return (seen[-1].form.title, dict(seen[-1].form.fields)) if seen else ("", {})

    async def troubles(
        self,
        account: AccountId,
        template: str,
        *,
        since: datetime | None = None,
        channels: Collection[str] = tuple(CHANNELS),
    ) -> list[Trouble]:
        """Say what speaks against sending with one of our template names over these channels.

        `since`: when the message was written; a change after it is told too. Nothing is said of a
        channel that was never looked at.
        """
        known = await self._known(account)
        return _said(self._accounts[account], known, template, since, channels)

    async def endangered(self, account: AccountId) -> list[tuple[Broadcast, list[Trouble]]]:
        """Return the planned broadcasts that have troubles, the newest of each state first."""
        known, settings = await self._known(account), self._accounts[account]
        found: list[tuple[Broadcast, list[Trouble]]] = []
        for state in PLANNED:
            page = await self._broadcasts.page(account, state, after=None, limit=MOST_PLANNED)
            for broadcast in page:
                written = broadcast.created_at
                if troubles := _said(settings, known, broadcast.template, written):
                    found.append((broadcast, troubles))
        return found

    async def _known(self, account: AccountId) -> Known:
        state = await self._store.state(account)
        if state.at is None:
            return None
        forms = await self._store.list_(account)
        by_id = {(each[-1].form.channel, each[-1].form.id): each for each in forms}
        return frozenset(state.problems or ()), by_id

    async def troubles_of(self, broadcast: Broadcast) -> list[Trouble]:
        """Say the same of a broadcast that is written, in review or scheduled."""
        return await self.troubles(
            broadcast.account, broadcast.template, since=broadcast.created_at
        )


def _said(
    settings: AccountSettings,
    known: Known,
    template: str,
    since: datetime | None,
    channels: Collection[str] = tuple(CHANNELS),
) -> list[Trouble]:
    found: list[Trouble] = []
    mapped: tuple[tuple[FormChannel, TemplateSettings | None], ...] = (
        ("template", settings.templates.get(template)),
        ("subscription", settings.subscription_templates.get(template)),
    )
    for channel, each in mapped:
        if each is None or known is None or channel in known[0] or channel not in channels:
            continue
        found += _troubles(template, channel, each, known[1].get((channel, each.id), ()), since)
    return found


def _troubles(
    name: str,
    channel: FormChannel,
    settings: TemplateSettings,
    versions: tuple[FormVersion, ...],
    since: datetime | None,
) -> list[Trouble]:
    what = Sentence("{channels}模板 {name}", channels=CHANNELS[channel], name=name)
    if not versions or versions[-1].gone:
        when = Sentence("（{told} 发现）", told=_told(versions[-1].at)) if versions else ""
        return [
            Trouble(
                code="template_gone",
                message=Sentence(
                    "{what} 在微信上已不存在{when}，会发送失败。", what=what, when=when
                ),
            )
        ]
    last = versions[-1]
    found = [
        Trouble(
            code="template_misfit", message=Sentence("{what}：{fault}。", what=what, fault=fault)
        )
        for fault in mapping_faults(settings.fields, last.form)
    ]
    if since is not None and len(versions) > 1 and last.at > since:
        changes = joined(form_changes(versions[-2].form, last.form), "；") or Sentence("重新出现")
        said = Sentence(
            "{what} 在内容写好之后有变化（{told} 发现）：{changes}。",
            what=what,
            told=_told(last.at),
            changes=changes,
        )
        found.append(Trouble(code="template_changed", message=said))
    return found


def _form(channel: FormChannel, info: TemplateInfo) -> TemplateForm:
    return TemplateForm(
        channel=channel,
        id=info.template_id,
        title=info.title,
        content=info.content,
        example=info.example,
        fields=tuple((field.key, field.label) for field in info.fields),
        consent=info.consent,
    )


def _told(moment: datetime) -> str:
    return f"{in_beijing(moment):%m-%d %H:%M}"
