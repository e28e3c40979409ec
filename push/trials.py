"""Test sends (测试发送): a broadcast as one of its readers would see it, for a few known people.

Only people whom the account's settings name may get one (`test_openids`), at most five at once.
It goes out as a small broadcast of its own that says in its title that it is a test and points
to what it tries out: the same composing, the same road, the same counting of the day.
Each call sends again: trying twice is what tests are for.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from config.catalogue import Catalogue
from config.settings import AccountSettings
from domain.broadcast import Audience, Broadcast
from domain.clock import Clock
from domain.errors import NotFound
from domain.ids import AccountId, BroadcastId, OpenId, new_id
from domain.ledger import Content
from domain.mass import FEWEST
from domain.sentence import Sentence
from push.broadcasts import Accepted, order_of
from push.composing import Fault
from push.finding import find_for
from push.orders import OrderRefused, check_broadcast
from storage.mongo.broadcasts import MongoBroadcasts

log = logging.getLogger(__name__)

MOST = 5
MARK = "【测试】"
STALE = timedelta(minutes=10)  # a test that comes later than that confuses


class Trials:
    """Sends broadcasts to test people (runtime: `ctx.trials`)."""

    def __init__(
        self,
        store: MongoBroadcasts,
        accounts: Mapping[AccountId, AccountSettings],
        catalogue: Catalogue,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._catalogue = catalogue
        self._clock = clock

    async def send(
        self,
        broadcast_id: BroadcastId,
        account: AccountId,
        openids: Sequence[OpenId],
        *,
        author: str,
    ) -> Accepted:
        """Send a broadcast of the account to test people; the answer is the test's own id."""
        tried = await find_for(self._store, broadcast_id, account)
        if tried.kind != "broadcast":
            raise NotFound(Sentence("没有这个群发任务。"))
        self._check_people(account, openids, fewest=FEWEST if tried.channel == "mass" else 1)
        now = self._clock.now()
        test = Broadcast(
            id=BroadcastId(new_id("bc")),
            account=account,
            title=f"{MARK}{tried.title}",
            topic=tried.topic,
            audience=Audience(openids=tuple(dict.fromkeys(openids))),
            template=tried.template,
            data=tried.data,
            url=tried.url,
            channel=tried.channel,
            expires_at=now + STALE,
            ignore_quiet_hours=True,
            state="scheduled",
            due_at=now,
            test_of=tried.id,
            created_at=now,
            author=author,
        )
        content = await self._store.find_content(tried.id) or self._compose(tried)
        await self._store.add(test, content=content, reserved=len(test.audience.openids))
        log.info(
            "broadcast.tried",
            extra={"broadcast": tried.id, "test": test.id, "author": author},
        )
        return Accepted(id=test.id, state=test.state)

    def _check_people(self, account: AccountId, openids: Sequence[OpenId], *, fewest: int) -> None:
        """Refuse everybody whom the settings do not name; the answer repeats no openid."""
        settings = self._accounts.get(account)
        known = set(settings.test_openids) if settings is not None else set()
        faults = [
            Fault(
                field=f"openids.{number}",
                code="not_a_test_person",
                message=Sentence(
                    "第 {number} 个 openid 不是账号 {account} 的测试人员；"
                    "请系统管理员把它写入设置 accounts.test_openids",
                    number=number + 1,
                    account=account,
                ),
            )
            for number, openid in enumerate(openids)
            if openid not in known
        ]
        if not fewest <= len(set(openids)) <= MOST:
            message = Sentence("测试发送一次 {fewest} 到 {most} 人", fewest=fewest, most=MOST)
            faults.append(Fault(field="openids", code="wrong_number", message=message))
        if faults:
            raise OrderRefused(tuple(faults))

    def _compose(self, tried: Broadcast) -> Content:
        """Compose what is not approved yet; when it is to go out does not matter here."""
        order = replace(order_of(tried), at=None, cron=None, expires_at=None)
        account = self._accounts[tried.account]
        return check_broadcast(order, account, self._catalogue, self._clock.now())
