"""One message to one subscriber (投递): how it can end, and how a send can fail."""

from datetime import timedelta
from typing import Literal

from domain.errors import DeliveryError

# how the platform's error table (`wechat-platform.md` 5) tells us to go on
FailureClass = Literal[
    "retry_now",  # RN
    "refresh_token",  # RT
    "retry_later",  # RL
    "drop",  # DR: this recipient, this message
    "unreachable",  # UR: stop all sends to this person
    "config",  # CF: stop the channel, call a person
    "config_message",  # CFm: this message or template is wrong
    "unknown",  # no answer came: it may have been carried out
]
Outcome = Literal["sent", "failed", "skipped", "unknown"]


class SendFailed(DeliveryError):
    """A call to the platform did not succeed; `failure` decides what happens next."""

    def __init__(
        self,
        code: int,
        detail: str,
        failure: FailureClass,
        *,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.errcode = code
        self.failure: FailureClass = failure
        self.retry_after = retry_after
