"""Menus (自定义菜单): edited as a draft, published as a numbered version, compared, rolled back.

The console and `run.py menu` both come through here. A publishing writes its version before it
talks to the platform and what became of it afterwards: a process that dies in between leaves a
version that is `publishing` for ever, and the page compares with what is live anyway. Publishing
the same again is harmless.
"""

import asyncio
from collections.abc import Collection, Mapping

from connectors.wechat.menus import MenuApi
from domain.audit import Named
from domain.clock import Clock
from domain.delivery import SendFailed
from domain.errors import NotFound, StateError
from domain.ids import AccountId
from domain.menu import Menu, MenuChanged, MenuDraft, MenuVersion
from domain.menu_rules import MenuFault, all_faults
from domain.sentence import Sentence, joined
from push.audit import Audit
from storage.mongo.menus import MongoMenus

PAGE = 20
PUBLISH_SECONDS = 150.0  # many calls of 5 s at worst, under the store's patience
_BUSY = Sentence("另一位同事正在发布菜单，请一分钟后再试。")


class MenuRefused(StateError):
    """The platform did not take the menu, or did not answer; `say` tells which."""

    code = "menu_refused"


class Menus:
    """The menus of all accounts (runtime: `ctx.menus`)."""

    def __init__(
        self,
        store: MongoMenus,
        platforms: Mapping[AccountId, MenuApi],
        first: Menu,
        known_keys: Collection[str],
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._store = store
        self._platforms = platforms
        self._first = first  # config/menu.toml
        self._known_keys = known_keys
        self._audit = audit
        self._clock = clock

    @property
    def known_keys(self) -> Collection[str]:
        """The keys that the conversation answers."""
        return self._known_keys

    @property
    def first(self) -> Menu:
        """The menu an account begins with: config/menu.toml."""
        return self._first

    async def draft(self, account: AccountId) -> MenuDraft:
        """Return what is being edited; before the first save it is config/menu.toml's menu."""
        return await self._store.find_draft(account) or MenuDraft(menu=self._first)

    async def save(
        self, account: AccountId, menu: Menu, *, revision: int, by: Named, remote: str = ""
    ) -> MenuDraft:
        """Keep a menu made from this revision of the draft, faults and all.

        `MenuChanged` when somebody else saved in between; nothing is overwritten then.
        """
        saved = await self._store.save_draft(
            account, menu, revision=revision, by=by.name, at=self._clock.now()
        )
        if saved is None:
            raise MenuChanged(await self.draft(account))
        await self._audit.record(
            by,
            "menu.save",
            f"menu:{account}",
            account=account,
            remote=remote,
            before={"revision": revision},
            after={"revision": saved.revision, **_short(menu)},
        )
        return saved

    def faults(self, menu: Menu) -> list[tuple[int, MenuFault]]:
        """Return what is wrong or unwise, with the number of the menu (0: the default one)."""
        return all_faults(menu, self._known_keys)

    async def publish_draft(
        self, account: AccountId, *, revision: int, by: Named, note: str = "", remote: str = ""
    ) -> MenuVersion:
        """Publish the draft that was looked at; `MenuChanged` when it is another one by now.

        It is asked once more when nobody else can publish any longer: a newer draft that went
        live in between is not followed by this one.
        """
        draft = await self._draft_of(account, revision)
        return await self._publish(
            account, draft.menu, by=by, note=note, remote=remote, revision=revision
        )

    async def publish(
        self, account: AccountId, menu: Menu, *, by: Named, note: str = "", remote: str = ""
    ) -> MenuVersion:
        """Give a menu to the platform; phones show it within five minutes.

        `StateError` names the first fault, that somebody else is publishing, or (`MenuRefused`)
        what the platform said; the version stays in the history with its reason.
        """
        return await self._publish(account, menu, by=by, note=note, remote=remote)

    async def _publish(
        self,
        account: AccountId,
        menu: Menu,
        *,
        by: Named,
        note: str,
        remote: str,
        revision: int | None = None,
    ) -> MenuVersion:
        """Publish a menu; with `revision`, only while the draft still is that one."""
        wrong = [fault for _, fault in self.faults(menu) if not fault.is_caution]
        if wrong:
            raise StateError(
                Sentence(
                    "菜单还不能发布：{say}（共 {size} 处需要修改）。",
                    say=wrong[0].say,
                    size=len(wrong),
                )
            )
        async with self._audit.around(
            by, "menu.publish", f"menu:{account}", account=account, remote=remote
        ) as act:
            if not await self._store.claim(account, now=self._clock.now()):
                raise StateError(_BUSY)
            try:
                if revision is not None:
                    await self._draft_of(account, revision)
                version = await self._published(account, menu, by=by.name, note=note)
            finally:
                await self._store.release(account)
            act.after.update({"version": version.number, "note": note, **_short(menu)})
        return version

    async def _draft_of(self, account: AccountId, revision: int) -> MenuDraft:
        draft = await self.draft(account)
        if draft.revision != revision:
            raise MenuChanged(draft, on_publishing=True)
        return draft

    async def _published(
        self, account: AccountId, menu: Menu, *, by: str, note: str
    ) -> MenuVersion:
        number = await self._store.add_version(
            account, menu, by=by, note=note, at=self._clock.now()
        )
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._platforms[account].put_menu(menu)
        except (SendFailed, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            await self._store.conclude(account, number, reason=reason)
            raise MenuRefused(
                Sentence("微信没有接受菜单：{reason}。请核对后重新发布。", reason=reason)
            ) from error
        await self._store.conclude(account, number)
        return await self.version(account, number)

    async def live(self, account: AccountId) -> Menu | None:
        """Return what the platform shows now; `MenuRefused` when it does not say."""
        try:
            return await self._platforms[account].live_menu()
        except SendFailed as error:
            raise MenuRefused(
                Sentence("暂时读不到微信上的菜单：{error}。请稍后再试。", error=error)
            ) from error

    async def version(self, account: AccountId, number: int) -> MenuVersion:
        """Return one version, or raise `NotFound`."""
        found = await self._store.find_version(account, number)
        if found is None:
            raise NotFound(Sentence("没有第 {number} 版菜单。", number=number))
        return found

    async def versions(self, account: AccountId, *, before: int | None = None) -> list[MenuVersion]:
        """Return up to `PAGE` versions, the newest first."""
        return await self._store.list_versions(account, before=before, limit=PAGE)

    async def roll_back(
        self, account: AccountId, number: int, *, by: Named, remote: str = ""
    ) -> MenuVersion:
        """Publish an earlier version again, as a new one, and make it the draft.

        The draft is replaced only after the platform took the menu; one that somebody saves at
        this very moment stays.
        """
        old = await self.version(account, number)
        revision = (await self.draft(account)).revision
        note = Sentence("恢复第 {number} 版", number=number)
        version = await self.publish(account, old.menu, by=by, note=note, remote=remote)
        await self._store.save_draft(
            account, old.menu, revision=revision, by=by.name, at=self._clock.now()
        )
        return version


def _short(menu: Menu) -> dict[str, int | str]:
    """Return what the audit log keeps of a menu: names, not everything."""
    names = joined(button.name for button in menu.buttons)
    return {"buttons": names, "conditional": len(menu.conditional)}
