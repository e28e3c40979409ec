"""The platform's templates (微信模板) as they were each time something about them was new.

One document per template holds its versions, at most `KEPT` of them, the oldest leaving first. A
version is added only behind the number it was compared with, so two looks at once add one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.ids import AccountId
from domain.template_form import FormVersion, SyncState, TemplateForm

Document = dict[str, Any]
KEPT = 100


class MongoTemplateForms:
    """Templates and their versions, of all accounts."""

    collection = "template_forms"
    indexes = (IndexModel([("account", ASCENDING), ("channel", ASCENDING), ("id", ASCENDING)]),)

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._forms = database[self.collection]
        self._syncs = database["template_syncs"]

    async def list_(self, account: AccountId) -> list[tuple[FormVersion, ...]]:
        """Return every template ever seen, each with its versions, the oldest first."""
        cursor = self._forms.find({"account": account}).sort([("channel", 1), ("id", 1)])
        return [_versions(found) async for found in cursor]

    async def find(self, account: AccountId, channel: str, id_: str) -> tuple[FormVersion, ...]:
        """Return one template's versions, the oldest first; none if it was never seen."""
        found = await self._forms.find_one({"_id": _key(account, channel, id_)})
        return _versions(found) if found else ()

    async def add(
        self,
        account: AccountId,
        form: TemplateForm,
        *,
        after: int,
        at: datetime,
        gone: bool = False,
    ) -> bool:
        """Add the version that follows number `after` (0: the first); False if somebody did."""
        version = _document(FormVersion(number=after + 1, at=at, form=form, gone=gone))
        key = _key(account, form.channel, form.id)
        if not after:
            fresh = {"account": account, "channel": form.channel, "id": form.id}
            try:
                await self._forms.insert_one(
                    {"_id": key, **fresh, "last": 1, "versions": [version]}
                )
            except DuplicateKeyError:
                return False
            return True
        written = await self._forms.update_one(
            {"_id": key, "last": after},
            {
                "$set": {"last": after + 1},
                "$push": {"versions": {"$each": [version], "$slice": -KEPT}},
            },
        )
        return written.modified_count == 1

    async def state(self, account: AccountId) -> SyncState:
        """Return when it was last looked at, and what failed."""
        found = await self._syncs.find_one({"_id": account}) or {}
        return SyncState(
            account=account,
            at=found.get("at"),
            tried_at=found.get("tried_at"),
            problems=found.get("problems") or {},
        )

    async def looked(
        self,
        account: AccountId,
        *,
        at: datetime,
        channels: Sequence[str],
        problems: Mapping[str, str],
    ) -> None:
        """Note a look: which channels could be read, and why the others could not."""
        fields: Document = {"tried_at": at, "problems": dict(problems)}
        if channels:
            fields["at"] = at
        await self._syncs.update_one({"_id": account}, {"$set": fields}, upsert=True)


def _key(account: AccountId, channel: str, id_: str) -> str:
    return f"{account}:{channel}:{id_}"


def _document(version: FormVersion) -> Document:
    form = version.form
    return {
        "number": version.number,
        "at": version.at,
        "gone": version.gone,
        "title": form.title,
        "content": form.content,
        "example": form.example,
        "consent": form.consent,
        "fields": [{"key": key, "label": label} for key, label in form.fields],
    }


def _versions(document: Document) -> tuple[FormVersion, ...]:
    return tuple(
        FormVersion(
            number=each["number"],
            at=each["at"],
            gone=each["gone"],
            form=TemplateForm(
                channel=document["channel"],
                id=document["id"],
                title=each["title"],
                content=each["content"],
                example=each["example"],
                consent=each["consent"],
                fields=tuple((field["key"], field["label"]) for field in each["fields"]),
            ),
        )
        for each in document["versions"]
    )
