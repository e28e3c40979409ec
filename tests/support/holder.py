"""A process that takes one message and never finishes it, to be killed.

`python -m tests.support.holder SOCKET DATA_DIR MSGID` prints `running` once its handler runs.
"""

import asyncio
import sys
from pathlib import Path

from redis.asyncio import Redis

from bot.session import Session
from domain.clock import SystemClock
from domain.conversation import Answer, Inbound, TextMessage
from domain.ids import AccountId, OpenId
from tests.support.clock import START
from tests.support.settings import make_settings
from tests.support.web import Outbox, Talk, make_dispatcher


async def hold(message: Inbound, session: Session) -> Answer:
    """Take for ever."""
    sys.stdout.write("running\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
    return Answer.nothing()


async def main(socket: str, data_dir: str, number: str) -> None:
    redis = Redis(unix_socket_path=socket)
    settings = make_settings(Path(data_dir))
    dispatcher = make_dispatcher(redis, settings, SystemClock(), Talk(hold), Outbox())
    await dispatcher.handle(
        TextMessage(
            account=AccountId("city"),
            openid=OpenId("oA"),
            at=START,
            dedupe_key=number,
            text="hi",
        )
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
