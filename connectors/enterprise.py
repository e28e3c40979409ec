"""Policies for enterprises (惠企政策): every entry is one revision of one policy."""

from pydantic import Field

from connectors.http import Department, DepartmentClient
from connectors.news_feed import HttpNewsFeed, NewsFeed
from connectors.payload import FOR_EVER, Code, Instant, Payload, Revision, Text
from domain.city_news import Policy, PolicyStatus

DEPARTMENT = Department(key="enterprise", title="企业服务平台", hotline="12345")
PATH = "/policies"


class PolicyPayload(Payload):
    """A policy as the platform publishes it; `apply_until` is missing when it stays open."""

    id: Code = Field(min_length=1, max_length=64)
    revision: Revision = 1
    status: PolicyStatus = "published"
    title: Text = Field(min_length=1)
    issuer: Text
    published_at: Instant
    apply_until: Instant | None = None
    url: str | None = Field(None, max_length=1024, pattern=r"^https?://[^\s/]+\S*$")

    def to_domain(self) -> Policy:
        """Return the policy."""
        return Policy(
            id=self.id,
            revision=self.revision,
            status=self.status,
            title=self.title,
            issuer=self.issuer,
            published_at=self.published_at,
            apply_until=None if self.apply_until == FOR_EVER else self.apply_until,
            url=self.url,
        )


def open_policies(client: DepartmentClient) -> NewsFeed[Policy]:
    """Return the platform's feed."""
    return HttpNewsFeed(client, PATH, PolicyPayload, PolicyPayload.to_domain)
