"""The channels that send to one person at a time: template, subscription notice, customer service.

Only template messages may be repeated. For the other two the platform keeps no key, so an answer
that does not come, and the answer -1 that may mean anything, leave the person as unknown.
"""

import asyncio
import logging
from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import timedelta

from domain.channel import ChannelName
from domain.clock import Clock
from domain.delivery import SendFailed
from domain.ids import AccountId, OpenId
from domain.ledger import SAFE_TO_REPEAT, Batch, Delivery
from push.channels.base import Admitted
from push.jobs import Job
from push.ports import Gateway
from push.sender import DAY_QUOTA, MayGoOn, NotThisWay, Result, Sender
from storage.mongo.attempts import MongoAttempts
from storage.mongo.consents import MongoConsents
from storage.redis.scripts import StoreAway
from storage.redis.windows import Taken, Windows

log = logging.getLogger(__name__)

CONSENT_MISSING = 43101
SYSTEM_ERROR = -1
# refusals that are about the channel and the person, not about the person alone: the next channel
# may still carry the message (`wechat-platform.md` 5.2)
OF_TEMPLATES = frozenset({CONSENT_MISSING})
OF_NOTICES = frozenset({CONSENT_MISSING, DAY_QUOTA})
OF_CUSTOM = frozenset({45015, 45047, 48002, 70000, DAY_QUOTA})


class TemplateChannel:
    """Template messages (模板消息): the platform itself says who may get them."""

    name: ChannelName = "template"
    guard: timedelta | None = SAFE_TO_REPEAT
    receipt = "TEMPLATESENDJOBFINISH"

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def admit(self, job: Job, batch: Batch, people: Sequence[OpenId]) -> Admitted:
        return Admitted(people=list(people))

    async def send(self, job: Job, batch: Batch, openid: OpenId, may_go_on: MayGoOn) -> Result:
        return await self._sender.send(
            batch.account,
            batch.broadcast,
            openid,
            job.content,
            may_go_on=may_go_on,
            rank=job.broadcast.rank,
            own=OF_TEMPLATES,
        )

    async def settle(
        self,
        job: Job,
        batch: Batch,
        *,
        spent: Collection[OpenId],
        unspent: Collection[OpenId],
        turned_away: Mapping[OpenId, NotThisWay],
    ) -> None:
        """Nothing was reserved."""


class _Once:
    """Sends that are made once, whatever comes of them."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock

    async def send(
        self,
        call: Awaitable[None],
        account: AccountId,
        openid: OpenId,
        channel: ChannelName,
        own: Collection[int],
    ) -> Result:
        try:
            await call
        except SendFailed as error:
            if error.failure == "unknown" or error.errcode == SYSTEM_ERROR:
                return self._delivery(openid, channel, f"no answer: {error}", known=False)
            if error.errcode in own:
                return NotThisWay(error.errcode, str(error))
            return await self._sender.conclude(account, openid, error, channel=channel)
        except StoreAway as error:  # the access_token lies in Redis: nothing has left
            return self._sender.not_sent(error)
        return self._delivery(openid, channel)

    def _delivery(
        self, openid: OpenId, channel: ChannelName, reason: str = "", *, known: bool = True
    ) -> Delivery:
        return Delivery(
            openid=openid,
            state="sent" if known else "unknown",
            at=self._clock.now(),
            reason=reason,
            channel=channel,
        )


class SubscriptionChannel:
    """Subscription notices (订阅通知): a consent each, reserved before the send."""

    name: ChannelName = "subscription"
    guard: timedelta | None = None
    receipt = "subscribe_msg_sent_event"

    def __init__(
        self,
        gateways: Mapping[AccountId, Gateway],
        consents: MongoConsents,
        attempts: MongoAttempts,
        sender: Sender,
        clock: Clock,
    ) -> None:
        self._gateways = gateways
        self._consents = consents
        self._attempts = attempts
        self._clock = clock
        self._once = _Once(sender, clock)

    async def admit(self, job: Job, batch: Batch, people: Sequence[OpenId]) -> Admitted:
        notice = job.content.notice
        if notice is None:
            return Admitted(refused=dict.fromkeys(people, "no template for this channel"))
        agreed = await self._consents.reserve(
            batch.account, notice.template_id, notice.kind, batch.broadcast, people
        )
        wanted = [openid for openid in people if openid in agreed]
        begun = await self._attempts.begin(
            batch.account,
            batch.broadcast,
            batch.id,
            self.name,
            wanted,
            self._clock.now(),
            template_id=notice.template_id,
        )
        return Admitted(
            people=[openid for openid in wanted if openid in begun],
            refused={openid: "no consent left" for openid in people if openid not in agreed},
        )

    async def send(self, job: Job, batch: Batch, openid: OpenId, may_go_on: MayGoOn) -> Result:
        notice = job.content.notice
        if notice is None:
            raise LookupError(f"broadcast {batch.broadcast} has no subscription notice")
        call = self._gateways[batch.account].send_subscription(
            openid=openid,
            template_id=notice.template_id,
            data=notice.fields,
            url=job.content.url,
        )
        return await self._once.send(call, batch.account, openid, self.name, OF_NOTICES)

    async def settle(
        self,
        job: Job,
        batch: Batch,
        *,
        spent: Collection[OpenId],
        unspent: Collection[OpenId],
        turned_away: Mapping[OpenId, NotThisWay],
    ) -> None:
        notice = job.content.notice
        if notice is None:
            return
        account, template_id, broadcast = batch.account, notice.template_id, batch.broadcast
        denied = [openid for openid, away in turned_away.items() if away.errcode == CONSENT_MISSING]
        if denied:
            await self._consents.denied(account, template_id, denied, self._clock.now())
        if spent and notice.kind == "one_time":
            await self._consents.use(account, template_id, broadcast, spent)
        if unspent:
            if notice.kind == "one_time":
                await self._consents.give_back(account, template_id, broadcast, unspent)
            await self._attempts.undo(broadcast, unspent)


class CustomChannel:
    """Customer-service messages (客服消息): within the allowance of the person's last action."""

    name: ChannelName = "custom"
    guard: timedelta | None = None
    receipt = ""

    def __init__(
        self,
        gateways: Mapping[AccountId, Gateway],
        windows: Windows,
        attempts: MongoAttempts,
        sender: Sender,
        clock: Clock,
    ) -> None:
        self._gateways = gateways
        self._windows = windows
        self._attempts = attempts
        self._clock = clock
        self._once = _Once(sender, clock)
        self._taken: dict[str, Taken] = {}  # of those being sent to by this process

    async def admit(self, job: Job, batch: Batch, people: Sequence[OpenId]) -> Admitted:
        now = self._clock.now()
        taken = await asyncio.gather(
            *(self._windows.reserve(batch.account, openid, now) for openid in people)
        )
        open_for = {o: one for o, one in zip(people, taken, strict=True) if one is not None}
        begun = await self._attempts.begin(
            batch.account, batch.broadcast, batch.id, self.name, list(open_for), now
        )
        for openid, one in open_for.items():
            if openid in begun:
                self._taken[_key(batch, openid)] = one
            else:  # it was begun before
                await self._give_back(batch.account, openid, one)
        return Admitted(
            people=[openid for openid in people if openid in begun],
            refused={
                openid: "no open customer-service window"
                for openid in people
                if openid not in open_for
            },
        )

    async def send(self, job: Job, batch: Batch, openid: OpenId, may_go_on: MayGoOn) -> Result:
        call = self._gateways[batch.account].send_text(openid, job.content.text)
        return await self._once.send(call, batch.account, openid, self.name, OF_CUSTOM)

    async def settle(
        self,
        job: Job,
        batch: Batch,
        *,
        spent: Collection[OpenId],
        unspent: Collection[OpenId],
        turned_away: Mapping[OpenId, NotThisWay],
    ) -> None:
        for openid in spent:
            self._taken.pop(_key(batch, openid), None)
        for openid in unspent:
            taken = self._taken.pop(_key(batch, openid), None)
            if taken is not None and openid not in turned_away:
                await self._give_back(batch.account, openid, taken)
        await self._attempts.undo(batch.broadcast, unspent)

    async def _give_back(self, account: AccountId, openid: OpenId, taken: Taken) -> None:
        """Give a message back; without Redis it is one that we do not send, and nothing worse."""
        try:
            await self._windows.give_back(account, openid, taken)
        except StoreAway as error:
            log.warning("window.away", extra={"account": account, "reason": str(error)})


def _key(batch: Batch, openid: OpenId) -> str:
    return f"{batch.broadcast}:{openid}"
