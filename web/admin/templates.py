"""Templates (模板): what the settings map, what WeChat has, what changed, and what is in danger."""

from dataclasses import dataclass

from tornado.web import HTTPError

from config.settings import TemplateSettings
from domain.template_form import (
    CHANNELS,
    FormChannel,
    FormVersion,
    TemplateForm,
    example_of,
    form_changes,
    kind_told,
    mapping_faults,
)
from web.admin.base import AdminPage
from web.admin.compose_words import TEMPLATES
from web.admin.table import ACCOUNT, route
from web.admin.words import mark

_SAME = mark("已与微信核对，没有变化。")
_CHANGED = mark("已与微信核对，有变化，请看下面的说明。")
_FAILED = mark("有的列表没有读到，保留原来的内容。原因见下。")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A template as a row: our name (none: not used), the platform's latest version."""

    name: str
    channel: FormChannel
    id: str
    latest: FormVersion | None
    faults: tuple[str, ...]

    @property
    def state(self) -> str:
        """One word for the badge."""
        if self.latest is None:
            return "unknown"
        if self.latest.gone:
            return "gone"
        return "bad" if self.faults else "good"


class TemplatesPage(AdminPage):
    """Every template of the settings beside what WeChat has, and what WeChat has besides."""

    async def get(self) -> None:
        forms = await self.ctx.template_watch.forms(self.account_id)
        known = {(each[-1].form.channel, each[-1].form.id): each[-1] for each in forms}
        used = list(self._used(known))
        ids = {(line.channel, line.id) for line in used}
        self.page(
            "admin/templates.html",
            used=used,
            titles={line.name: self.say(TEMPLATES.get(line.name, "")) for line in used},
            others=[version for key, version in known.items() if key not in ids],
            state=await self.ctx.template_watch.state(self.account_id),
            channels={channel: self.say(told) for channel, told in CHANNELS.items()},
            endangered=await self.ctx.template_watch.endangered(self.account_id),
        )

    async def post(self) -> None:
        """Compare with WeChat now: two calls of at most five seconds each."""
        look = await self.ctx.template_watch.sync(self.account_id)
        await self.note(
            "templates.compare",
            f"templates:{self.account_id}",
            after={"fresh": look.fresh, "changed": look.changed, "gone": look.gone},
        )
        if look.problems:
            self.flash(_FAILED, "warning")
        elif look.fresh or look.changed or look.gone:
            self.flash(_CHANGED, "info")
        else:
            self.flash(_SAME)
        self.go("templates")

    def _used(self, known: dict[tuple[FormChannel, str], FormVersion]) -> list[Line]:
        settings: list[tuple[FormChannel, str, TemplateSettings]] = [
            *(("template", name, each) for name, each in self.account.templates.items()),
            *(
                ("subscription", name, each)
                for name, each in self.account.subscription_templates.items()
            ),
        ]
        return [
            Line(
                name=name,
                channel=channel,
                id=each.id,
                latest=(latest := known.get((channel, each.id))),
                faults=tuple(mapping_faults(each.fields, latest.form)) if latest else (),
            )
            for channel, name, each in settings
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLine:
    """One blank: its key, its label, what may stand there, and our data for it."""

    key: str
    label: str
    told: str
    data: tuple[str, ...]


class TemplatePage(AdminPage):
    """One template: its fields, how a phone shows it, and every version with its date."""

    async def get(self, channel: FormChannel, id_: str) -> None:
        versions = await self.ctx.template_watch.form(self.account_id, channel, id_)
        if not versions:
            raise HTTPError(404)
        latest = versions[-1]
        mapped = self._mapped(channel, id_)
        self.page(
            "admin/template.html",
            form=latest.form,
            latest=latest,
            channel=self.say(CHANNELS[channel]),
            names=[name for name, _ in mapped],
            fields=[
                FieldLine(
                    key=key,
                    label=label,
                    told=kind_told(key)[0],
                    data=tuple(each.fields[key] for _, each in mapped if key in each.fields),
                )
                for key, label in latest.form.fields
            ],
            example=example_of(latest.form),
            faults=[
                fault for _, each in mapped for fault in mapping_faults(each.fields, latest.form)
            ],
            history=list(reversed(_history(versions))),
        )

    def _mapped(self, channel: FormChannel, id_: str) -> list[tuple[str, TemplateSettings]]:
        settings = (
            self.account.templates if channel == "template" else self.account.subscription_templates
        )
        return [(name, each) for name, each in settings.items() if each.id == id_]


def _history(versions: tuple[FormVersion, ...]) -> list[tuple[FormVersion, list[str]]]:
    """Return each version with what was different from the one before."""
    found: list[tuple[FormVersion, list[str]]] = []
    before: TemplateForm | None = None
    for version in versions:
        found.append((version, form_changes(before, version.form) if before else []))
        before = version.form
    return found


routes = (
    route(
        ACCOUNT + "templates",
        TemplatesPage,
        "templates",
        get="topics.read",
        post="topics.write",
        nav=mark("消息模板"),
    ),
    route(
        ACCOUNT + r"templates/(template|subscription)/([A-Za-z0-9_-]{1,64})",
        TemplatePage,
        "template",
        get="topics.read",
    ),
)
