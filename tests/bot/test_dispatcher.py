"""The dispatcher: one run per message, turns per citizen, and answers within five seconds."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool

from bot.dispatcher import Dispatcher, NotProcessed
from bot.reference import ALPHABET, new_reference
from bot.session import Session
from connectors.wechat.replies import MAX_BYTES, size
from domain.conversation import (
    Answer,
    AuthorizationChange,
    ConsentEvent,
    ConsentItem,
    Inbound,
    MenuClick,
    MenuView,
    TemplateReceipt,
    TextMessage,
    Unfollow,
)
from domain.delivery import SendFailed
from domain.errors import BrokenContract, DepartmentTimeout, StateError
from domain.ids import AccountId, OpenId
from storage.redis.guards import Guards
from storage.redis.late import LateResults
from storage.redis.sealing import Sealer
from storage.redis.sessions import Sessions
from tests.support.web import Outbox, Talk, make_dispatcher

CITY, PERSON = AccountId("city"), OpenId("oA")
HOTLINE = "12345"


class Town:
    """Processes on one Redis, with one conversation that a test scripts."""

    def __init__(self, redis, settings, clock) -> None:
        self.redis, self.settings, self.clock = redis, settings, clock
        self.talk, self.outbox = Talk(), Outbox()
        self.sealer = Sealer(settings.security.master_key)
        self.late = LateResults(redis, self.sealer, clock)
        self.sessions = Sessions(redis, self.sealer)
        self.processes: list[Dispatcher] = []
        self.clients: list[Redis] = []

    def process(self, *, lease: float = 3.0, **limits: float) -> Dispatcher:
        """Start another process: a dispatcher on a Redis client of its own."""
        pool = self.redis.connection_pool
        client = Redis(
            connection_pool=ConnectionPool(
                connection_class=pool.connection_class, **pool.connection_kwargs
            )
        )
        self.clients.append(client)
        guards = Guards(client, self.sealer, lease=timedelta(seconds=lease))
        limits = {"patience": 0.25, "grace": 0.5, **limits}
        made = make_dispatcher(
            client, self.settings, self.clock, self.talk, self.outbox, guards=guards, **limits
        )
        self.processes.append(made)
        return made

    def text(self, number: int = 1, text: str = "hi") -> TextMessage:
        return self.made(TextMessage, f"m:{number}", text=text)

    def made(self, cls, dedupe_key: str = "k", /, **own):
        at = self.clock.now()
        return cls(account=CITY, openid=PERSON, at=at, dedupe_key=dedupe_key, **own)

    async def settle(self) -> None:
        """Wait until no process has anything left to do."""
        for process in self.processes:
            await asyncio.gather(*process._tasks, return_exceptions=True)

    async def queue_reaches(self, length: int) -> None:
        """Wait until so many messages of one citizen are under way."""
        async with asyncio.timeout(3):
            while True:
                keys = await self.redis.keys("wz:*:queue")
                if keys and await self.redis.llen(keys[0]) >= length:
                    return
                await asyncio.sleep(0.002)

    def late_token(self, text: str) -> str:
        return text.split("/late/")[1].split('"', maxsplit=1)[0]

    async def close(self) -> None:
        for process in self.processes:
            await process.aclose()
        for client in self.clients:
            await client.aclose()
            await client.connection_pool.disconnect()


@pytest.fixture
async def town(redis, settings, clock) -> AsyncIterator[Town]:
    made = Town(redis, settings, clock)
    yield made
    await made.close()


def answers(text: str):
    async def answerer(message: Inbound, session: Session) -> Answer:
        return Answer("text", text)

    return answerer


def fails(error: Exception):
    async def answerer(message: Inbound, session: Session) -> Answer:
        session.begin("broken", {"a": "1"}, message.at)
        raise error

    return answerer


class Gate:
    """A handler that answers only when it is let go."""

    def __init__(self, text: str = "结果") -> None:
        self.text = text
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, message: Inbound, session: Session) -> Answer:
        self.entered.set()
        await self.open.wait()
        return Answer("text", self.text)


# --- exactly once ---------------------------------------------------------------------------


async def test_a_repeat_gets_the_stored_answer_from_another_process(town):
    one, two = town.process(), town.process()
    town.talk.answerer = answers("好")

    assert await one.handle(town.text()) == Answer("text", "好")
    assert await two.handle(town.text()) == Answer("text", "好")

    assert len(town.talk.heard) == 1


async def test_a_repeat_joins_the_run_of_another_process(town):
    one, two = town.process(patience=2), town.process(patience=2)
    gate = town.talk.answerer = Gate()
    first = asyncio.create_task(one.handle(town.text()))
    await gate.entered.wait()
    second = asyncio.create_task(two.handle(town.text()))
    third = asyncio.create_task(one.handle(town.text()))
    await asyncio.sleep(0.1)

    gate.open.set()

    assert await asyncio.gather(first, second, third) == [Answer("text", "结果")] * 3
    assert len(town.talk.heard) == 1


async def test_fifty_deliveries_at_once_over_two_processes_run_once(town):
    processes = town.process(patience=4), town.process(patience=4)

    got = await asyncio.gather(*(processes[n % 2].handle(town.text()) for n in range(50)))

    assert set(got) == {Answer("text", "听到：hi")}
    assert len(town.talk.heard) == 1


@pytest.mark.faults
async def test_the_message_of_a_killed_process_runs_in_the_next(town, data_dir: Path):
    socket = town.redis.connection_pool.connection_kwargs["path"]
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.holder",
        socket,
        str(data_dir),
        "m:1",
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout
    assert await victim.stdout.readline() == b"running\n"
    victim.send_signal(signal.SIGKILL)
    await victim.wait()

    answer = await town.process(patience=4.3).handle(town.text())

    assert answer == Answer("text", "听到：hi")
    assert len(town.talk.heard) == 1


# --- one citizen, one message at a time -----------------------------------------------------


async def test_messages_of_one_citizen_run_in_order_over_two_processes(town):
    gate = Gate()
    running = 0

    async def counts(message: TextMessage, session: Session) -> Answer:
        nonlocal running
        running += 1
        assert running == 1
        await gate(message, session)
        session.dialog = "count"
        session.answers["heard"] = session.answers.get("heard", "") + message.text
        running -= 1
        return Answer("text", session.answers["heard"])

    town.talk.answerer = counts
    processes = town.process(patience=4), town.process(patience=4)
    tasks = []
    for n in range(6):
        tasks.append(asyncio.create_task(processes[n % 2].handle(town.text(n, str(n)))))
        await town.queue_reaches(n + 1)

    gate.open.set()

    got = [answer.text for answer in await asyncio.gather(*tasks)]
    assert got == ["0", "01", "012", "0123", "01234", "012345"]


async def test_a_message_waits_its_turn_and_is_late_when_that_takes_too_long(town):
    gate = town.talk.answerer = Gate()
    one, two = town.process(), town.process()
    slow = asyncio.create_task(one.handle(town.text(1)))
    await gate.entered.wait()

    waiting = await two.handle(town.text(2))

    assert "正在为您查询" in waiting.text
    assert len(town.talk.heard) == 1
    gate.open.set()
    await slow
    await town.settle()
    assert len(town.talk.heard) == 2


# --- too slow -------------------------------------------------------------------------------


async def test_a_slow_answer_is_announced_and_follows_as_a_message(town):
    one, two = town.process(), town.process()
    gate = town.talk.answerer = Gate("余额 1,234.56 元")

    notice = await one.handle(town.text())
    token = town.late_token(notice.text)
    assert "正在为您查询" in notice.text
    assert (await town.late.get(CITY, token)).state == "pending"
    assert await two.handle(town.text()) == notice
    gate.open.set()
    await town.settle()

    assert town.outbox.sent == [(PERSON, "余额 1,234.56 元")]
    assert (await town.late.get(CITY, token)).text == "余额 1,234.56 元"
    assert await two.handle(town.text()) == notice
    assert len(town.talk.heard) == 1


async def test_the_wait_counts_from_the_arrival_at_the_server(town):
    town.talk.answerer = Gate()
    arrived = asyncio.get_running_loop().time() - 60

    notice = await town.process(patience=30).handle(town.text(), arrived=arrived)

    assert "正在为您查询" in notice.text


async def test_without_an_open_window_the_link_holds_the_result(town, clock):
    gate = town.talk.answerer = Gate("结果")
    notice = await town.process().handle(town.made(MenuClick, key="query.social"))

    clock.advance(61)  # a tap's window is one minute
    gate.open.set()
    await town.settle()

    assert town.outbox.sent == []
    assert (await town.late.get(CITY, town.late_token(notice.text))).text == "结果"


async def test_a_message_that_cannot_be_sent_leaves_the_link(town, caplog):
    town.outbox.fails = SendFailed(45015, "out of time", "drop")
    gate = town.talk.answerer = Gate("结果")
    notice = await town.process().handle(town.text())

    gate.open.set()
    await town.settle()

    assert (await town.late.get(CITY, town.late_token(notice.text))).text == "结果"
    assert "late.not_sent" in caplog.messages


async def test_a_slow_run_keeps_its_lease(town):
    one, two = town.process(lease=0.15), town.process(lease=0.15)
    gate = town.talk.answerer = Gate()
    await one.handle(town.text(1))
    next_one = asyncio.create_task(two.handle(town.text(2)))
    await asyncio.sleep(0.4)

    assert len(town.talk.heard) == 1  # the second still waits behind the living first
    gate.open.set()
    await next_one
    await town.settle()

    assert len(town.talk.heard) == 2


async def test_a_handler_that_never_ends_is_ended(town):
    town.talk.answerer = Gate()

    notice = await town.process(longest=0.5).handle(town.text())
    await town.settle()

    late = await town.late.get(CITY, town.late_token(notice.text))
    assert "抱歉" in late.text
    assert HOTLINE in late.text


async def test_a_hand_over_that_comes_late_asks_to_be_repeated(town):
    gate = Gate()

    async def transfers(message: Inbound, session: Session) -> Answer:
        await gate(message, session)
        return Answer("transfer")

    town.talk.answerer = transfers
    await town.process().handle(town.text())
    gate.open.set()
    await town.settle()

    assert "再发送一次 人工" in town.outbox.sent[0][1]


async def test_stopping_waits_then_gives_up_what_still_runs(town):
    town.talk.answerer = Gate()
    process = town.process(patience=5, grace=0.1)
    running = asyncio.create_task(process.handle(town.text(1)))
    late = await town.process().handle(town.text(2))
    await asyncio.sleep(0.05)

    await asyncio.gather(*(each.aclose() for each in town.processes))

    assert HOTLINE in (await running).text
    assert "中断" in (await town.late.get(CITY, town.late_token(late.text))).text
    town.talk.answerer = answers("好")
    assert await town.process().handle(town.text(1)) == Answer("text", "好")


async def test_stopping_while_a_result_is_sent_leaves_it_behind_the_link(town):
    town.outbox.hangs = asyncio.Event()
    gate = town.talk.answerer = Gate("结果")
    process = town.process(grace=0.1)
    notice = await process.handle(town.text())
    gate.open.set()
    async with asyncio.timeout(3):
        await town.outbox.hangs.wait()

    await process.aclose()

    assert (await town.late.get(CITY, town.late_token(notice.text))).text == "结果"


async def test_the_notice_is_in_time_though_redis_hangs(town, redis):
    gate = town.talk.answerer = Gate("结果")
    running = asyncio.create_task(town.process().handle(town.text()))
    await gate.entered.wait()
    await redis.client_pause(1200)

    async with asyncio.timeout(1.1):  # the test's patience 0.25 s and the last moment's 0.4 s
        notice = await running
    gate.open.set()
    await town.settle()

    assert "正在为您查询" in notice.text
    assert town.outbox.sent == [(PERSON, "结果")]


# --- failures -------------------------------------------------------------------------------


async def test_an_error_becomes_a_sentence_with_a_reference_that_is_in_the_log(town, caplog):
    town.talk.answerer = fails(RuntimeError("password=hunter2"))

    answer = await town.process().handle(town.text())

    (record,) = [r for r in caplog.records if r.message == "dispatcher.apologised"]
    assert record.reference in answer.text
    assert record.levelno == logging.ERROR
    assert HOTLINE in answer.text
    assert "hunter2" not in answer.text


async def test_the_session_of_a_failed_handler_stays_as_it_was(town):
    async def begins(message: Inbound, session: Session) -> Answer:
        session.begin("bus", {"line": "1"}, message.at)
        return Answer("text", "?")

    process = town.process()
    town.talk.answerer = begins
    await process.handle(town.text(1))
    before = await town.sessions.load(CITY, PERSON)
    town.talk.answerer = fails(RuntimeError("x"))
    await process.handle(town.text(2))

    assert before["dialog"] == "bus"
    assert await town.sessions.load(CITY, PERSON) == before


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (DepartmentTimeout("社保", "no answer", hotline="12333"), logging.WARNING),
        (BrokenContract("社保", "no field balance", hotline="12333"), logging.ERROR),
    ],
)
async def test_a_department_that_fails_says_so_with_its_hotline(town, caplog, error, level):
    town.talk.answerer = fails(error)

    answer = await town.process().handle(town.text())

    assert "社保系统暂时无法查询" in answer.text
    assert "12333" in answer.text
    assert "balance" not in answer.text
    (record,) = [r for r in caplog.records if r.message.startswith("department.")]
    assert record.levelno == level
    assert record.reference in answer.text


async def test_an_impossible_step_is_said_as_it_is(town):
    town.talk.answerer = fails(StateError("已经绑定过了。"))

    assert (await town.process().handle(town.text())).text == "已经绑定过了。"


async def test_without_redis_the_citizen_gets_an_apology_at_once(town, settings, clock, tmp_path):
    gone = Redis(unix_socket_path=str(tmp_path / "none.sock"))
    dispatcher = make_dispatcher(gone, settings, clock, town.talk, town.outbox)

    async with asyncio.timeout(4):
        answer = await dispatcher.handle(town.text())

    assert HOTLINE in answer.text
    assert town.talk.heard == []
    await gone.aclose()


async def test_without_redis_an_event_is_sent_again_by_wechat(town, settings, clock, tmp_path):
    gone = Redis(unix_socket_path=str(tmp_path / "none.sock"))
    dispatcher = make_dispatcher(gone, settings, clock, town.talk, town.outbox)

    with pytest.raises(NotProcessed):
        await dispatcher.handle(town.made(Unfollow))
    await gone.aclose()


async def test_without_redis_an_event_that_leaves_no_trace_passes_by(
    town, settings, clock, tmp_path
):
    gone = Redis(unix_socket_path=str(tmp_path / "none.sock"))
    dispatcher = make_dispatcher(gone, settings, clock, town.talk, town.outbox)

    view = town.made(MenuView, target="https://example.org/", menu_id="", is_mini_program=False)

    assert await dispatcher.handle(view) == Answer.nothing()
    await gone.aclose()


# --- events that nobody waits for -----------------------------------------------------------


async def test_receipts_are_processed_before_the_answer_and_touch_no_redis(town, redis):
    process = town.process()
    sent = town.made(ConsentEvent, kind="sent", items=(ConsentItem("A", "success"),))

    for message in (town.made(TemplateReceipt, message_id="7", status="success"), sent):
        assert await process.handle(message) == Answer.nothing()

    assert len(town.talk.heard) == 2
    assert await redis.keys() == []


async def test_a_receipt_that_cannot_be_recorded_is_sent_again(town):
    town.talk.answerer = fails(RuntimeError("mongo is away"))

    with pytest.raises(NotProcessed):
        await town.process().handle(town.made(TemplateReceipt, message_id="7", status="success"))


async def test_an_event_that_failed_runs_again_at_its_next_delivery(town):
    process = town.process()
    event = town.made(AuthorizationChange, kind="revoked", revoked="205")
    town.talk.answerer = fails(RuntimeError("mongo is away"))
    with pytest.raises(NotProcessed):
        await process.handle(event)
    town.talk.answerer = answers("")

    await process.handle(event)
    await process.handle(event)

    assert len(town.talk.heard) == 2  # the failure and the success, not the repeat


async def test_leaving_erases_the_session_and_waits_for_no_turn(town):
    gate = Gate()

    async def answerer(message: Inbound, session: Session) -> Answer:
        if isinstance(message, Unfollow):
            return Answer.nothing()
        return await gate(message, session)

    town.talk.answerer = answerer
    process = town.process(patience=3)
    busy = asyncio.create_task(process.handle(town.text()))
    await gate.entered.wait()

    assert await process.handle(town.made(Unfollow)) == Answer.nothing()

    gate.open.set()
    await busy
    assert await town.sessions.load(CITY, PERSON) == {}


# --- long texts -----------------------------------------------------------------------------


async def test_a_text_too_long_for_one_message_ends_with_a_link_to_all_of_it(town):
    whole = "\n".join(f"{n}. 停水通知：福田区园岭街道" for n in range(100))
    town.talk.answerer = answers(whole)

    answer = await town.process().handle(town.text())

    assert size(answer.text) <= MAX_BYTES
    assert answer.text.startswith("0. 停水通知")
    assert f"{town.settings.server.public_url}/h5/city/late/" in answer.text
    assert (await town.late.get(CITY, town.late_token(answer.text))).text == whole


async def test_a_long_late_text_is_cut_with_the_same_link(town):
    gate = town.talk.answerer = Gate("停水通知\n" * 300)
    notice = await town.process().handle(town.text())
    gate.open.set()
    await town.settle()

    ((_, text),) = town.outbox.sent
    assert size(text) <= MAX_BYTES
    assert town.late_token(text) == town.late_token(notice.text)


def test_a_reference_can_be_read_out_on_the_phone():
    reference = new_reference()

    assert len(reference) == 8
    assert set(reference) <= set(ALPHABET)
    assert not set("01OIL") & set(ALPHABET)
