"""A bare Tornado server on uvloop: what any answer costs before anything is done for it."""

import asyncio
import sys

import uvloop
from tornado.web import Application, RequestHandler


class Hello(RequestHandler):
    """Answers the same word to everything."""

    def post(self) -> None:
        self.write(b"hello")


async def main(port: int) -> None:
    Application([(r"/.*", Hello)], log_function=lambda _handler: None).listen(
        port, address="127.0.0.1"
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
