"""Hostile input into every form of the console as it stands on its page: shown harmlessly.

Forms are found by opening every page of the table as somebody who may, so that a new one is tried
without anybody remembering to. Field by field, and what is too much: `test_hostile_fields.py`.
"""

import itertools
from collections.abc import AsyncIterator
from urllib.parse import urljoin, urlsplit

from domain.access import OperatorAccount
from tests.support.console import Answer, Console
from tests.support.console_routes import sample
from tests.support.html_forms import Field, Form, forms_of, runs
from web.admin.routes import ROUTES

DAILY = ("editor", "reviewer", "publisher", "desk", "account_manager")
COMPUTED = "426763565"  # what a template would make of the product
HOSTILE = {
    "script": "<script>wz()</script><img src=x onerror=wz()>\"' onmouseover=wz() x=' javascript:1",
    "template": "{{98765*4321}}${98765*4321}#{98765*4321}{% print 98765*4321 %}<%= 98765*4321 %>",
    "odd": (  # a formula, queries, paths, faces, and marks that turn the direction of writing
        "=cmd|' /C calc'!A0 ' OR 1=1; DROP TABLE x; -- {\"$gt\": \"\"} $where: 'sleep(9)' "
        "../../etc/passwd %00 🧨👩‍👩‍👧‍👦\u202e文档\u202c\u2067א\u2069\u0000\ufeff𠮷e\u0301"
    ),
    "huge": "A" * 1_000_000,
}


async def operators(console: Console) -> list[OperatorAccount]:
    made = [await console.operator(DAILY)]
    for role in ("system_admin", "security_admin", "auditor"):
        made.append(await console.operator((role,)))
    return made


async def found_forms(console: Console) -> AsyncIterator[tuple[OperatorAccount, str, Form]]:
    """Give every form once, with somebody who may see it and the page it stands on."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    who = await operators(console)
    for route in ROUTES.values():
        if route.get is None:
            continue
        path = await sample(route, console)
        for operator in who:
            client = await console.signed_in(operator)
            answer = await client.get(path)
            if answer.status != 200 or "<form" not in answer.text:
                continue
            for form in forms_of(answer.text):
                action = urlsplit(urljoin(path, form.action)).path
                key = (action, tuple(field.name for field in form.fields))
                if form.method == "post" and key not in seen and action.startswith("/admin/"):
                    seen.add(key)
                    yield operator, path, form
            break


def filled(form: Form, text: str, *, choices: bool = False) -> dict[str, list[str]]:
    """Fill a form in: what is typed with `text`, and with `choices` what is chosen as well."""

    def value(field: Field) -> str:
        is_hostile = field.is_typed or (choices and field.kind != "hidden")
        return text if is_hostile else field.value

    return {
        name: [value(field) for field in form.fields if field.name == name]
        for name in {field.name for field in form.fields if field.kind != "file"}
        if name != "_csrf"
    }


def fault(answer: Answer, kind: str) -> str | None:
    if answer.status >= 500:
        return str(answer.status)
    if answer.status == 403:
        return "403: the form was refused altogether"
    if running := runs(answer.text):
        return f"would run {running[0]}"
    if kind == "template" and COMPUTED in answer.text:
        return "was computed"
    return None


async def test_every_form_bears_hostile_input(console: Console):
    found = [one async for one in found_forms(console)]
    wrong = []
    for (operator, path, form), (kind, text) in itertools.product(found, HOSTILE.items()):
        contents = [filled(form, text)]
        if kind == "script":
            contents.append(filled(form, text, choices=True))
        answers = []
        for content in contents:
            client = await console.signed_in(operator)  # this form may end its session
            answers.append(await client.post(address(path, form), content))
        if kind in {"script", "template"}:
            answers.append(await (await console.signed_in(operator)).get(path))
        for answer in answers:
            if what := fault(answer, kind):
                wrong.append(f"{kind} into {address(path, form)}: {what}")

    assert wrong == []


async def test_names_of_fields_that_are_operators_or_repeated_do_no_harm(console: Console):
    wrong = []
    async for operator, path, form in found_forms(console):
        client = await console.signed_in(operator)
        names = [field.name for field in form.fields if field.name != "_csrf"]
        content = {f"{name}[$ne]": ["1"] for name in names} | {"$where": ["1"], "__proto__": ["1"]}
        content |= {name: ["x", "y", "z"] for name in names}
        answer = await client.post(address(path, form), content)
        if what := fault(answer, "names"):
            wrong.append(f"{path}: {what}")

    assert wrong == []


def address(path: str, form: Form) -> str:
    """Return where a form of the page at `path` is sent."""
    action = urlsplit(urljoin(path, form.action))
    return action.path + (f"?{action.query}" if action.query else "")
