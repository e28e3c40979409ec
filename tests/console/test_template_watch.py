"""Templates as the platform changes them, and the warnings that follow."""

from dataclasses import replace
from datetime import timedelta

from domain.template_form import form_changes
from sandbox.faults import Fault
from sandbox.template_messages import Template
from tests.console.conftest import CITY, Desk

OUTAGE = "city-outage_notice"


def change(desk: Desk, content: str) -> None:
    """Let somebody edit the template on the platform."""
    templates = desk.world.accounts["city"].templates
    templates[OUTAGE] = Template.of(OUTAGE, templates[OUTAGE].title, content)


async def codes(desk: Desk, **since) -> list[str]:
    found = await desk.watch.troubles(CITY, "outage_notice", **since)
    return [trouble.code for trouble in found]


async def test_nothing_is_warned_of_before_the_first_look(desk: Desk):
    assert await codes(desk) == []
    assert (await desk.watch.state(CITY)).at is None


async def test_the_first_look_keeps_every_template_once(desk: Desk):
    first = await desk.watch.sync(CITY)
    again = await desk.watch.sync(CITY)

    kept = await desk.watch.forms(CITY)
    assert first.fresh == len(kept) == len(desk.settings.templates) + 2
    assert (again.fresh, again.changed, again.gone) == (0, 0, 0)
    assert {versions[-1].form.channel for versions in kept} == {"template", "subscription"}
    assert await codes(desk) == []


async def test_a_changed_template_is_a_version_a_difference_and_a_warning(desk: Desk, clock):
    await desk.watch.sync(CITY)
    written = clock.advance(timedelta(minutes=1))
    clock.advance(timedelta(minutes=1))
    change(
        desk, "影响区域:{{thing1.DATA}}\n开始时间:{{time2.DATA}}\n联系电话:{{phone_number9.DATA}}"
    )

    look = await desk.watch.sync(CITY)

    old, new = await desk.watch.form(CITY, "template", OUTAGE)
    assert look.changed == 1
    assert "多了 phone_number9（联系电话）" in form_changes(old.form, new.form)
    assert "少了 time3（恢复时间）" in form_changes(old.form, new.form)
    assert set(await codes(desk, since=written)) == {"template_misfit", "template_changed"}
    assert "template_changed" not in await codes(desk, since=clock.advance(1))


async def test_a_vanished_template_is_gone_until_it_comes_back(desk: Desk, clock):
    await desk.watch.sync(CITY)
    kept = desk.world.accounts["city"].templates.pop(OUTAGE)
    gone = await desk.watch.sync(CITY)
    warned = await codes(desk)
    desk.world.accounts["city"].templates[OUTAGE] = kept
    await desk.watch.sync(CITY)

    versions = await desk.watch.form(CITY, "template", OUTAGE)
    assert (gone.gone, warned) == (1, ["template_gone"])
    assert [version.gone for version in versions] == [False, True, False]
    assert await codes(desk) == []


async def test_a_list_that_cannot_be_read_makes_nothing_vanish(desk: Desk):
    await desk.watch.sync(CITY)
    fault = Fault(kind="errcode", path="/wxaapi/newtmpl", errcode=200011)
    desk.world.faults.add(fault)
    slow = Fault(kind="slow", path="/cgi-bin/template", delay=3)
    desk.world.faults.add(slow)

    look = await desk.watch.sync(CITY)

    state = await desk.watch.state(CITY)
    assert set(look.problems) == {"template", "subscription"}
    assert look.gone == 0
    assert "200011" in (state.problems or {})["subscription"]
    assert state.at is not None
    assert await codes(desk) == []


async def test_it_looks_every_hour_and_when_asked_and_once_for_all_processes(desk: Desk, clock):
    await desk.watch.tick()
    first = (await desk.watch.state(CITY)).tried_at
    clock.advance(timedelta(minutes=30))
    await desk.watch.tick()
    early = (await desk.watch.state(CITY)).tried_at
    clock.advance(timedelta(minutes=31))
    await desk.watch.tick()

    assert early == first
    assert (await desk.watch.state(CITY)).tried_at == clock.now()


async def test_two_looks_at_once_add_one_version(desk: Desk):
    await desk.watch.sync(CITY)
    (version,) = await desk.watch.form(CITY, "template", OUTAGE)
    form = replace(version.form, title="新标题")

    store = desk.watch._store
    added = [await store.add(CITY, form, after=1, at=version.at) for _ in range(2)]

    assert added == [True, False]
