"""When a broadcast must stop by itself and call a person (自动暂停)."""

from collections import deque
from dataclasses import dataclass, field

from domain.ids import BroadcastId
from push.rounds import Round

ENOUGH = 50  # outcomes before a share means anything
LATELY = 1_000  # the last outcomes, of which the share is taken: old successes excuse nothing
SHARE = 0.5
KEPT = 1_000


@dataclass(slots=True)
class _Record:
    resumes: int
    sent: int = 0
    failed: int = 0
    rounds: deque[tuple[int, int]] = field(default_factory=deque)

    def add(self, sent: int, failed: int) -> None:
        """Take note of a sub-chunk and forget those before the last thousand outcomes."""
        self.rounds.append((sent, failed))
        self.sent += sent
        self.failed += failed
        while self.sent + self.failed - sum(self.rounds[0]) >= LATELY:
            gone, lost = self.rounds.popleft()
            self.sent -= gone
            self.failed -= lost


class Health:
    """Watches the outcomes of this process. Resuming by a person starts the count again."""

    def __init__(self) -> None:
        self._records: dict[BroadcastId, _Record] = {}

    def reason_to_pause(self, broadcast: BroadcastId, found: Round, *, resumes: int) -> str | None:
        """Take note of a sub-chunk; return why the broadcast must be paused, if it must."""
        record = self._records.get(broadcast)
        if record is None or record.resumes != resumes:
            if len(self._records) >= KEPT:
                self._records.clear()
            record = self._records[broadcast] = _Record(resumes)
        answers = [delivery for delivery in found.deliveries if delivery.errcode is not None]
        record.add(sum(delivery.state == "sent" for delivery in found.deliveries), len(answers))
        if found.misconfigured is not None:
            return f"configuration: {found.misconfigured.reason}"
        if found.refused_as_wrong and found.refused_as_wrong == found.sends and not record.sent:
            return f"template or data refused: {answers[0].reason}"
        total = record.sent + record.failed
        if total >= ENOUGH and record.failed >= SHARE * total:
            return (
                f"{record.failed} of {total} messages failed, last: {answers[-1].reason}"
                if (answers)
                else None
            )
        return None
