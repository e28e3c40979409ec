"""Operators of the console (工作人员) with their grants and password hashes (argon2id).

Rules about grants hold here too, whoever calls: `domain.rights` for one person, and that of each
of the three administrators one who can act always remains. For the latter every change of grants
and every disabling writes one common document in its transaction, so that two at once meet there.
Documents from before there were grants have a `role`, which counted for every account.

Whoever came in by what somebody else chose is unconfirmed (ADR 26): `confirm_code` is what they
read out, empty until they came in. `credentials` counts every change of how they come in, so that
what was begun before such a change can be told from what was begun after it.
"""

import hmac
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from domain.access import EVERYWHERE, Grants, OperatorAccount, Role
from domain.errors import InvalidInput, NotAllowed, NotFound, StateError
from domain.ids import AccountId, new_id
from domain.passwords import check_password, normalised
from domain.rights import check_grants, spelt
from domain.sentence import Sentence
from storage.mongo.hashing import PasswordHashes

Document = dict[str, Any]
MAX_NAME = 40
ONE_TIME = timedelta(hours=72)  # how long a password that somebody else chose lets one in
DESK = "operators.desk"  # where changes of grants meet
CONFIRM_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # nothing that is read for something else
CONFIRM_LENGTH = 8
_LAST: Mapping[Role, str] = {
    "security_admin": Sentence("这是最后一位安全管理员，请先授权另一位。"),
    "system_admin": Sentence("这是最后一位系统管理员，请先授权另一位。"),
    "auditor": Sentence("这是最后一位审计员，请先授权另一位。"),
}

_GRANTED_MEANWHILE = Sentence("授权刚刚被别人改过，您的修改没有保存；请核对现在的授权，再修改。")


class MongoOperators:
    """The operators of this installation."""

    collection = "operators"
    indexes = (
        IndexModel("name", unique=True),
        IndexModel(
            "single_sign_on_id",
            unique=True,
            partialFilterExpression={"single_sign_on_id": {"$type": "string"}},
        ),
    )

    def __init__(
        self, database: AsyncDatabase[Document], hashes: PasswordHashes | None = None
    ) -> None:
        self._database = database
        self._operators = database[self.collection]
        self._desk = database[DESK]
        self._hashes = hashes or PasswordHashes()

    async def create(
        self,
        name: str,
        grants: Grants,
        password: str,
        *,
        now: datetime,
        one_time: bool = False,
    ) -> str:
        """Add an operator and return the id; `InvalidInput` says what to change.

        Without grants they can sign in and do nothing, until somebody else grants. A `one_time`
        password is one that the person has to change when they first sign in.
        """
        name = clean_name(name)
        if grants:
            check_grants(grants)
        password = check_password(password, name)
        operator_id = new_id("op")
        document = {
            "_id": operator_id,
            "name": name,
            "grants": _granted(grants),
            "password": await self._hashes.make(password),
            "password_until": now + ONE_TIME if one_time else None,
            "unconfirmed_since": now if one_time else None,
            "credentials": 0,
            "created_at": now,
            "disabled_at": None,
        }
        try:
            await self._operators.insert_one(document)
        except DuplicateKeyError as error:
            raise InvalidInput(
                Sentence("已有名为 {name} 的工作人员，请换一个名字。", name=name), field="name"
            ) from error
        return operator_id

    async def find_by_password(self, name: str, password: str) -> OperatorAccount | None:
        """Return the operator if the password is right; an unknown name takes as long."""
        found = await self._operators.find_one({"name": _spelt(name), "disabled_at": None})
        password = normalised(password)
        fits = await self._hashes.fits(found["password"] if found else None, password)
        if not fits or found is None:
            return None
        if self._hashes.is_outdated(found["password"]):
            fresh = await self._hashes.make(password)
            await self._operators.update_one(
                {"_id": found["_id"], "password": found["password"]}, {"$set": {"password": fresh}}
            )
        return _operator(found)

    async def has_password(self, operator_id: str, password: str) -> bool:
        """Whether it is this operator's present password: asked for before what matters."""
        found = await self._operators.find_one({"_id": operator_id, "disabled_at": None})
        return await self._hashes.fits(found["password"] if found else None, normalised(password))

    async def find(self, operator_id: str) -> OperatorAccount | None:
        """Return an operator who may sign in."""
        found = await self._operators.find_one({"_id": operator_id, "disabled_at": None})
        return _operator(found) if found else None

    async def get(self, operator_id: str) -> OperatorAccount:
        """Return an operator, disabled ones too, or raise `NotFound`."""
        found = await self._operators.find_one({"_id": operator_id})
        if found is None:
            raise NotFound(Sentence("没有这位工作人员。"))
        return _operator(found)

    async def find_by_name(self, name: str) -> OperatorAccount | None:
        """Return the operator of that name, disabled ones too."""
        found = await self._operators.find_one({"name": _spelt(name)})
        return _operator(found) if found else None

    async def find_by_single_sign_on(self, identity: str) -> OperatorAccount | None:
        """Return the operator whom the provider means, if they may sign in."""
        found = await self._operators.find_one({"single_sign_on_id": identity, "disabled_at": None})
        return _operator(found) if found else None

    async def list_(self, *, disabled: bool = False) -> list[OperatorAccount]:
        """Return the operators who may sign in, by name; `disabled` adds the others."""
        cursor = self._operators.find({} if disabled else {"disabled_at": None})
        return [_operator(found) async for found in cursor.sort("name", ASCENDING)]

    async def set_password(
        self,
        operator_id: str,
        password: str,
        *,
        now: datetime,
        one_time: bool = False,
        unconfirmed: bool = False,
        only_if: int | None = None,
    ) -> bool:
        """Give a new password; `one_time` has to be changed after signing in with it.

        `unconfirmed`: it is all that proves who somebody is, and somebody else chose it. With
        `only_if` nothing is written, and False returned, when `credentials` are others by now.
        """
        operator = await self.get(operator_id)
        fresh = await self._hashes.make(check_password(password, operator.name))
        until = now + ONE_TIME if one_time else None
        values = {"password": fresh, "password_until": until, "password_changed_at": now}
        result = await self._operators.update_one(
            {"_id": operator_id, **_still(only_if)},
            {
                "$set": {**values, **(_unconfirmed(now, "") if unconfirmed else {})},
                "$inc": {"credentials": 1},
            },
        )
        return result.matched_count == 1

    async def set_single_sign_on_id(self, operator_id: str, identity: str | None) -> None:
        """Say whom the provider's claim means; nobody's identity can be two people's.

        It opens nothing by itself until the person has proved that it is theirs.
        """
        try:
            await self._operators.update_one(
                {"_id": operator_id, "single_sign_on_id": {"$ne": identity}},
                {
                    "$set": {"single_sign_on_id": identity, "identity_proven": False},
                    "$inc": {"credentials": 1},
                },
            )
        except DuplicateKeyError as error:
            raise InvalidInput(
                Sentence("这个单点登录账号已属于另一人。"), field="identity"
            ) from error

    async def prove_identity(self, operator_id: str, identity: str) -> bool:
        """Note that the person has proved this claim to be theirs; False when it is another."""
        result = await self._operators.update_one(
            {"_id": operator_id, "single_sign_on_id": identity},
            {"$set": {"identity_proven": True}},
        )
        return result.matched_count == 1

    async def renew_credentials(self, operator_id: str) -> None:
        """Let nothing that was begun before now count any more."""
        await self._operators.update_one({"_id": operator_id}, {"$inc": {"credentials": 1}})

    async def unconfirm(self, operator_id: str, *, now: datetime, with_code: bool = True) -> None:
        """Note that somebody comes in by what another chose; each time has a code of its own."""
        code = "".join(secrets.choice(CONFIRM_ALPHABET) for _ in range(CONFIRM_LENGTH))
        await self._operators.update_one(
            {"_id": operator_id}, {"$set": _unconfirmed(now, code if with_code else "")}
        )

    async def show_code_in(self, operator_id: str, session_id: str) -> None:
        """Let a session show the code, if none does: the first after it was made."""
        await self._operators.update_one(
            {"_id": operator_id, "confirm_code": {"$nin": ["", None]}, "confirm_session": ""},
            {"$set": {"confirm_session": session_id}},
        )

    async def confirm(self, operator_id: str, code: str | None) -> bool:
        """Let somebody's roles count; False when the code is another. None asks for no code."""
        person = await self.get(operator_id)
        still: Document = {"unconfirmed_since": person.unconfirmed_since}
        if code is not None:
            known = person.confirm_code
            if not known or not hmac.compare_digest(known.encode(), _spelt_code(code).encode()):
                return False
            still["confirm_code"] = known  # somebody else may have come in meanwhile
        result = await self._operators.update_one(
            {"_id": operator_id, **still},
            {"$set": {"unconfirmed_since": None, "confirm_code": "", "confirm_session": ""}},
        )
        return result.matched_count == 1

    async def set_grants(
        self, operator_id: str, grants: Grants, *, by: str, seen: str | None = None
    ) -> Grants:
        """Replace somebody's grants and return those before.

        With what was `seen` (`domain.rights.spelt`), only while they still are those.
        """
        if by == operator_id:
            raise NotAllowed(Sentence("不能修改自己的授权，请由另一位安全管理员办理。"))
        if grants:
            check_grants(grants)
        change: Document = {"$set": {"grants": _granted(grants)}}
        before = await self._change(operator_id, change, seen=seen)
        return before.grants

    async def disable(self, operator_id: str, *, by: str, now: datetime) -> OperatorAccount:
        """Keep somebody from signing in, and return who it was; the record stays."""
        if by == operator_id:
            raise NotAllowed(Sentence("不能停用自己，请由另一位系统管理员办理。"))
        out: Document = {"$set": {"disabled_at": now}, "$inc": {"credentials": 1}}
        return await self._change(operator_id, out)

    async def enable(self, operator_id: str) -> None:
        """Let somebody sign in again."""
        await self.get(operator_id)
        await self._operators.update_one({"_id": operator_id}, {"$set": {"disabled_at": None}})

    async def _change(
        self, operator_id: str, change: Document, *, seen: str | None = None
    ) -> OperatorAccount:
        """Write, unless one of the three would be nobody; return the state before."""

        async def attempt(session: AsyncClientSession) -> OperatorAccount:
            await self._desk.update_one({"_id": "grants"}, {"$inc": {"number": 1}}, session=session)
            there_were = await self._acting(session)
            before = await self._operators.find_one_and_update(
                {"_id": operator_id},
                change,
                return_document=ReturnDocument.BEFORE,
                session=session,
            )
            if before is None:
                raise NotFound(Sentence("没有这位工作人员。"))
            if seen is not None and spelt(_grants(before)) != seen:
                raise StateError(_GRANTED_MEANWHILE)
            if gone := there_were - await self._acting(session):
                raise NotAllowed(_LAST[min(gone)])
            return _operator(before)

        await self._desk.update_one({"_id": "grants"}, {"$setOnInsert": {"number": 0}}, upsert=True)
        async with self._database.client.start_session() as session:
            return await session.with_transaction(attempt)

    async def _acting(self, session: AsyncClientSession) -> set[Role]:
        """Return those of the three administrators' roles that somebody holds who can act."""
        able = {"disabled_at": None, "unconfirmed_since": None}
        return {
            role
            for role in _LAST
            if await self._operators.count_documents(
                {**able, "$or": [_held(role), {"role": role}]}, limit=1, session=session
            )
        }


def clean_name(name: str) -> str:
    """Return a name in its one spelling; `InvalidInput` says what a name is."""
    name = _spelt(name)
    if not name or len(name) > MAX_NAME:
        raise InvalidInput(
            Sentence("姓名为 1 到 {max_name} 个字。", max_name=MAX_NAME), field="name"
        )
    if any(unicodedata.category(each)[0] == "C" for each in name):
        raise InvalidInput(Sentence("姓名里有看不见的控制字符，请去掉。"), field="name")
    return name


def _held(role: Role) -> Document:
    return {"grants": {"$elemMatch": {"account": EVERYWHERE, "roles": role}}}


def _still(credentials: int | None) -> Document:
    """Return the condition that nothing changed; documents from before have no count."""
    if credentials is None:
        return {}
    return {"credentials": {"$in": [0, None]} if credentials == 0 else credentials}


def _unconfirmed(now: datetime, code: str) -> Document:
    values: Document = {"unconfirmed_since": now, "confirm_code": code, "confirm_session": ""}
    return values | {"identity_proven": False}


def _spelt_code(code: str) -> str:
    return "".join(each for each in code[:40].upper() if each.isalnum())


def _spelt(name: str) -> str:
    return unicodedata.normalize("NFKC", name[: MAX_NAME * 4]).strip()


def _granted(grants: Grants) -> list[Document]:
    """Write grants as a list: an account's id is data, never the name of a field."""
    return [
        {"account": account, "roles": sorted(roles)} for account, roles in sorted(grants.items())
    ]


def _grants(document: Mapping[str, Any]) -> Grants:
    if "grants" not in document:
        return {EVERYWHERE: frozenset({document["role"]})}
    return {AccountId(grant["account"]): frozenset(grant["roles"]) for grant in document["grants"]}


def _operator(document: Document) -> OperatorAccount:
    return OperatorAccount(
        id=document["_id"],
        name=document["name"],
        grants=_grants(document),
        created_at=document["created_at"],
        disabled_at=document.get("disabled_at"),
        password_until=document.get("password_until"),
        single_sign_on_id=document.get("single_sign_on_id"),
        identity_proven=document.get("identity_proven", False),
        unconfirmed_since=document.get("unconfirmed_since"),
        confirm_code=document.get("confirm_code", ""),
        confirm_session=document.get("confirm_session", ""),
        credentials=document.get("credentials", 0),
    )
