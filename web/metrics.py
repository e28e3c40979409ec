"""What the web role counts, in Prometheus's words."""

from functools import cache

from prometheus_client import Counter, Histogram

PUSHES = Counter(
    "weizheng_callbacks", "Pushes of the platform", ["account", "kind", "outcome"]
)  # outcome: text, transfer, none, refused, failed
SECONDS = Histogram(
    "weizheng_handler_seconds",
    "From the arrival of a push to its answer",
    ["account"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 4.5, 5),
)
REQUESTS = Counter("weizheng_http_responses", "Responses by page and status", ["page", "status"])


@cache
def pushes(account: str, kind: str, outcome: str) -> Counter:
    """Return one counter; looking it up by labels costs more than counting."""
    return PUSHES.labels(account, kind, outcome)


@cache
def seconds(account: str) -> Histogram:
    """Return one account's histogram."""
    return SECONDS.labels(account)


@cache
def responses(page: str, status: int) -> Counter:
    """Return one counter of responses."""
    return REQUESTS.labels(page, str(status))
