"""The whole stand-in for WeChat: accounts, people, clock, faults and what was ever sent."""

import asyncio
import itertools
import logging
import random
from collections import OrderedDict
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, Self

from config.settings import AccountSettings
from domain.clock import Clock
from domain.masking import mask_openid
from sandbox.accounts import Account
from sandbox.chat import Entry, Exchange, Line, Side
from sandbox.clock import WorldClock
from sandbox.courier import Courier, Parcel
from sandbox.faults import Faults
from sandbox.feed import Feed
from sandbox.followers import Follower, FollowerState, synthetic_openids
from sandbox.receipts import Receipts, Sent
from sandbox.template_messages import FIRST_MSGID
from sandbox.tokens import Token
from sandbox.xml import write

log = logging.getLogger(__name__)

DEMO_CITIZENS: Mapping[str, str] = {  # openid → name of the phones on the page
    "oDemoChenAAAAAAAAAAAAAAAAAAA": "陈女士",
    "oDemoLiBBBBBBBBBBBBBBBBBBBBB": "李先生",
    "oDemoWangCCCCCCCCCCCCCCCCCCC": "王阿姨",
}
FIRST_MESSAGE_ID = 24345678901234567
KEPT_RIDS = 10_000


class World:
    """Everything the platform knows. Made once per sandbox; `aclose` ends its background work."""

    def __init__(
        self,
        *,
        menu: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        self.menu = menu  # shown by the phones of accounts that have not published one
        self.accounts: dict[str, Account] = {}
        self.tokens: dict[str, Token] = {}
        self.clock = WorldClock(clock)
        self.chance = random.Random(seed)
        self.faults = Faults(self.chance)
        self.feed = Feed()
        self.rids: OrderedDict[str, dict[str, Any]] = OrderedDict()  # the latest errors, by trace
        self._citizens: dict[str, dict[str, Follower]] = {}
        self._seq = itertools.count(1)
        self._message_ids = itertools.count(FIRST_MESSAGE_ID)
        self._msgids = itertools.count(FIRST_MSGID)
        self._tasks: set[asyncio.Task[None]] = set()
        self.courier = Courier(self.clock, self.next_seq)
        self.receipts = Receipts(self.push_receipt, self.spawn, self.chance)

    @classmethod
    def from_settings(
        cls,
        accounts: Sequence[AccountSettings],
        *,
        callback_base: str,
        menu: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> Self:
        """Make the platform's side of the accounts in our settings, with three citizens each."""
        world = cls(menu=menu, clock=clock, seed=seed)
        for settings in accounts:
            world.accounts[settings.id] = Account.from_settings(
                settings, callback_base=callback_base, tokens=world.tokens
            )
            for openid, name in DEMO_CITIZENS.items():
                world.add_citizen(settings.id, openid, name)
        return world

    # --- people ---------------------------------------------------------------------------

    def add_citizen(
        self, account_id: str, openid: str, name: str, *, state: FollowerState = "stranger"
    ) -> Follower:
        """Give a citizen a phone on the page."""
        person = Follower(openid, state=state, since=self.clock.timestamp())
        person = self.accounts[account_id].followers.add(person)
        person.name = name
        self._citizens.setdefault(account_id, {})[openid] = person
        return person

    def citizens(self, account_id: str) -> list[Follower]:
        """Return those who have a phone on the page, in the order in which they came."""
        return list(self._citizens.get(account_id, {}).values())

    def add_followers(self, account_id: str, prefix: str, count: int, *, first: int = 0) -> int:
        """Add many silent followers; no events are pushed."""
        openids = synthetic_openids(prefix, first, count)
        return self.add_openids(account_id, openids)

    def add_openids(self, account_id: str, openids: Iterable[str]) -> int:
        """Add silent followers with these ids."""
        return self.accounts[account_id].followers.add_many(openids, self.clock.timestamp())

    def person(self, account: Account, openid: str) -> Follower:
        """Return a person; somebody unknown is one who followed before this world began."""
        person = account.followers.get(openid)
        if person is None:
            person = account.followers.add(Follower(openid, since=self.clock.timestamp()))
        return person

    def set_state(self, account: Account, person: Follower, state: FollowerState) -> None:
        """Change a person's standing and tell the page."""
        account.followers.set_state(person, state)
        self.feed.publish(account.id, person.openid, "state", lambda: {"state": state})

    # --- chats ----------------------------------------------------------------------------

    def next_seq(self) -> int:
        return next(self._seq)

    def next_message_id(self) -> int:
        return next(self._message_ids)

    def next_msgid(self) -> int:
        return next(self._msgids)

    def say(
        self, account: Account, person: Follower, side: Side, kind: str, **content: Any
    ) -> None:
        """Add a line to a person's chat."""
        self.show(
            account, person, Line(self.next_seq(), self.clock.timestamp(), side, kind, content)
        )

    def show(self, account: Account, person: Follower, entry: Entry) -> None:
        """Put a line on a person's phone, at once."""
        person.remember(entry)
        self.feed.publish(account.id, person.openid, "line", entry.as_json)

    # --- pushes ---------------------------------------------------------------------------

    async def push(self, account: Account, person: Follower, parcel: Parcel) -> Exchange:
        """Deliver a parcel and show what comes back."""
        exchange = await self.courier.deliver(account, parcel)
        if person.name:
            person.keep(exchange)
            self.feed.publish(account.id, person.openid, "exchange", exchange.as_json)
        result = dict(exchange.result)
        kind = result.pop("kind")
        if not parcel.shows_reply or kind == "none":
            return exchange
        side: Side = "system" if kind in ("notice", "transfer_customer_service") else "account"
        self.say(account, person, side, kind, **result)
        if kind == "notice":
            log.warning(
                "sandbox.failure_notice",
                extra={
                    "account": account.id,
                    "openid": mask_openid(person.openid),
                    "event": parcel.event,
                    "reason": result["reason"],
                },
            )
        return exchange

    async def push_receipt(self, account_id: str, record: Sent, status: str) -> None:
        """Push the result of one send."""
        account = self.accounts[account_id]
        event, members = record.event(status)
        message = write(
            {
                "ToUserName": account.gh_id,
                "FromUserName": record.openid,
                "CreateTime": self.clock.timestamp(),
                "MsgType": "event",
                "Event": event,
                **members,
            }
        )
        parcel = Parcel(
            openid=record.openid, event=event, message=message, is_event=True, shows_reply=False
        )
        record.status = status
        record.receipts += 1
        await self.push(account, self.sender(account, record.openid), parcel)

    def sender(self, account: Account, openid: str) -> Follower:
        """Return whom a push is from: a person, or the platform itself."""
        if openid == account.gh_id:
            return Follower(openid)
        return self.person(account, openid)

    # --- background work ------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work that nobody waits for; it ends with the world."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("sandbox.task_failed", exc_info=error)

    async def aclose(self) -> None:
        """Stop listening and pushing."""
        self.feed.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.courier.close()

    def keep_rid(self, rid: str, request: Mapping[str, Any]) -> None:
        """Remember what an error answer was about, for `openapi/rid/get`."""
        self.rids[rid] = dict(request)
        if len(self.rids) > KEPT_RIDS:
            self.rids.popitem(last=False)
