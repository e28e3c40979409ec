"""A citizen in a conversation: the real one, with every real handler and template.

Only the departments and the clock are fakes; subscriptions and bindings live in MongoDB.
"""

import itertools
import json

from bot.conversation import Conversation
from bot.services import Services
from bot.session import Session
from domain.conversation import Answer, Follow, Inbound, MenuClick, Scan, TextMessage, Unfollow
from domain.ids import AccountId, OpenId
from tests.support.clock import FakeClock

TEXT_LIMIT = 2048  # bytes WeChat takes in one passive text


class Citizen:
    """Somebody who writes and taps; every answer is what they would read."""

    def __init__(
        self,
        conversation: Conversation,
        services: Services,
        clock: FakeClock,
        *,
        openid: str = "oCitizen0000000000000000001",
    ) -> None:
        self.account = AccountId("city")
        self.openid = OpenId(openid)
        self.use = services
        self.clock = clock
        self.answers: list[str] = []
        self.session = Session()
        self._conversation = conversation
        self._numbers = itertools.count(1)

    async def says(self, text: str) -> str:
        """Write something and return the answer's text."""
        return (await self.sends(TextMessage(text=text, **self._envelope()))).text

    async def taps(self, key: str) -> str:
        """Tap a menu button."""
        return (await self.sends(MenuClick(key=key, **self._envelope()))).text

    async def scans(self, scene: str) -> str:
        """Scan a code as a follower."""
        return (await self.sends(Scan(scene=scene, **self._envelope()))).text

    async def follows(self, scene: str | None = None) -> str:
        """Follow the account, by a code if there is a scene."""
        return (await self.sends(Follow(scene=scene, **self._envelope()))).text

    async def unfollows(self) -> None:
        await self.sends(Unfollow(**self._envelope()))

    async def sends(self, message: Inbound) -> Answer:
        """Send any message; the session is kept between messages as the store keeps it."""
        answer = await self._conversation.answer(message, self.session)
        self.session = Session.from_json(json.loads(json.dumps(self.session.to_json())))
        size = len(answer.text.encode())
        assert size <= TEXT_LIMIT, f"{size} bytes are longer than one message:\n{answer.text}"
        self.answers.append(answer.text)
        return answer

    async def binds_real_name(
        self, name: str = "张伟", id_number: str = "990101199001010019"
    ) -> None:
        """Have a real name bound already."""
        await self.use.bindings.bind_real_name(self.account, self.openid, name, id_number, "test")

    async def binds_vehicle(
        self, plate: str = "粤B12345", plate_type: str | None = None, digits: str = "1234"
    ) -> None:
        """Have a vehicle bound already."""
        await self.use.bindings.bind_vehicle(self.account, self.openid, plate, plate_type, digits)

    async def binds_place(
        self, label: str = "home", region: str = "440304", street: str = "园岭街道"
    ) -> None:
        """Have a place bound already."""
        await self.use.bindings.bind_place(self.account, self.openid, label, region, street)

    def _envelope(self) -> dict[str, object]:
        return {
            "account": self.account,
            "openid": self.openid,
            "at": self.clock.now(),
            "dedupe_key": f"test:{next(self._numbers)}",
        }
