"""What the dispatcher counts for the people on call."""

from prometheus_client import Counter

SLOW = Counter("weizheng_slow_answers", "Handlers that missed the five-second answer")
REPEATED = Counter("weizheng_repeated_pushes", "Pushes answered from an earlier delivery")
APOLOGIES = Counter("weizheng_apologies", "Answers that were an apology", ["cause"])
LATE_SENT = Counter("weizheng_late_messages", "Late results by customer-service message", ["how"])
