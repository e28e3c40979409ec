"""Policies for enterprises (惠企政策): new ones, changed ones, and those taken back.

Each (id, revision) is heard once. A revision is told only when the title or the last day of
applications changed. After that day a policy is no news.
"""

from datetime import datetime, timedelta
from hashlib import sha256

from connectors.news_feed import NewsFeed
from domain.broadcast import Audience
from domain.city_news import Policy
from domain.clock import in_beijing
from domain.ids import AccountId, TopicId
from push.orders import BroadcastOrder
from push.triggers.bulletins import Bulletin, BulletinTrigger, Items, Phase
from push.triggers.wording import THING, fit

NAME = "enterprise_policy"
TOPIC = TopicId("policy.enterprise")
TEMPLATE = "reminder_notice"
FRESH = timedelta(days=30)  # a policy without a last day is news for so long
NEWS_OF_END = timedelta(days=2)
_OPENINGS = {"announced": "", "changed": "更新：", "ended": "撤回："}


def policy_trigger(feed: NewsFeed[Policy], items: Items) -> BulletinTrigger[Policy]:
    """Return the trigger of the platform's feed."""
    return BulletinTrigger(NAME, feed, items, _bulletin, every=timedelta(minutes=10))


def _bulletin(policy: Policy, now: datetime) -> Bulletin:
    is_over = policy.status == "withdrawn"
    stale_at = policy.apply_until or policy.published_at + FRESH
    if is_over:
        stale_at = now + NEWS_OF_END

    def order(account: AccountId, phase: Phase) -> BroadcastOrder:
        opening = _OPENINGS[phase]
        return BroadcastOrder(
            account=account,
            title=fit(opening + policy.title, 100),
            topic=TOPIC,
            audience=Audience(topics=(TOPIC,)),
            template=TEMPLATE,
            data={
                "matter": opening + fit(policy.title, THING - len(opening)),
                "due": _day(policy.apply_until or policy.published_at),
                "note": _note(policy, phase),
            },
            url=policy.url,
            expires_at=stale_at,
        )

    told = (policy.title, policy.apply_until)
    return Bulletin(
        id=policy.id,
        revision=policy.revision,
        is_over=is_over,
        print_=sha256(repr(told).encode()).hexdigest()[:32],
        stale_at=stale_at,
        order=order,
    )


def _note(policy: Policy, phase: Phase) -> str:
    """Say whose it is, and what the date means."""
    if phase == "ended":
        ending = "已撤回，不再受理"
    else:
        ending = "，截止前可申报" if policy.apply_until else "发布，长期有效"
    return fit(policy.issuer, THING - len(ending)) + ending


def _day(moment: datetime) -> str:
    local = in_beijing(moment)
    return f"{local.year}年{local.month}月{local.day}日"
