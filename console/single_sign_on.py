"""Single sign-on (单点登录): the provider says who somebody is, and we say whether we know them.

Nobody is created by it: the claim of the settings must be written at an operator by the system
administrator. What a sign-in takes along (state, nonce, PKCE verifier) is kept sealed under a
token in the browser's cookie, for ten minutes and for one return, so an answer that somebody else
began, or that is brought twice, opens nothing.
"""

import hmac
import logging
from datetime import timedelta

from connectors.oidc import Journey, OidcProvider
from console.entry import NOBODY, Visit
from domain.access import OperatorAccount
from domain.sentence import Sentence
from domain.sign_on import SignOnRefused, SignOnUnavailable
from push.audit import Audit
from storage.mongo.operators import MongoOperators
from storage.redis.entries import Entries

log = logging.getLogger(__name__)

LIFE = timedelta(minutes=10)


class SingleSignOn:
    """Sends people to the provider and takes them back."""

    def __init__(
        self,
        provider: OidcProvider,
        operators: MongoOperators,
        entries: Entries,
        trail: Audit,
        *,
        label: str,
        has_two_factors: bool,
    ) -> None:
        self.label = label
        self.has_two_factors = has_two_factors
        self._provider = provider
        self._operators = operators
        self._entries = entries
        self._trail = trail

    async def begin(self) -> tuple[str, str]:
        """Return the provider's address and the token of the browser's cookie."""
        journey = Journey.begin()
        address = await self._provider.address(journey)
        kept = {"state": journey.state, "nonce": journey.nonce, "verifier": journey.verifier}
        return address, await self._entries.put(kept, LIFE)

    async def finish(
        self, token: str, *, state: str, code: str, issuer: str, visit: Visit
    ) -> OperatorAccount:
        """Return whom the provider named; `SignOnRefused` when that is nobody of ours."""
        try:
            return await self._finish(token, state, code, issuer)
        except SignOnRefused as error:
            log.info("console.sign_on_refused", extra={"reason": error.reason})
            await self._trail.record(
                NOBODY,
                "sign_in.provider",
                "operator:nobody",
                remote=visit.remote,
                after={"reason": error.reason},
                outcome="refused",
            )
            raise
        except SignOnUnavailable as error:
            log.warning("console.sign_on_unavailable", extra={"reason": str(error)})
            raise

    async def _finish(self, token: str, state: str, code: str, issuer: str) -> OperatorAccount:
        kept = await self._entries.take(token) if token else None
        if kept is None or "verifier" not in kept:
            raise SignOnRefused("nothing was begun in this browser, or it is over")
        if not hmac.compare_digest(kept["state"].encode(), state.encode("utf-8", "replace")):
            raise SignOnRefused("wrong state")
        if not code:
            raise SignOnRefused("the provider gave no code")
        journey = Journey(state=kept["state"], nonce=kept["nonce"], verifier=kept["verifier"])
        identity = await self._provider.identity(journey, code, issuer)
        operator = await self._operators.find_by_single_sign_on(identity)
        if operator is None:
            raise SignOnRefused(
                "unknown person",
                Sentence("统一身份认证里的这个账号没有对应的工作人员，请联系系统管理员。"),
            )
        return operator
