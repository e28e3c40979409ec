"""Policies for enterprises (惠企政策): every entry is one revision of one policy."""

from datetime import UTC

from pydantic import AwareDatetime, Field

from connectors.http import Department, DepartmentClient
from connectors.news_feed import HttpNewsFeed, NewsFeed
from connectors.payload import Code, Payload, Text
from domain.city_news import Policy, PolicyStatus

DEPARTMENT = Department(key="enterprise", title="企业服务平台", hotline="12345")
PATH = "/policies"


class PolicyPayload(Payload):
    """A policy as the platform publishes it; `apply_until` is missing when it stays open."""

    id: Code = Field(min_length=1, max_length=64)
    revision: int = Field(1, ge=1)
    status: PolicyStatus = "published"
    title: Text = Field(min_length=1)
    issuer: Text
    published_at: AwareDatetime
    apply_until: AwareDatetime | None = None
    url: str | None = Field(None, max_length=1024, pattern=r"^https?://[^\s/]+\S*$")

    def to_domain(self) -> Policy:
        """Return the policy."""
        return Policy(
            id=self.id,
            revision=self.revision,
            status=self.status,
            title=self.title,
            issuer=self.issuer,
            published_at=self.published_at.astimezone(UTC),
            apply_until=self.apply_until.astimezone(UTC) if self.apply_until else None,
            url=self.url,
        )


def open_policies(client: DepartmentClient) -> NewsFeed[Policy]:
    """Return the platform's feed."""
    return HttpNewsFeed(client, PATH, PolicyPayload, PolicyPayload.to_domain)
