"""菜单、帮助, and the answer when nothing was understood: always with numbered ways on."""

import re

from bot.inquiry import Inquiry
from bot.router import Router
from bot.services import Services
from config.catalogue import Catalogue
from domain.conversation import Option, Reply

router = Router("help")
PAGE = 8  # one number stays free for the next page
GUESSES = 5


@router.text("返回", "上一步", "0")  # outside a dialog there is nothing else to go back to
@router.always("菜单", "全部服务", "主菜单")
async def menu(ask: Inquiry, use: Services) -> Reply:
    """List what the menu offers, in words, for whoever does not see its buttons."""
    return _menu(use.catalogue, 1)


@router.pattern(r"菜单 第([1-9])页")
async def menu_page(ask: Inquiry, use: Services) -> Reply:
    """Show a later page of the menu."""
    found = re.search(r"([1-9])页", ask.text)
    return _menu(use.catalogue, int(found.group(1)) if found else 1)


@router.always("帮助", "怎么用", "使用说明", keeps_dialog=True)
async def help_(ask: Inquiry, use: Services) -> Reply:
    """Explain how to talk to us; a running dialog goes on below it, so no numbers here."""
    return Reply.of("help.txt", services=use.routes_help)


@router.fallback()
async def not_understood(ask: Inquiry, use: Services) -> Reply:
    """Say so, and offer what the words in the text point at, then the menu and a person."""
    guesses = [
        Option(option.label, option.says)
        for option in _services(use.catalogue)
        if option.says in ask.text or option.label in ask.text
    ]
    ways = [Option("查看全部服务", "菜单"), Option("使用帮助", "帮助"), Option("转人工", "人工")]
    return Reply.of(
        "not_understood.txt", has_guesses=bool(guesses), options=[*guesses[:GUESSES], *ways]
    )


def _menu(catalogue: Catalogue, page: int) -> Reply:
    services = _services(catalogue)
    pages = max(1, -(-len(services) // PAGE))
    page = min(page, pages)
    shown = services[(page - 1) * PAGE : page * PAGE]
    if page < pages:
        shown.append(Option("更多服务", f"菜单 第{page + 1}页"))
    elif page > 1:
        shown.append(Option("回到第一页", "菜单"))
    return Reply.of("menu.txt", page=page, pages=pages, options=shown)


def _services(catalogue: Catalogue) -> list[Option]:
    """Return the menu's entries that have a word, in the menu's order."""
    return [
        Option(entry["name"], catalogue.menu_words[entry["key"]])
        for button in catalogue.menu["button"]
        for entry in button.get("sub_button", ())
        if entry.get("key") in catalogue.menu_words
    ]
