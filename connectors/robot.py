"""A group's robot (企业微信群机器人): one address that takes messages for the people on call.

The robot's contract, as the platform documents it: POST of JSON, `markdown` of at most 4096 bytes
of UTF-8, twenty messages a minute; the answer is 200 with an `errcode`, 0 when it was taken. The
address is the key: it is in no log, no error and no `repr`.
"""

import asyncio
import json
from datetime import timedelta

import aiohttp

from domain.errors import ServiceError

SECONDS = 5.0
MOST_BYTES = 4096
MOST_ANSWER = 64 * 1024
PER_MINUTE = 20
TOO_OFTEN = 45009
A_MINUTE = timedelta(minutes=1)


class NotTold(ServiceError):
    """The robot did not take a message. `wait`: how long it wants to be left alone."""

    code = "robot_unavailable"
    status = 503

    def __init__(self, reason: str, *, wait: timedelta | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Robot:
    """Speaks to one group. Saying the same twice shows it twice."""

    __slots__ = ("_http", "_url")

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    def __repr__(self) -> str:
        return "Robot(…)"

    async def say(self, text: str) -> None:
        """Show a text in markdown to the group, or raise `NotTold`."""
        content = {"msgtype": "markdown", "markdown": {"content": fitted(text)}}
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._http.post(self._url, json=content, allow_redirects=False) as answer,
            ):
                status, body = answer.status, await answer.content.read(MOST_ANSWER)
        except TimeoutError:
            raise NotTold(f"no answer in {SECONDS:g} s") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise NotTold(type(error).__name__) from None  # its own text may name the address
        if status != 200:
            raise NotTold(f"status {status}", wait=A_MINUTE if status == 429 else None)
        code = _errcode(body)
        if code != 0:
            raise NotTold(f"errcode {code}", wait=A_MINUTE if code == TOO_OFTEN else None)


def fitted(text: str) -> str:
    """Cut a text so that it has at most as many bytes as the robot takes."""
    content = text.encode("utf-8", "replace")
    if len(content) <= MOST_BYTES:
        return content.decode()
    return content[: MOST_BYTES - len("…".encode())].decode("utf-8", "ignore") + "…"


def _errcode(body: bytes) -> int | str:
    try:
        code = json.loads(body)["errcode"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "missing"
    return code if isinstance(code, int) else "missing"
