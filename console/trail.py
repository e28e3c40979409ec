"""What the console's services need of the audit chain (审计): a place to write to."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from domain.audit import Named, Outcome


class Trail(Protocol):
    """Writes entries; raises when one cannot be written, and then the act does not happen."""

    async def record(
        self,
        actor: Named,
        action: str,
        object_: str,
        *,
        account: str | None = None,
        remote: str = "",
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        outcome: Outcome = "done",
    ) -> Any:
        """Write what happened."""

    def around(
        self,
        actor: Named,
        action: str,
        object_: str,
        *,
        account: str | None = None,
        remote: str = "",
        before: Mapping[str, Any] | None = None,
    ) -> AbstractAsyncContextManager[Any]:
        """Write what is about to be done, and afterwards what came of it (`.after`)."""
