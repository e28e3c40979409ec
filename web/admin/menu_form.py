"""The menu editor's form (菜单编辑): rows with tokens, so that their order is the page's own order.

Every row carries a hidden field `row` with its token (`t0` a button, `s0_2` an entry) and fields
named after it (`t0-name`). Dragging moves a row with its fields, so what arrives is in the order
that was seen; without script the buttons of a row (`do` = `up:s0_2`) change the order here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tornado.web import RequestHandler

from domain.menu import VALUE_OF, Button, Conditional, MatchRule, Menu
from domain.menu_rules import MenuFault
from web.admin.forms import FormRefused, shown_values
from web.admin.words import mark

LONGEST = {"name": 200, "value": 2048, "appid": 100, "pagepath": 2048, "type": 40}
MOST_ROWS = 40
_TOKEN = re.compile(r"t[0-9]{1,2}|s[0-9]{1,2}_[0-9]{1,2}")
_TOO_LONG = mark("内容太长，没有保存。")
_TOO_MANY = mark("菜单项太多，没有保存。")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the editor; `button` is without what stands below it."""

    token: str
    button: Button
    rows: tuple["Row", ...] = ()
    focus: str = ""  # what of it is in focus: name, up or down

    @property
    def whole(self) -> Button:
        """The button with what stands below it."""
        return replace(self.button, below=tuple(row.whole for row in self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What a form brought: one menu of the draft (`part` 0: the default one)."""

    part: int
    revision: int
    shown: int = 0  # the revision of somebody else's draft that was shown beside it
    rule: MatchRule
    rows: tuple[Row, ...]
    said: str = ""  # what a screen reader is told about the last change
    faults: Mapping[str, MenuFault] = field(default_factory=dict)  # by field name

    @property
    def buttons(self) -> tuple[Button, ...]:
        """The menu's buttons."""
        return tuple(row.whole for row in self.rows)

    def put_into(self, menu: Menu) -> Menu:
        """Return the draft's menu with this part in its place."""
        if not self.part:
            return replace(menu, buttons=self.buttons)
        parts = list(menu.conditional)
        parts[self.part - 1] = Conditional(rule=self.rule, buttons=self.buttons)
        return replace(menu, conditional=tuple(parts))

    def with_faults(self, faults: Iterable[MenuFault]) -> "Edited":
        """Return it with each fault at its field; what must be mended goes before cautions."""
        tokens = {"": "menu"}
        for number, row in enumerate(self.rows):
            tokens[str(number)] = row.token
            tokens |= {f"{number}.{at}": below.token for at, below in enumerate(row.rows)}
        found: dict[str, MenuFault] = {}
        for fault in sorted(faults, key=lambda fault: fault.is_caution):
            name = f"{tokens.get(fault.place, 'menu')}-{fault.field}"
            found.setdefault(name, fault)
        return replace(self, faults=found)


def part_of(menu: Menu, part: int, revision: int) -> Edited:
    """Return one menu of the draft as the editor shows it."""
    rule, buttons = MatchRule(), menu.buttons
    if part:
        rule, buttons = menu.conditional[part - 1].rule, menu.conditional[part - 1].buttons
    return Edited(part=part, revision=revision, rule=rule, rows=rows_of(buttons))


def rows_of(buttons: Iterable[Button]) -> tuple[Row, ...]:
    """Return lines with fresh tokens."""
    return tuple(
        Row(
            token=f"t{number}",
            button=replace(button, below=()),
            rows=tuple(
                Row(token=f"s{number}_{at}", button=replace(below, below=()))
                for at, below in enumerate(button.below)
            ),
        )
        for number, button in enumerate(buttons)
    )


def read_edited(page: RequestHandler) -> tuple[Edited, dict[str, str]]:
    """Return what the form brought, and a sentence for each field that no draft may hold."""
    values = {
        name: value if isinstance(value, str) else value[-1]
        for name, value in shown_values(page).items()
    }
    tokens = [token for token in page.get_body_arguments("row") if _TOKEN.fullmatch(token)]
    tokens = list(dict.fromkeys(tokens))
    if len(tokens) > MOST_ROWS:
        raise FormRefused({"": _TOO_MANY})
    errors: dict[str, str] = {}
    rows: list[Row] = []
    for token in tokens:
        texts = {name: values.get(f"{token}-{name}", "").strip() for name in LONGEST}
        if texts["type"] != "miniprogram":
            texts |= {"appid": "", "pagepath": ""}  # of an earlier choice, and kept nowhere
        errors |= {
            f"{token}-{name}": _TOO_LONG
            for name, text in texts.items()
            if len(text) > LONGEST[name]
        }
        row = Row(token=token, button=_button(texts))
        if token.startswith("t") or not rows:
            rows.append(row)
        else:
            rows[-1] = replace(rows[-1], rows=(*rows[-1].rows, row))
    rule = {name: values.get(f"menu-{name}", "").strip() for name in ("tag_id", "platform")}
    errors |= {f"menu-{name}": _TOO_LONG for name, text in rule.items() if len(text) > 40}
    edited = Edited(
        part=_number(values.get("part", "")),
        revision=_number(values.get("revision", "")),
        shown=_number(values.get("shown", "")),
        rule=MatchRule(**rule),
        rows=tuple(rows),
    )
    return edited, errors


def _button(texts: Mapping[str, str]) -> Button:
    kind = texts["type"]
    button = Button(name=texts["name"], type=kind, appid=texts["appid"], pagepath=texts["pagepath"])
    match VALUE_OF.get(kind, "key"):
        case "url":
            return replace(button, url=texts["value"])
        case "media_id":
            return replace(button, media_id=texts["value"])
        case "article_id":
            return replace(button, article_id=texts["value"])
    return replace(button, key=texts["value"])


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
