"""WeRoBot on Tornado and uvloop as its documentation sets it up: SQLite sessions, safe mode."""

import asyncio
import sys

import uvloop
from tornado.web import Application
from werobot import WeRoBot
from werobot.contrib.tornado import make_handler
from werobot.messages.messages import TextMessage

from bench.pushes import Account

ANSWER = "您好，请回复数字选择：1 停水停电 2 社保 3 医保 4 公积金"


def answer(_message: TextMessage) -> str:
    """Answer every text with the same one."""
    return ANSWER


account = Account()
robot = WeRoBot(token=account.token, encoding_aes_key=account.aes_key, app_id=account.app_id)
robot.add_handler(answer, type="text")


async def main(port: int) -> None:
    Application([(r"/", make_handler(robot))], log_function=lambda _handler: None).listen(
        port, address="127.0.0.1"
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
