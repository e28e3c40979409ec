"""The menu editor (菜单): draft, check, compare with what is live, publish, roll back."""

from dataclasses import replace

from tornado.web import HTTPError

from console.menus import PAGE
from domain.errors import StateError
from domain.menu import (
    PLATFORMS,
    TYPES,
    VALUE_OF,
    Conditional,
    MatchRule,
    Menu,
    MenuChanged,
    MenuDraft,
    differences,
)
from domain.menu_rules import (
    CONTRACT_KEYS,
    MOST_BELOW,
    MOST_BUTTONS,
    MOST_CONDITIONAL,
    MenuFault,
    faults_of,
    faults_of_conditional,
)
from web.admin.base import AdminPage
from web.admin.forms import FormRefused
from web.admin.menu_form import Edited, part_of, read_edited
from web.admin.menu_moves import moved
from web.admin.table import ACCOUNT, route
from web.admin.words import mark

_SAVED = mark("草稿已保存。")
_SAVED_WITH_FAULTS = mark("草稿已保存，但还有需要修改的地方，改好后才能发布。")
_PUBLISHED = mark("菜单已发布，关注者五分钟内会看到。")
_ROLLED_BACK = mark("已恢复到较早的版本并发布，关注者五分钟内会看到。")
_NO_PART = mark("没有这个个性化菜单，可能已被删除。")


class MenuPage(AdminPage):
    """The editor of one menu of the draft: the default one, or a conditional one."""

    async def get(self) -> None:
        draft = await self.ctx.menus.draft(self.account_id)
        await self._show(draft, part_of(draft.menu, self._part(draft.menu), draft.revision))

    async def post(self) -> None:
        edited, errors = read_edited(self)
        draft = await self.ctx.menus.draft(self.account_id)
        if edited.part > len(draft.menu.conditional):
            raise FormRefused({"": self.say(_NO_PART)})
        order = self.get_body_argument("do", "save")
        errors = {name: self.say(sentence) for name, sentence in errors.items()}
        if order == "look":
            await self._look(draft, edited, errors)
        elif errors:
            self.set_status(422)
            await self._show(draft, edited, errors=errors)
        elif order in ("save", "overwrite", "add-part", "remove-part", "part-up"):
            await self._save(draft, edited, order)
        else:
            await self._show(draft, moved(edited, order))

    async def again(self, refused: FormRefused) -> None:
        """Show the draft as it was, and why the form was not taken."""
        draft = await self.ctx.menus.draft(self.account_id)
        errors = {name: self.say(sentence) for name, sentence in refused.errors.items()}
        await self._show(draft, part_of(draft.menu, 0, draft.revision), errors=errors)

    # --- saving -----------------------------------------------------------------------------

    async def _save(self, draft: MenuDraft, edited: Edited, order: str) -> None:
        if order == "overwrite":  # the other's draft was shown, and this one is meant
            edited = replace(edited, revision=edited.shown)
        menu, part = _with_order(edited.put_into(draft.menu), edited.part, order)
        try:
            saved = await self.ctx.menus.save(
                self.account_id,
                menu,
                revision=edited.revision,
                by=self.operator,
                remote=self.request.remote_ip or "",
            )
        except MenuChanged as error:
            self.set_status(409)
            await self._show(error.draft, edited, clash=error)
            return
        faults = self.ctx.menus.faults(saved.menu)
        if any(not fault.is_caution for _, fault in faults):
            self.flash(_SAVED_WITH_FAULTS, "warning")
        else:
            self.flash(_SAVED)
        self.go("menu", query=f"part={part}" if part else "")

    # --- showing ----------------------------------------------------------------------------

    async def _look(self, draft: MenuDraft, edited: Edited, errors: dict[str, str]) -> None:
        """Answer with the phone and the sentences beside the fields, while somebody writes."""
        edited = self._checked(edited)
        if self.request.headers.get("HX-Target") == "menu-editor":
            await self._show(draft, edited, errors=errors)
            return
        self.fragment("admin/_menu_look.html", edited=edited, errors=errors, value_of=VALUE_OF)

    async def _show(
        self,
        draft: MenuDraft,
        edited: Edited,
        *,
        errors: dict[str, str] | None = None,
        clash: MenuChanged | None = None,
    ) -> None:
        latest = next(iter(await self.ctx.menus.versions(self.account_id)), None)
        data = {
            "edited": self._checked(edited),
            "draft": draft,
            "parts": ["", *(each.rule.told for each in draft.menu.conditional)],
            "latest": latest,
            "is_published": latest is not None
            and latest.state == "published"
            and latest.menu == draft.menu,
            "clash": clash,
            "changes": differences(edited.put_into(draft.menu), draft.menu) if clash else (),
            "types": [(kind, self.say(told)) for kind, told in TYPES.items()],
            "value_of": VALUE_OF,
            "platforms": [
                ("", self.say("不限")),
                *((number, self.say(told)) for number, told in PLATFORMS.items()),
            ],
            "keys": [(key, CONTRACT_KEYS.get(key, "")) for key in sorted(self._keys)],
            "most": (MOST_BUTTONS, MOST_BELOW, MOST_CONDITIONAL),
            "is_writer": self.can("menu.write"),
            "said": self.say(edited.said),
        }
        if errors:
            data["errors"] = errors
        if self.is_htmx:
            self.fragment("admin/_menu_editor.html", **data)
        else:
            self.page("admin/menu.html", **data)

    @property
    def _keys(self) -> frozenset[str]:
        return frozenset(self.ctx.menus.known_keys)

    def _checked(self, edited: Edited) -> Edited:
        faults: list[MenuFault]
        if edited.part:
            each = Conditional(rule=edited.rule, buttons=edited.buttons)
            faults = faults_of_conditional(each, self._keys)
        else:
            faults = faults_of(Menu(buttons=edited.buttons), self._keys)
        return edited.with_faults(faults)

    def _part(self, menu: Menu) -> int:
        asked = self.get_query_argument("part", "")
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 0
        return number if number <= len(menu.conditional) else 0


class PublishPage(AdminPage):
    """What publishing would change, and the button that does it."""

    async def get(self) -> None:
        draft = await self.ctx.menus.draft(self.account_id)
        latest = next(
            (
                version
                for version in await self.ctx.menus.versions(self.account_id)
                if version.state == "published"
            ),
            None,
        )
        faults = self.ctx.menus.faults(draft.menu)
        self.page(
            "admin/menu_publish.html",
            draft=draft,
            latest=latest,
            changes=differences(latest.menu if latest else Menu(), draft.menu),
            faults=faults,
            is_sound=all(fault.is_caution for _, fault in faults),
        )

    async def post(self) -> None:
        asked = self.get_body_argument("revision", "")
        revision = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else -1
        try:
            await self.ctx.menus.publish_draft(
                self.account_id,
                revision=revision,
                by=self.operator,
                note=self.get_body_argument("note", "")[:100],
                remote=self.request.remote_ip or "",
            )
        except StateError as error:
            self.flash(error.say, "danger")
            self.go("menu-publish")
            return
        self.flash(_PUBLISHED)
        self.go("menu-versions")


class LivePage(AdminPage):
    """What WeChat shows at this moment, beside the draft; asked for after the page has come."""

    async def get(self) -> None:
        draft = await self.ctx.menus.draft(self.account_id)
        trouble, live = "", None
        try:
            live = await self.ctx.menus.live(self.account_id)
        except StateError as error:
            trouble = error.say
        changes = differences(live or Menu(), draft.menu)
        data = {
            "live": live,
            "trouble": trouble,
            "changes": changes,
            "is_same": live is not None and live == draft.menu,
        }
        if self.is_htmx:
            self.fragment("admin/_menu_live.html", **data)
        else:
            self.page("admin/menu_live.html", **data)


class VersionsPage(AdminPage):
    """Every menu that was published, the newest first."""

    async def get(self) -> None:
        asked = self.get_query_argument("before", "")
        before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
        versions = await self.ctx.menus.versions(self.account_id, before=before)
        more = f"?before={versions[-1].number}" if len(versions) == PAGE else ""
        address = self.address("menu-versions")
        self.page(
            "admin/menu_versions.html",
            versions=versions,
            next=address + more if more else "",
            first=address if before else "",
        )


class VersionPage(AdminPage):
    """One version against the draft; posting brings it back."""

    async def get(self, number: str) -> None:
        version = await self.ctx.menus.version(self.account_id, int(number))
        draft = await self.ctx.menus.draft(self.account_id)
        self.page(
            "admin/menu_version.html",
            version=version,
            changes=differences(draft.menu, version.menu),
            is_same=draft.menu == version.menu,
        )

    async def post(self, number: str) -> None:
        try:
            await self.ctx.menus.roll_back(
                self.account_id,
                int(number),
                by=self.operator,
                remote=self.request.remote_ip or "",
            )
        except StateError as error:
            self.flash(error.say, "danger")
            self.go("menu-version", number)
            return
        self.flash(_ROLLED_BACK)
        self.go("menu-versions")


def _with_order(menu: Menu, part: int, order: str) -> tuple[Menu, int]:
    """Return the menu after an order about its conditional parts, and the part to show next."""
    parts = list(menu.conditional)
    if order == "add-part":
        if len(parts) >= MOST_CONDITIONAL:
            raise HTTPError(409)
        parts.append(Conditional(rule=MatchRule(), buttons=menu.buttons))
        part = len(parts)
    elif order == "remove-part" and part:
        del parts[part - 1]
        part = 0
    elif order == "part-up" and part > 1:
        parts[part - 2], parts[part - 1] = parts[part - 1], parts[part - 2]
        part -= 1
    return replace(menu, conditional=tuple(parts)), part


routes = (
    route(ACCOUNT + "menu", MenuPage, "menu", get="menu.read", post="menu.write", nav=mark("菜单")),
    route(
        ACCOUNT + "menu/publish", PublishPage, "menu-publish", get="menu.read", post="menu.write"
    ),
    route(ACCOUNT + "menu/live", LivePage, "menu-live", get="menu.read"),
    route(ACCOUNT + "menu/versions", VersionsPage, "menu-versions", get="menu.read"),
    route(
        ACCOUNT + r"menu/versions/([0-9]{1,9})",
        VersionPage,
        "menu-version",
        get="menu.read",
        post="menu.write",
    ),
)
