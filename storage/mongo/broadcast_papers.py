"""Between documents and broadcasts (群发任务): what stands in `broadcasts`, field by field."""

from typing import Any

from domain.audience import plain, rule_from
from domain.broadcast import Audience, Broadcast
from domain.ids import AccountId, BroadcastId, OpenId, RegionCode, TopicId
from domain.ledger import Totals
from storage.mongo.schedule_papers import schedule_document, schedule_fields

Document = dict[str, Any]


def broadcast_document(broadcast: Broadcast) -> Document:
    """Return the document of a broadcast."""
    audience = broadcast.audience
    document: Document = {
        "_id": broadcast.id,
        "account": broadcast.account,
        "kind": broadcast.kind,
        "title": broadcast.title,
        "topic": broadcast.topic,
        "audience": {
            "topics": list(audience.topics),
            "regions": list(audience.regions),
            "tags": list(audience.tags),
            "openids": list(audience.openids),
            "all": audience.all,
            **({"rule": plain(audience.rule)} if audience.rule is not None else {}),
        },
        "template": broadcast.template,
        "data": dict(broadcast.data),
        "url": broadcast.url,
        "at": broadcast.at,
        "cron": broadcast.cron,
        "expires_at": broadcast.expires_at,
        "priority": broadcast.priority,
        "ignore_quiet_hours": broadcast.ignore_quiet_hours,
        "state": broadcast.state,
        "due_at": broadcast.due_at,
        "created_at": broadcast.created_at,
        "started_at": broadcast.started_at,
        "finished_at": broadcast.finished_at,
        "author": broadcast.author,
        "reason": broadcast.reason,
        **schedule_document(broadcast),
    }
    if broadcast.channel is not None:
        document["channel"] = broadcast.channel
    if broadcast.test_of is not None:
        document["test_of"] = broadcast.test_of
    if broadcast.parent is not None:
        document |= {"parent": broadcast.parent, "planned_at": broadcast.planned_at}
    return document


def broadcast_from(document: Document) -> Broadcast:
    """Read a broadcast; what an older version did not write has its default."""
    audience = document["audience"]
    parent, test_of = document.get("parent"), document.get("test_of")
    return Broadcast(
        id=BroadcastId(document["_id"]),
        account=AccountId(document["account"]),
        kind=document["kind"],
        title=document["title"],
        topic=TopicId(document["topic"]),
        audience=Audience(
            topics=tuple(map(TopicId, audience["topics"])),
            regions=tuple(map(RegionCode, audience["regions"])),
            tags=tuple(audience["tags"]),
            openids=tuple(map(OpenId, audience["openids"])),
            all=audience["all"],
            rule=rule_from(audience["rule"]) if "rule" in audience else None,
        ),
        template=document["template"],
        data=document["data"],
        url=document["url"],
        at=document["at"],
        cron=document["cron"],
        expires_at=document["expires_at"],
        priority=document["priority"],
        ignore_quiet_hours=document["ignore_quiet_hours"],
        state=document["state"],
        parent=BroadcastId(parent) if parent else None,
        planned_at=document.get("planned_at"),
        due_at=document["due_at"],
        created_at=document["created_at"],
        started_at=document["started_at"],
        finished_at=document["finished_at"],
        author=document["author"],
        reason=document["reason"],
        channel=document.get("channel"),
        test_of=BroadcastId(test_of) if test_of else None,
        **schedule_fields(document),
    )


def totals_document(totals: Totals) -> Document:
    """Return the frozen sums as they are kept."""
    return {
        "people": totals.people,
        "sent": totals.sent,
        "failed": totals.failed,
        "skipped": totals.skipped,
        "unknown": totals.unknown,
    }
