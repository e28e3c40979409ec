"""Feeds of news: conditional, paged, forgetful, and what of them is believed."""

import pytest
from aiohttp import web

from config.settings import DepartmentSettings
from connectors.feeds import MarkUnknown, read_page
from connectors.http import Department, DepartmentClient, Refusal
from connectors.payload import Payload
from domain.errors import BrokenContract
from sandbox.feeds import Feed
from tests.support.department_server import stub_department

OFFICE = Department(key="utilities", title="水电气部门", hotline="12345")
FRAME = {"department": "供水", "as_of": "2026-11-24T10:00:00+08:00"}


class Entry(Payload):
    id: int


@pytest.fixture
def client_of(http, clock):
    def build(url: str) -> DepartmentClient:
        return DepartmentClient(http, OFFICE, DepartmentSettings(base_url=url), clock, budget=1.0)

    return build


def answering(content, *, etag="", status=200):
    async def answer(_: web.Request) -> web.Response:
        headers = {"ETag": etag} if etag else {}
        if status == 304:
            return web.Response(status=304, headers=headers)
        return web.json_response(content, status=status, headers=headers)

    return answer


def page(*entries, next_="m2", more=False):
    return {**FRAME, "entries": list(entries), "next": next_, "more": more}


async def test_an_etag_is_sent_back_and_304_means_nothing_new(client_of):
    async with stub_department(answering({}, status=304)) as office:
        found = await read_page(client_of(office.url), "/changes", Entry, since="m2", etag='"e1"')

    assert office.requests[0].headers["If-None-Match"] == '"e1"'
    assert office.requests[0].query == {"since": "m2", "limit": "100"}
    assert found.is_unchanged
    assert (found.next, found.etag, found.entries) == ("m2", '"e1"', ())


async def test_an_etag_is_only_kept_for_the_address_it_came_from(client_of):
    moved = answering(page({"id": 1}, next_="m2"), etag='"of-m1"')
    stays = answering(page(next_="m2"), etag='"of-m2"')
    async with stub_department(moved, stays) as office:
        client = client_of(office.url)
        first = await read_page(client, "/changes", Entry, since="m1")
        second = await read_page(client, "/changes", Entry, since="m2")

    assert first.etag == ""
    assert second.etag == '"of-m2"'


@pytest.mark.parametrize("etag", ['"v\u00fc1"', f'"{"x" * 300}"'])
async def test_an_etag_that_cannot_be_kept_is_none(client_of, etag):
    async with stub_department(answering(page(next_="m2"), etag=etag)) as office:
        found = await read_page(client_of(office.url), "/changes", Entry, since="m2")

    assert found.etag == ""


async def test_304_to_a_question_that_did_not_ask_for_it_was_not_agreed(client_of):
    async with stub_department(answering({}, status=304)) as office:
        with pytest.raises(BrokenContract):
            await read_page(client_of(office.url), "/changes", Entry, since="m1")


@pytest.mark.parametrize("nonsense", [None, "text", [], 7, {"id": None}, {"id": "\ud800"}])
async def test_only_the_entry_that_is_nonsense_is_left_out(client_of, nonsense):
    async with stub_department(answering(page({"id": 1}, nonsense, {"id": 3}))) as office:
        found = await read_page(client_of(office.url), "/changes", Entry)

    assert (found.entries, found.broken) == ((Entry(id=1), Entry(id=3)), 1)


async def test_an_unknown_mark_says_begin_again(client_of):
    async with stub_department((410, "unknown_mark")) as office:
        with pytest.raises(MarkUnknown):
            await read_page(client_of(office.url), "/changes", Entry, since="gone")


async def test_an_unknown_mark_where_none_was_given_is_a_refusal(client_of):
    async with stub_department((410, "unknown_mark")) as office:
        with pytest.raises(Refusal):
            await read_page(client_of(office.url), "/changes", Entry)


async def test_more_without_a_new_mark_would_never_end(client_of):
    async with stub_department(answering(page({"id": 1}, next_="m1", more=True))) as office:
        with pytest.raises(BrokenContract):
            await read_page(client_of(office.url), "/changes", Entry, since="m1")


async def test_an_entry_that_makes_no_sense_is_left_out_with_an_alarm(client_of, caplog):
    entries = [{"id": 1}, {"id": "secret-value"}, {"id": 3}]
    async with stub_department(answering(page(*entries))) as office:
        found = await read_page(client_of(office.url), "/changes", Entry, since="m1")

    assert [entry.id for entry in found.entries] == [1, 3]
    assert found.broken == 1
    [alarm] = [r for r in caplog.records if r.message == "department.broken_entry"]
    assert "secret-value" not in str(vars(alarm))


@pytest.mark.parametrize(
    "content", [{}, {**FRAME, "entries": {}}, {**FRAME, "entries": [], "next": 1}, []]
)
async def test_a_page_that_was_not_agreed_is_believed_in_nothing(client_of, content):
    async with stub_department(answering(content)) as office:
        with pytest.raises(BrokenContract):
            await read_page(client_of(office.url), "/changes", Entry, since="m1")


def test_the_sandbox_forgets_what_is_too_old_and_says_so():
    feed = Feed(kept=3)
    first = feed.page("", 1)
    for number in range(5):
        feed.publish({"id": number})

    assert feed.page(first.next, 10) is None
    assert [entry["id"] for entry in feed.page("", 10).entries] == [2, 3, 4]
