"""One message to one person: what the platform answers, and what follows from it.

The classes of `wechat-platform.md` 5 stand side by side in `conclude`, so that a reader can see
that none is missing.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.broadcast import Rank
from domain.channel import ChannelName
from domain.clock import Clock
from domain.delivery import SendFailed
from domain.errors import TemporaryDeliveryError
from domain.ids import AccountId, BroadcastId, OpenId
from domain.ledger import Content, Delivery, client_msg_id
from domain.schedule import next_midnight
from push.counters import sending, waiting
from push.ports import Gateway, Reachability
from storage.redis.limiter import Limiter, Storm
from storage.redis.scripts import StoreAway

log = logging.getLogger(__name__)

MINUTE_QUOTA = 45011
DAY_QUOTA = 45009
TOKEN_REJECTED = frozenset({40001, 40014, 42001})  # and the next one as well
ONE_PERSON = frozenset({43117})  # the only refusal to be tried later that is not the account's
# configuration errors of a template, a text or a channel; all others are the whole account's
OF_ONE_MESSAGE = frozenset({40036, 40037, 40249, 43106, 43107, 43116, 45026, 45027, 45087, 48008})
NEXT_MINUTE = timedelta(seconds=60)
REDIS_BACK = timedelta(seconds=1)
STORMS: Mapping[int, Storm] = {
    -1: Storm(number=5, within=timedelta(seconds=10)),  # a burst overloads the platform
    43117: Storm(number=20, within=timedelta(seconds=60)),  # too many messages to many people
}
MOST_PUT_OFF = 5  # times a person is put off for another reason than throttling


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not sent, for certain: try again later. `counts` when it was not mere throttling."""

    until: datetime
    reason: str
    counts: bool


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """It may have been sent: only the same client_msg_id may be used again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """Not sent, and nobody else's would be: a person must act."""

    errcode: int
    reason: str


@dataclass(frozen=True, slots=True)
class TokenRejected:
    """Not sent: the token was rejected, and so was the next one. Many of these need a person."""

    errcode: int
    reason: str


@dataclass(frozen=True, slots=True)
class WrongMessage:
    """Refused because of what is in it; when it is everybody's, the template is wrong."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class NotThisWay:
    """Not sent, for certain, by a rule of the channel: another one may carry the message."""

    errcode: int
    reason: str


Result = Delivery | WrongMessage | PutOff | NoAnswer | Misconfigured | TokenRejected | NotThisWay
MayGoOn = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Waits between tries, in seconds; each gets up to as much again at random."""

    retry: tuple[float, ...] = (0.2, 0.6, 1.5)
    no_answer: tuple[float, ...] = (0.5, 2.0)

    def by_failure(self) -> dict[str, list[float]]:
        """Return the waits by class of failure, to be used up."""
        return {"retry_now": list(self.retry), "unknown": list(self.no_answer)}


class Sender:
    """Sends through one gateway per account."""

    def __init__(
        self,
        gateways: Mapping[AccountId, Gateway],
        limiter: Limiter,
        people: Reachability,
        clock: Clock,
        *,
        pauses: Pauses | None = None,
    ) -> None:
        self._gateways = gateways
        self._limiter = limiter
        self._people = people
        self._clock = clock
        self._pauses = pauses or Pauses()
        self._held_until: dict[AccountId, datetime] = {}

    async def send(
        self,
        account: AccountId,
        broadcast: BroadcastId,
        openid: OpenId,
        content: Content,
        *,
        may_go_on: MayGoOn,
        at_risk: bool = False,
        rank: Rank = "bulk",
        own: Collection[int] = (),
    ) -> Result:
        """Send, with short repetitions; `may_go_on` is asked again before each of them.

        The first try's permission and pace have been obtained by the caller. `at_risk` means
        that an earlier try may have been carried out: then nothing but an answer ends that.
        `own` are refusals after which, as long as nothing is at risk, another channel may carry
        the message.
        """
        gateway = self._gateways[account]
        key = client_msg_id(broadcast, openid)
        tries: dict[str, list[float]] | None = None
        while True:
            try:
                with sending(account):
                    msgid = await gateway.send_template(
                        openid=openid,
                        template_id=content.template_id,
                        data=content.fields,
                        url=content.url,
                        client_msg_id=key,
                    )
            except SendFailed as error:
                await self._heed(account, error)
                at_risk = at_risk or error.failure == "unknown"
                if tries is None:
                    tries = self._pauses.by_failure()
                pauses = tries.get(error.failure, [])
                if pauses and await self._again(account, rank, pauses.pop(0), may_go_on):
                    continue
                if error.errcode in own and not at_risk:
                    return NotThisWay(error.errcode, str(error))
                result = await self.conclude(account, openid, error)
                if at_risk and isinstance(result, PutOff | Misconfigured | TokenRejected):
                    return NoAnswer(str(error))
                return result
            except StoreAway as error:  # the access_token lies in Redis: nothing has left
                again = self.not_sent(error)
                return NoAnswer(again.reason) if at_risk else again
            return Delivery(
                openid=openid,
                state="sent",
                at=self._clock.now(),
                msgid=msgid,
                channel="template",
            )

    def not_sent(self, error: StoreAway) -> PutOff:
        """Return what follows when Redis is away: everybody waits, and nothing was sent."""
        return PutOff(self._clock.now() + REDIS_BACK, str(error), counts=False)

    async def _hold(self, account: AccountId, pause: timedelta) -> None:
        """Stop the account; without Redis nothing is sent anyway, and its answer comes again."""
        try:
            await self._limiter.hold(account, pause)
        except StoreAway as error:
            log.warning("limiter.away", extra={"reason": f"{error}; nothing is sent without it"})

    def _tell_held(self, account: AccountId, until: datetime, reason: str) -> None:
        """Call a person, once for all that were under way when the platform began to refuse."""
        told = self._held_until.get(account)
        if told is None or until > told + NEXT_MINUTE:
            self._held_until[account] = until
            extra = {"account": account, "reason": reason, "until": until}
            log.error("account.held", extra=extra)

    async def _slow_down(self, account: AccountId, pause: timedelta) -> None:
        try:
            if await self._limiter.slow_down(account, pause):
                log.warning("pace.cut", extra={"account": account, "errcode": MINUTE_QUOTA})
        except StoreAway as error:
            log.warning("limiter.away", extra={"reason": f"{error}; nothing is sent without it"})

    async def _heed(self, account: AccountId, error: SendFailed) -> None:
        """Slow down when many answers together say that we are too fast."""
        storm = STORMS.get(error.errcode)
        if storm is None:
            return
        try:
            slowed = await self._limiter.note_trouble(account, str(error.errcode), storm)
        except StoreAway:
            return  # then nothing more is sent anyway
        if slowed:
            log.warning("pace.cut", extra={"account": account, "errcode": error.errcode})

    async def _again(
        self, account: AccountId, rank: Rank, pause: float, may_go_on: MayGoOn
    ) -> bool:
        # jitter spreads repetitions; it need not be unguessable
        await asyncio.sleep(pause * (1 + random.random()))  # noqa: S311
        if not await may_go_on():
            return False
        try:
            with waiting(account):
                await self._limiter.acquire(account, 1, rank=rank)
        except (TemporaryDeliveryError, StoreAway):
            return False
        return await may_go_on()

    async def conclude(
        self,
        account: AccountId,
        openid: OpenId,
        error: SendFailed,
        *,
        channel: ChannelName = "template",
    ) -> Result:
        """Return what follows from a failure that is not repeated at once."""
        now = self._clock.now()
        reason = str(error)
        match error.failure:
            case "unknown":
                return NoAnswer(reason)
            case "retry_now":
                return PutOff(now + NEXT_MINUTE, reason, counts=True)
            case "retry_later" | "refresh_token":
                return await self._later(account, error, channel)
            case "config":
                return Misconfigured(error.errcode, reason)
            case "unreachable":
                await self._people.mark_unreachable(account, openid, reason)
            case "drop" | "config_message":
                pass
        failed = Delivery(
            openid=openid,
            state="failed",
            at=now,
            errcode=error.errcode,
            reason=reason,
            channel=channel,
        )
        return WrongMessage(failed) if error.failure == "config_message" else failed

    async def _later(
        self, account: AccountId, error: SendFailed, channel: ChannelName
    ) -> PutOff | TokenRejected:
        """Return when to try again what was not sent, and stop the account if it is the account's.

        What the platform refuses the account for a time it refuses for everybody: to ask for
        each of them as well would burn calls and prolong it, and nobody may be given up for it.
        """
        now, reason = self._clock.now(), str(error)
        if error.errcode in TOKEN_REJECTED:
            return TokenRejected(error.errcode, reason)
        until = now + (error.retry_after or NEXT_MINUTE)
        if error.errcode == DAY_QUOTA:
            until = next_midnight(now)
            await self._hold(account, until - now)
        elif error.errcode == MINUTE_QUOTA:
            await self._slow_down(account, until - now)
        elif error.errcode in ONE_PERSON or channel != "template":
            return PutOff(until, reason, counts=True)
        else:
            await self._hold(account, until - now)
            self._tell_held(account, until, reason)
        return PutOff(until, reason, counts=False)
