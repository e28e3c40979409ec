"""What the dispatcher itself says: apologies, notices, and long texts made to fit.

Every failure gets a reference number that the citizen can read out and we can find in the log;
an exception's own text never reaches a citizen.
"""

import logging

from bot.counters import APOLOGIES
from bot.reference import new_reference
from connectors.wechat.replies import MAX_BYTES, shorten, size
from domain.conversation import Answer, Inbound, Reply
from domain.errors import BrokenContract, CitizenError, DepartmentError, StateError
from domain.ids import AccountId
from domain.maintenance import UnderMaintenance
from domain.masking import mask_openid
from storage.redis.late import LateResults
from templates.environment import Renderer

log = logging.getLogger(__name__)


class Sentences:
    """Answers that no handler gave."""

    def __init__(self, renderer: Renderer, late_results: LateResults, public_url: str) -> None:
        self._renderer = renderer
        self._late_results = late_results
        self._public_url = public_url

    def failed(self, message: Inbound, error: Exception) -> Answer:
        """Turn a handler's error into what the citizen reads and we can find."""
        if isinstance(error, CitizenError | StateError):
            log.info("handler.refused", extra=about(message, code=error.code))
            return self.said(Reply.of("hint.txt", say=error.say))
        if isinstance(error, UnderMaintenance):
            log.info(
                "department.under_maintenance", extra=about(message, department=error.department)
            )
            return self.said(Reply.of("hint.txt", say=error.say))
        if not isinstance(error, DepartmentError):
            return self.apology(message, error, "handler")
        reference = new_reference()
        broken = isinstance(error, BrokenContract)
        log.log(
            logging.ERROR if broken else logging.WARNING,
            "department.broken_contract" if broken else "department.failed",
            extra=about(message, reference=reference, reason=str(error)),
        )
        APOLOGIES.labels("department").inc()
        return self.said(Reply.of("department.txt", say=error.say, reference=reference))

    def apology(self, message: Inbound, error: Exception, cause: str) -> Answer:
        reference = new_reference()
        APOLOGIES.labels(cause).inc()
        log.error(
            "dispatcher.apologised",
            extra=about(message, reference=reference, cause=cause),
            exc_info=error,
        )
        return self.said(Reply.of("apology.txt", reference=reference))

    def said(self, reply: Reply) -> Answer:
        return Answer("text", self._renderer.reply(reply))

    def late_form(self, answer: Answer) -> Answer:
        """A hand-over cannot be sent afterwards, and silence cannot be read."""
        if answer.kind == "transfer":
            return self.said(Reply.of("late_transfer.txt"))
        if answer.kind == "none" or not answer.text.strip():
            return self.said(Reply.of("late_nothing.txt"))
        return answer

    async def fitted(self, account: AccountId, answer: Answer, token: str = "") -> Answer:
        """Cut a text that is too long for one message, with a link to the whole of it.

        With a token the whole text lies behind it already.
        """
        if answer.kind != "text" or size(answer.text) <= MAX_BYTES:
            return answer
        if not token:
            token = self._late_results.new_token()
            await self._late_results.put(account, token, answer.text)
        tail = self.said(Reply.of("more.txt", link=self.link(account, token))).text
        shown = shorten(answer.text, MAX_BYTES - size(tail) - 1)
        return Answer("text", f"{shown}\n{tail}")

    def link(self, account: AccountId, token: str) -> str:
        return f"{self._public_url}/h5/{account}/late/{token}"


def about(message: Inbound, **more: str) -> dict[str, str]:
    """What every log line about a message says; never what the citizen wrote."""
    return {
        "account": message.account,
        "openid": mask_openid(message.openid),
        "kind": type(message).__name__,
        **more,
    }
