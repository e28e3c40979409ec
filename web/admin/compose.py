"""新建群发 and editing: one page in numbered steps, a phone beside it, one button that submits.

Every button posts the same form: submit, save as a draft, try it on oneself, or only show it anew
(what works without script). With script, parts of the page come from addresses of their own: the
phone and the checks with each key press, numbers and times when something was chosen.

Saving twice from one page makes one broadcast (the form carries a key); an edit made meanwhile by
somebody else is not written over (it carries the revision it was read with).
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain.broadcast import Broadcast
from domain.errors import NotFound, StateError, TooSlow
from domain.ids import BroadcastId, OpenId
from domain.masking import mask_openid
from domain.personal import Known, placeholders_in, values_of
from domain.schedule_words import moment_in_words
from domain.sentence import Sentence, joined
from push.broadcasts import order_of
from push.editing import Overtaken
from push.headcounts import Heads
from push.orders import BroadcastOrder, OrderRefused, check_audience
from push.readers import Reader
from web.admin import compose_view as view
from web.admin.base import AdminPage
from web.admin.compose_form import Reading, cleaned, fields_for, read_order, sentences
from web.admin.compose_rule import DEEPEST, Node, changed, fields_of, read_node
from web.admin.table import route
from web.admin.words import mark

EARLIER = 20  # broadcasts that can be named as got or not got
STARTED = ("sending", "paused", "finished")
Raw = dict[str, list[str]]
DEFAULTS: Mapping[str, list[str]] = {
    "who": ["topic"],
    "when": ["now"],
    "way": ["workdays"],
    "clock": ["09:00"],
    "monthday": ["1"],
    "weekdays": ["1"],
    "days_before": ["5", "2", "0"],
    "tax": ["monthly"],
    "late_by": ["60"],
}
_TRIED = mark("测试已发送。请在手机上查看，再回到这里提交审核。")
_NOT_ALONE = mark("群发消息一次至少发给 2 人，不能只发给自己看；请先用“按主题的规定”测试。")
_SAVED = mark("草稿已保存。")
_SUBMITTED = mark("已提交审核，请另一位同事审核。")


class _ComposePage(AdminPage):
    """What the page and its parts share: the form as it stands."""

    broadcast: Broadcast | None = None

    async def _begin(self) -> Raw:
        """Return the form; fields it lacks stay empty, those of a new one have their defaults."""
        return cleaned(
            {name: self.get_body_arguments(name) for name in self.request.body_arguments}
        )

    def _read(self, raw: Raw) -> Reading:
        template = (raw.get("template") or [""])[-1]
        names = view.data_names(self.account, template)
        return read_order(raw, self.account_id, names, self.broadcast)

    async def _message(self, raw: Raw, order: BroadcastOrder) -> dict[str, Any]:
        """Return what the phone, the fields and the schedule show."""
        title, labels = await self.ctx.template_watch.words_of(self.account_id, order.template)
        blanks = view.blanks(self.account, order, self.say, labels)
        reader, values = await self._reader(raw, blanks)
        return {
            "blanks": blanks,
            "rows": view.rows(blanks, values),
            "template_title": title or view.template_title(order.template, self.say),
            "has_url": bool(order.url),
            "reader": reader,
            "times": view.times_of(
                order,
                (raw.get("when") or ["now"])[-1],
                self.ctx.clock.now(),
                self.ctx.settings.push.quiet_hours,
            ),
        }

    async def _reader(
        self, raw: Raw, blanks: Sequence[view.Blank]
    ) -> tuple[Reader | None, Mapping[str, str]]:
        token = (raw.get("reader") or [""])[-1]
        reader = await self.ctx.readers.known(self.account_id, token) if token else None
        openid = self.ctx.readers.openid(self.account_id, token) if reader else None
        asked = placeholders_in(*(each.value for each in blanks))
        if reader is None or openid is None or not asked:
            return reader, values_of(Known(), {})
        return reader, await self.ctx.personal.values(self.account_id, openid, asked)

    async def _rule(self, node: Node) -> dict[str, Any]:
        """Return what the advanced rule chooses from."""
        chosen = [value for name, value in fields_of(node) if name.endswith(".region")]
        return {
            "rule": node,
            "deepest": DEEPEST,
            "topics": view.topic_choices(self.ctx.catalogue),
            "regions": view.region_choices(self.ctx.catalogue, [c for c in chosen if c]),
            "earlier": await self._earlier(
                [value for name, value in fields_of(node) if name.endswith(".got")]
            ),
        }

    async def _earlier(self, chosen: Sequence[str]) -> list[view.Choice]:
        page = await self.ctx.lists.broadcasts(self.account_id, limit=EARLIER * 2)
        now = self.ctx.clock.now()
        found = [
            (
                str(each.id),
                Sentence("{title}（{at}）", title=each.title, at=moment_in_words(at, now)),
            )
            for each in page.items
            if each.state in STARTED and (at := each.started_at) and each.test_of is None
        ][:EARLIER]
        known = {name for name, _ in found}
        return [*found, *((each, each) for each in dict.fromkeys(chosen) if each not in known)]

    async def _outlook(self, reading: Reading) -> dict[str, Any]:
        """Return whom it would reach and when; what is not finished yet is only counted.

        `people` is None while that takes its time: the part asks for itself again.
        """
        empty: dict[str, Any] = {"problem": "", "people": None, "sample": (), "outlook": None}
        try:
            order = await self._sealed(reading.order)
            heads = await self.ctx.headcounts.soon(order.account, order.audience)
        except OrderRefused as refused:
            return empty | {"problem": joined(sentences(refused.faults).values(), "；")}
        except TooSlow as error:
            return empty | {"problem": self.say(error.say)}
        return empty | (await self._foreseen(order, heads) if heads is not None else {})

    async def _sealed(self, order: BroadcastOrder) -> BroadcastOrder:
        order = replace(order, audience=self.ctx.audiences.sealed(order.audience))
        faults = check_audience(order.audience, self.ctx.catalogue)
        if faults:
            raise OrderRefused(tuple(faults))
        await self.ctx.broadcasts.check_earlier(order.account, order.audience)
        return order

    async def _foreseen(self, order: BroadcastOrder, heads: Heads) -> dict[str, Any]:
        try:
            preview = await self.ctx.previews.preview(
                order, heads, edited=self.broadcast.id if self.broadcast else None
            )
        except OrderRefused:  # the text is not finished; whom it goes to can be told all the same
            return {"people": heads.people, "sample": list(map(mask_openid, heads.some))}
        now = self.ctx.clock.now()
        return {
            "people": preview.audience,
            "sample": preview.sample,
            "outlook": preview,
            "starts": moment_in_words(preview.starts_at, now),
            "ends": moment_in_words(preview.ends_at, now) if preview.ends_at else "",
        }


class ComposePage(_ComposePage):
    """新建群发 Write a broadcast."""

    async def get(self) -> None:
        await self._show(self._fresh())

    async def post(self) -> None:
        await self._act(await self._begin())

    def _fresh(self) -> Raw:
        templates = view.template_choices(self.account, self.say)
        return {
            **{name: list(values) for name, values in DEFAULTS.items()},
            "key": [secrets.token_urlsafe(24)],
            "template": [templates[0][0] if templates else ""],
        }

    # --- buttons -----------------------------------------------------------------------------

    async def _act(self, raw: Raw) -> None:
        action = (raw.get("action") or ["look"])[-1]
        if action.startswith("rule:"):
            node = changed(read_node(raw), action)
            kept = {name: values for name, values in raw.items() if not name.startswith("r.")}
            await self._show(kept | {name: [value] for name, value in fields_of(node)})
            return
        if action not in ("submit", "draft", "trial"):
            await self._show(raw, looked=True)
            return
        reading = self._read(raw)
        if reading.errors:
            await self._refuse(raw, reading.errors)
            return
        try:
            await self._do(action, raw, reading.order)
        except OrderRefused as refused:
            await self._refuse(raw, sentences(refused.faults))
        except Overtaken as late:
            await self._refuse(raw, {"": late.say}, latest=late.broadcast)
        except StateError as late:
            await self._refuse(raw, {"": late.say})

    async def _do(self, action: str, raw: Raw, order: BroadcastOrder) -> None:
        if action == "submit":
            self._check_time(raw, order)
        openid = self._tester(raw, order) if action == "trial" else None
        untouched = self._untouched(order)
        order = untouched or order
        broadcast_id = self.broadcast.id if self.broadcast else None
        keep = self.ctx.drafts.submit if action == "submit" else self.ctx.drafts.save
        if action == "trial" and untouched and self.broadcast is not None:
            kept = self.broadcast  # a test voids no review
        else:
            kept = await keep(
                order,
                author=self.operator.author,
                broadcast_id=broadcast_id,
                revision=self._revision(raw),
            )
            await self.note(
                f"broadcast.{action if action != 'trial' else 'draft'}",
                f"broadcast:{kept.id}",
                before={"revision": self.broadcast.revision} if self.broadcast else None,
                after={"revision": kept.revision, "state": kept.state},
            )
        if openid is not None:
            await self._try(kept, openid)
            return
        self.flash(_SUBMITTED if action == "submit" else _SAVED)
        if action == "submit" and "broadcast" in self.console_routes:
            self.go("broadcast", kept.id)
        else:
            self.go("compose.edit", kept.id)

    async def _try(self, kept: Broadcast, openid: OpenId) -> None:
        self.broadcast = kept
        try:
            await self.ctx.trials.send(
                kept.id, self.account_id, [openid], author=self.operator.author
            )
        except OrderRefused as refused:
            await self._refuse(fields_for(kept), sentences(refused.faults), is_kept=True)
            return
        await self.note("broadcast.trial", f"broadcast:{kept.id}")
        self.flash(_TRIED)
        self.go("compose.edit", kept.id)

    def _check_time(self, raw: Raw, order: BroadcastOrder) -> None:
        when = (raw.get("when") or ["now"])[-1]
        times = view.times_of(order, when, self.ctx.clock.now(), None)
        if times.is_past:
            raise StateError(times.sentences[0])

    def _untouched(self, order: BroadcastOrder) -> BroadcastOrder | None:
        """Return what is kept, if nothing of the form was changed.

        A form cannot say everything an order of the API can (seconds, data of no template), so it
        is compared with the form as it was opened.
        """
        if self.broadcast is None:
            return None
        opened = self._read(cleaned({**DEFAULTS, **fields_for(self.broadcast)})).order
        is_same = self._digest(opened) == self._digest(order)
        return order_of(self.broadcast) if is_same else None

    def _digest(self, order: BroadcastOrder) -> str:
        return replace(order, audience=self.ctx.audiences.sealed(order.audience)).digest()

    def _revision(self, raw: Raw) -> int | None:
        text = (raw.get("revision") or [""])[-1]
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None

    def _tester(self, raw: Raw, order: BroadcastOrder) -> OpenId:
        if order.channel == "mass":
            raise StateError(_NOT_ALONE)
        text = (raw.get("tester") or [""])[-1]
        people = self.account.test_openids
        if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) < len(people)):
            raise StateError(Sentence("请选择测试人员。"))
        return OpenId(people[int(text)])

    # --- showing -----------------------------------------------------------------------------

    async def _refuse(
        self,
        raw: Raw,
        errors: Mapping[str, str],
        *,
        latest: BroadcastId | None = None,
        is_kept: bool = False,
    ) -> None:
        self.set_status(422)
        order = self._read(raw).order
        _, words = await self.ctx.template_watch.words_of(self.account_id, order.template)
        blanks = view.blanks(self.account, order, self.say, words)
        labels = {each.field: each.label for each in blanks}
        said = {
            name: Sentence("{field}：{text}", field=labels[name], text=text)
            if name in labels
            else text
            for name, text in errors.items()
        }
        await self._show(raw, errors=said, latest=latest, is_kept=is_kept)

    async def _show(
        self,
        raw: Raw,
        *,
        errors: Mapping[str, str] | None = None,
        looked: bool = False,
        latest: BroadcastId | None = None,
        is_kept: bool = False,
    ) -> None:
        shown = {name: [each[:2_000] for each in values[:200]] for name, values in raw.items()}
        reading = self._read(shown)
        now = self.ctx.clock.now()
        node = read_node(shown)
        rule = await self._rule(node)
        self.page(
            "admin/compose.html",
            **{
                **rule,
                "errors": dict(errors or {}),
                "broadcast": self.broadcast,
                "here": (
                    self.address("compose.edit", self.broadcast.id)
                    if self.broadcast
                    else self.request.path
                ),
                "one": lambda name: (shown.get(name) or [""])[-1],
                "many": lambda name: shown.get(name, []),
                "templates": view.template_choices(self.account, self.say),
                "regions": view.region_choices(self.ctx.catalogue, shown.get("regions", [])),
                "earlier": await self._earlier(shown.get("not_got", [])),
                "weekdays": view.weekday_choices(),
                "taxes": view.tax_choices(now),
                "placeholders": view.placeholder_choices(),
                "testers": view.test_people(self.account),
                "more_times": self._has_more_times(shown, errors or {}),
                "looked": looked,
                "latest": latest,
                "is_kept": is_kept,
                **(await self._outlook(reading) if looked else {}),
                **await self._message(shown, reading.order),
                **await self._readers(shown),
            },
        )

    @staticmethod
    def _has_more_times(raw: Raw, errors: Mapping[str, str]) -> bool:
        names = ("window_from", "window_to", "expires_at", "ignore_quiet_hours", "channel")
        changed_late = (raw.get("late_by") or ["60"])[-1] not in ("", "60")
        is_urgent = (raw.get("priority") or ["normal"])[-1] == "urgent"
        wrong = bool({*names, "late_by"} & errors.keys())
        return wrong or is_urgent or changed_late or any((raw.get(n) or [""])[-1] for n in names)

    async def _readers(self, raw: Raw) -> dict[str, Any]:
        return await found_readers(self, raw)


class EditPage(ComposePage):
    """修改群发 Edit a broadcast that is not approved."""

    async def get(self, broadcast_id: str) -> None:  # type: ignore[override]
        await self._open(broadcast_id)
        if self.broadcast is not None:
            await self._show({**DEFAULTS, **fields_for(self.broadcast)})

    async def post(self, broadcast_id: str) -> None:  # type: ignore[override]
        try:
            await self._open(broadcast_id)
        except StateError as late:  # approved or cancelled meanwhile: what was typed stays
            progress = await self.ctx.live.read(BroadcastId(broadcast_id), self.account_id)
            if progress.broadcast.kind != "broadcast":
                raise
            self.broadcast = progress.broadcast
            await self._refuse(await self._begin(), {"": late.say})
            return
        await self._act(await self._begin())

    async def _open(self, broadcast_id: str) -> None:
        self.broadcast = await self.ctx.drafts.find(BroadcastId(broadcast_id), self.account_id)


class _Part(_ComposePage):
    """A part of the page, for htmx."""

    async def _begin(self) -> Raw:
        raw = await super()._begin()
        edited = (raw.get("edited") or [""])[-1]
        if edited:
            try:
                self.broadcast = await self.ctx.drafts.find(BroadcastId(edited), self.account_id)
            except (NotFound, StateError):
                self.broadcast = None  # it was approved meanwhile; the form says so when it is sent
        return raw


class MessagePart(_Part):
    """The phone, the checks of each field and the times in words."""

    is_polled = True

    async def post(self) -> None:
        raw = await self._begin()
        self.fragment(
            "admin/_compose_message.html", **await self._message(raw, self._read(raw).order)
        )


class BlanksPart(_Part):
    """The fields of another template."""

    async def post(self) -> None:
        raw = await self._begin()
        message = await self._message(raw, self._read(raw).order)
        self.fragment("admin/_compose_blanks.html", **message)


class OutlookPart(_Part):
    """How many people, who for example, and until when."""

    async def post(self) -> None:
        raw = await self._begin()
        self.fragment("admin/_compose_outlook.html", **await self._outlook(self._read(raw)))


class RulePart(_Part):
    """The advanced rule with one condition more or less."""

    async def post(self) -> None:
        raw = await self._begin()
        node = changed(read_node(raw), (raw.get("action") or [""])[-1])
        self.set_header("HX-Trigger", "compose:changed")
        self.fragment("admin/_compose_rule.html", **await self._rule(node))


class ReadersPart(_Part):
    """Subscribers to look at it as."""

    async def post(self) -> None:
        raw = await self._begin()
        self.fragment("admin/_compose_readers.html", **await found_readers(self, raw))


async def found_readers(page: _ComposePage, raw: Raw) -> dict[str, Any]:
    """Return who was searched for, and who was chosen before."""
    readers, account = page.ctx.readers, page.account_id
    action = (raw.get("action") or [""])[-1]
    prefix = (raw.get("search") or [""])[-1]
    some = action == "some" or bool(raw.get("some"))
    found: list[Reader] = []
    if some:
        found = await readers.some(account)
    elif prefix:
        found = await readers.search(account, prefix)
    token = (raw.get("reader") or [""])[-1]
    chosen = await readers.known(account, token) if token else None
    if chosen is not None:
        found = [chosen, *found]
    return {
        "readers": found,
        "chosen": chosen.token if chosen else "",
        "searched": some or bool(prefix),
    }


NEW = r"/admin/a/{account}/broadcasts/new"
routes = (
    route(NEW, ComposePage, "compose.new", get="broadcasts.write", post="broadcasts.write"),
    route(
        r"/admin/a/{account}/broadcasts/([A-Za-z0-9_]{1,64})/edit",
        EditPage,
        "compose.edit",
        get="broadcasts.write",
        post="broadcasts.write",
    ),
    route(f"{NEW}/message", MessagePart, "compose.message", post="broadcasts.write"),
    route(f"{NEW}/blanks", BlanksPart, "compose.blanks", post="broadcasts.write"),
    route(f"{NEW}/outlook", OutlookPart, "compose.outlook", post="broadcasts.write"),
    route(f"{NEW}/rule", RulePart, "compose.rule", post="broadcasts.write"),
    route(f"{NEW}/readers", ReadersPart, "compose.readers", post="broadcasts.write"),
)
