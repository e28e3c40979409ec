"""What the buttons beside a menu's rows do (菜单行操作): up, down, add, remove, for everybody.

An entry at the end of its list moves on into the next one, so that the keyboard reaches whatever
dragging reaches. An order that makes no sense (a token that is not there) changes nothing.
"""

from dataclasses import replace

from domain.menu import Button
from domain.menu_rules import MOST_BELOW, MOST_BUTTONS
from web.admin.menu_form import Edited, Row, rows_of
from web.admin.words import mark

_MOVED = mark("已移动。")
_ADDED = mark("已添加一项，请填写名称。")
_REMOVED = mark("已删除，保存草稿后生效。")
_NOT_MOVED = mark("不能再移动了。")

Rows = list[Row]


def moved(edited: Edited, order: str) -> Edited:
    """Return the form after an order such as `up:s0_2`, `add:t1`, `add`, `remove:t0`."""
    what, _, token = order.partition(":")
    rows = list(edited.rows)
    place = _find(rows, token)
    if what == "add":
        return _added(edited, rows, place)
    if place is None:
        return edited
    top, below = place
    if what == "remove":
        if below is None:
            del rows[top]
        else:
            rows[top] = _without(rows[top], below)
        return _renamed(edited, rows, None, _REMOVED, "")
    step = {"up": -1, "down": 1}.get(what)
    if step is None:
        return edited
    there = _top_moved(rows, top, step) if below is None else _entry_moved(rows, top, below, step)
    if there is None:
        return _renamed(edited, rows, place, _NOT_MOVED, what)
    return _renamed(edited, rows, there, _MOVED, what)


Place = tuple[int, int | None]  # which button, and which entry of it


def _find(rows: Rows, token: str) -> Place | None:
    for top, row in enumerate(rows):
        if row.token == token:
            return top, None
        for below, entry in enumerate(row.rows):
            if entry.token == token:
                return top, below
    return None


def _added(edited: Edited, rows: Rows, place: Place | None) -> Edited:
    fresh = Row(token="", button=Button(name="", type="click"))
    if place is None:
        if len(rows) >= MOST_BUTTONS:
            return edited
        return _renamed(edited, [*rows, fresh], (len(rows), None), _ADDED, "name")
    top, _ = place
    if len(rows[top].rows) >= MOST_BELOW:
        return edited
    rows[top] = replace(rows[top], rows=(*rows[top].rows, fresh))
    return _renamed(edited, rows, (top, len(rows[top].rows) - 1), _ADDED, "name")


def _top_moved(rows: Rows, top: int, step: int) -> Place | None:
    there = top + step
    if not 0 <= there < len(rows):
        return None
    rows[top], rows[there] = rows[there], rows[top]
    return there, None


def _entry_moved(rows: Rows, top: int, below: int, step: int) -> Place | None:
    entries = list(rows[top].rows)
    there = below + step
    if 0 <= there < len(entries):
        entries[below], entries[there] = entries[there], entries[below]
        rows[top] = replace(rows[top], rows=tuple(entries))
        return top, there
    other = top + step
    if not 0 <= other < len(rows) or len(rows[other].rows) >= MOST_BELOW:
        return None
    entry = entries.pop(below)
    rows[top] = replace(rows[top], rows=tuple(entries))
    others = rows[other].rows
    rows[other] = replace(rows[other], rows=(*others, entry) if step < 0 else (entry, *others))
    return other, len(others) if step < 0 else 0


def _without(row: Row, below: int) -> Row:
    return replace(row, rows=(*row.rows[:below], *row.rows[below + 1 :]))


def _renamed(edited: Edited, rows: Rows, focus: Place | None, said: str, what: str) -> Edited:
    """Return the rows with tokens of their new places, and the one that was touched in focus."""
    fresh = list(rows_of(row.whole for row in rows))
    if focus is not None:
        top, below = focus
        if below is None:
            fresh[top] = replace(fresh[top], focus=what)
        else:
            entries = list(fresh[top].rows)
            entries[below] = replace(entries[below], focus=what)
            fresh[top] = replace(fresh[top], rows=tuple(entries))
    return replace(edited, rows=tuple(fresh), said=said)
