"""Results (发送结果) of subscription notices and mass sends, as the platform tells them later.

A notice's answer carries no id; its result names the person and the template. It is joined to the
oldest notice of that kind which still waits for one, and from there on it is a receipt like any
other. A mass send's result holds counts only. Both may come twice, and before their send is
recorded; repeating them changes nothing.
"""

import logging

from domain.clock import Clock
from domain.conversation import ConsentEvent, ConsentItem, MassReceipt
from domain.ids import AccountId, OpenId
from domain.masking import mask_openid
from domain.mass import refusal
from push.receipts import SUCCESS, Receipts
from storage.mongo.attempts import MongoAttempts
from storage.mongo.broadcasts import MongoBroadcasts
from storage.mongo.consents import MongoConsents
from storage.mongo.mass_jobs import MassResult, MongoMassJobs

log = logging.getLogger(__name__)

CONSENT_MISSING = "43101"


class Results:
    """Joins results to what was sent (bot `Services.results`)."""

    def __init__(
        self,
        attempts: MongoAttempts,
        consents: MongoConsents,
        mass_jobs: MongoMassJobs,
        broadcasts: MongoBroadcasts,
        receipts: Receipts,
        clock: Clock,
    ) -> None:
        self._attempts = attempts
        self._consents = consents
        self._mass_jobs = mass_jobs
        self._broadcasts = broadcasts
        self._receipts = receipts
        self._clock = clock

    async def notices(self, message: ConsentEvent) -> None:
        """Record a subscribe_msg_sent_event."""
        for item in message.items:
            await self._notice(message.account, message.openid, item)

    async def _notice(self, account: AccountId, openid: OpenId, item: ConsentItem) -> None:
        now = self._clock.now()
        code = item.code.strip()
        if code == CONSENT_MISSING:
            await self._consents.denied(account, item.template_id, [openid], now)
        delivery = await self._attempts.bind(
            account, openid, item.template_id, item.message_id, now
        )
        if delivery is None:
            log.info("result.of_another", extra={"account": account, "openid": mask_openid(openid)})
            return
        succeeded = code in ("", "0") and item.status.strip().lower() in ("", SUCCESS)
        status = SUCCESS if succeeded else f"failed:{code} {item.status}"
        await self._receipts.record(account, item.message_id, status, delivery=delivery)

    async def mass(self, message: MassReceipt) -> None:
        """Record a MASSSENDJOBFINISH; a refused job gives its broadcast the reason."""
        result = MassResult(
            status=message.status,
            total=message.total,
            filtered=message.filtered,
            sent=message.sent,
            failed=message.failed,
        )
        broadcast = await self._mass_jobs.finish(
            message.account, message.message_id, result, self._clock.now()
        )
        reason = refusal(message.status)
        log.log(
            logging.ERROR if reason else logging.INFO,
            "mass.finished",
            extra={"account": message.account, "broadcast": broadcast, "status": message.status},
        )
        if broadcast is not None and reason is not None:
            await self._broadcasts.explain(broadcast, reason)
