"""What one pass over a sub-chunk found out, before it is written."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.delivery import Outcome
from domain.ids import OpenId
from domain.ledger import Delivery
from push.gate import Verdict
from push.sender import Misconfigured, NotThisWay, TokenRejected


@dataclass(slots=True, kw_only=True)
class Round:
    """What one pass over a sub-chunk found out."""

    deliveries: list[Delivery] = field(default_factory=list)
    known: dict[OpenId, Outcome] = field(default_factory=dict)  # written by an earlier pass
    afresh: list[OpenId] = field(default_factory=list)  # certainly not sent: whenever allowed
    put_off: list[OpenId] = field(default_factory=list)  # not sent, each for a reason of its own
    at_risk: list[OpenId] = field(default_factory=list)  # may have been sent
    turned_away: dict[OpenId, NotThisWay] = field(default_factory=dict)  # by the present channel
    intended_at: datetime | None = None
    halted_until: datetime | None = None  # the whole account must wait
    put_off_until: datetime | None = None
    ask_again: timedelta | None = None  # for those at risk, when the usual pause is too short
    misconfigured: Misconfigured | None = None
    sends: int = 0
    silent: int = 0  # unrepeatable sends that no answer came to
    rejected: list[TokenRejected] = field(default_factory=list)  # twice, for each of `put_off`
    refused_as_wrong: int = 0  # answers of class config_message
    stopped: Verdict | None = None
    begun: bool = False  # something is to be written; else the sub-chunk is as it was

    @property
    def must_stop(self) -> bool:
        """Whether nobody else may be sent anything in this pass."""
        return (
            self.stopped is not None
            or self.misconfigured is not None
            or self.halted_until is not None
        )
