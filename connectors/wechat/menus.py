"""Calls about an account's menus (wechat-platform.md 4.2), the conditional ones among them."""

from typing import Any

from connectors.wechat.api import WeChatApi
from connectors.wechat.errcodes import NO_MENU
from domain.delivery import SendFailed
from domain.ids import OpenId
from domain.menu import Button, Conditional, MatchRule, Menu, buttons_from


class MenuApi(WeChatApi):
    """One account's way to the platform, with everything about its menus."""

    async def live_menu(self) -> Menu | None:
        """Return what is published, the conditional menus too; None when there is nothing."""
        answer = await self._menus()
        if answer is None:
            return None
        return Menu(
            buttons=buttons_from(answer["menu"]),
            conditional=tuple(
                Conditional(
                    rule=MatchRule.read(each.get("matchrule") or {}), buttons=buttons_from(each)
                )
                for each in answer.get("conditionalmenu") or ()
            ),
        )

    async def put_menu(self, menu: Menu) -> None:
        """Make the platform's menus those of `menu`.

        Repeating it is harmless. The default menu is replaced by one call; conditional menus, which
        the platform can only add and delete, are touched only when they differ. Dying between two
        calls leaves some of them missing until the next publishing; nobody is ever without a menu.
        """
        await self.create_menu(menu.json_form())
        found = await self._menus() or {}
        before = found.get("conditionalmenu") or ()
        kept = tuple(
            Conditional(
                rule=MatchRule.read(each.get("matchrule") or {}), buttons=buttons_from(each)
            )
            for each in before
        )
        if kept == menu.conditional:
            return
        for each in before:
            await self._call("/cgi-bin/menu/delconditional", {"menuid": str(each["menuid"])})
        for wanted in reversed(menu.conditional):  # the newest is the first that is tried
            await self._call("/cgi-bin/menu/addconditional", wanted.json_form(), needs="menuid")

    async def menu_for(self, openid: OpenId) -> tuple[Button, ...]:
        """Return the buttons that one follower sees."""
        answer = await self._call("/cgi-bin/menu/trymatch", {"user_id": openid}, needs="button")
        return buttons_from(answer)

    async def _menus(self) -> dict[str, Any] | None:
        try:
            return await self._call("/cgi-bin/menu/get", needs="menu")
        except SendFailed as error:
            if error.errcode == NO_MENU:
                return None
            raise
