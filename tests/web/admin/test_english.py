"""In English the console is English: only what people wrote is Chinese, and is marked as such."""

import itertools
import json
from urllib.parse import urljoin, urlsplit

from domain.ids import AccountId
from domain.incident import Condition
from domain.template_form import TemplateForm
from tests.support.console import Answer, Client, Console
from tests.support.console_broadcasts import in_review, sent
from tests.support.console_routes import made_up, sample
from tests.support.html_forms import forms_of
from tests.support.html_language import CHINESE, chinese_in
from web.admin.routes import ROUTES

DAILY = ("editor", "reviewer", "publisher", "desk", "account_manager")
CITY = AccountId("city")


async def everybody(console: Console) -> list[Client]:
    made = [await console.as_(DAILY)]
    for role in ("system_admin", "security_admin", "auditor"):
        made.append(await console.as_((role,)))
    for client in made:
        await client.get("/admin/me?lang=en")
    return made


async def fill(console: Console) -> None:
    """Make things happen that pages tell of."""
    ctx, now = console.ctx, console.ctx.clock.now()
    for kind, subject, detail in (
        ("broadcast.failed", "停水通知", "the template is gone"),
        ("department.down", "social", ""),
        ("quota.high", "已用 95%", "95 / 100"),
        ("batches.dead", "停水通知", "3 个批次"),
        ("notices.paused", "个人通知：2 条", "template or data refused: 43116"),
    ):
        condition = Condition(
            kind=kind, what=f"{kind}|x", subject=subject, detail=detail, account=CITY
        )
        await ctx.stores.incidents.see(condition, now, tell=False)
    fields = (("thing1", "区域"), ("time2", "时间"))
    for after, shown in enumerate((fields[:1], fields)):
        form = TemplateForm(channel="template", id="x1", title="停水通知", fields=shown)
        await ctx.stores.template_forms.add(CITY, form, after=after, at=now)


def wrong(answer: Answer) -> list[str]:
    kind = answer.headers.get("Content-Type", "")
    if answer.status >= 500:
        return [f"status {answer.status}"]
    if "html" in kind:
        return chinese_in(answer.text)
    text = json.dumps(json.loads(answer.text), ensure_ascii=False) if "json" in kind else ""
    if "csv" in kind:  # the words of its rows are those of pages; the rest is what people wrote
        text = answer.text.splitlines()[0].removeprefix("\ufeff")
    return [text[:200]] if CHINESE.search(text) else []


async def test_every_page_is_english_but_for_what_people_wrote(console: Console):
    await fill(console)
    clients = await everybody(console)
    found: dict[str, list[str]] = {}

    for name, route in ROUTES.items():
        if route.get is None:
            continue
        for path in dict.fromkeys((await sample(route, console), made_up(route))):
            for client in clients:
                answer = await client.get(path)
                if texts := wrong(answer):
                    found.setdefault(name, []).extend(texts)
                if answer.status == 200:
                    break

    assert not found, "\n".join(f"{name}: {texts}" for name, texts in found.items())


async def test_what_a_form_refuses_is_said_in_english(console: Console):
    clients = await everybody(console)
    seen = set()
    found: dict[str, list[str]] = {}
    texts = itertools.cycle(("", "\u0007\n🧨" * 9, "x" * 6_000))

    for name, route in ROUTES.items():
        if route.get is None or name == "sign-out":
            continue
        path = await sample(route, console)
        for client in clients:
            answer = await client.get(path)
            if answer.status != 200 or "<form" not in answer.text:
                continue
            for form in forms_of(answer.text):
                action = urlsplit(urljoin(path, form.action)).path
                fields = tuple(field.name for field in form.fields)
                if form.method != "post" or (action, fields) in seen or "sign-out" in action:
                    continue
                seen.add((action, fields))
                for _ in range(3):
                    text = next(texts)
                    filled = {f.name: text if f.is_typed else f.value for f in form.fields}
                    answer = await client.post(action, filled)
                    if texts_found := wrong(answer):
                        found[f"{name} {action}"] = texts_found
            break

    assert not found, "\n".join(f"{name}: {texts}" for name, texts in found.items())


async def test_an_export_says_outcomes_and_reasons_in_english(console: Console):
    client = await console.as_(DAILY)
    await client.get("/admin/me?lang=en")
    broadcast = await sent(console)

    answer = await client.get(f"/admin/a/city/broadcasts/{broadcast}/export.csv")

    assert CHINESE.findall(answer.text) == []
    assert "Refuses this kind of notice" in answer.text
    assert "Past its expiry" in answer.text


async def test_a_broadcast_tells_in_english_who_stopped_it(console: Console):
    client = await console.as_(DAILY, name="王芳")
    await client.get("/admin/me?lang=en")
    broadcast = await in_review(console)

    done = await client.post(f"/admin/a/city/broadcasts/{broadcast}/cancel", {"revision": "1"})
    answer = await client.get(done.location)

    assert "Cancelled." in answer.text
    assert '<span lang="zh">王芳</span>: cancelled' in answer.text
    assert chinese_in(answer.text) == []


async def test_a_chinese_page_marks_nothing(console: Console):
    client = await console.as_(DAILY)

    answer = await client.get("/admin/a/city/topics")

    assert 'lang="zh"' not in answer.text
    assert "停水通知" in answer.text
