"""The audit log as rows of a spreadsheet, and a check of it that goes on from page to page."""

import base64
import binascii
import hmac
import json
from dataclasses import asdict

from domain.audit import OUTCOMES, Entry
from domain.audit_check import Place, Walk
from domain.clock import in_beijing
from domain.errors import InvalidInput
from domain.sentence import Sentence
from domain.spreadsheet import harmless

COLUMNS = (
    Sentence("序号"), Sentence("时间"), Sentence("操作人"), Sentence("姓名"), Sentence("来源地址"),
    Sentence("操作"), Sentence("对象"), Sentence("账号"), Sentence("操作前"), Sentence("操作后"),
    Sentence("结果"), Sentence("哈希"),
)  # fmt: skip


def cells(entry: Entry) -> tuple[str, ...]:
    """Return an entry as a row of COLUMNS that no spreadsheet carries out."""
    row = (
        str(entry.seq),
        in_beijing(entry.at).isoformat(" ", "milliseconds"),
        entry.actor,
        entry.actor_name,
        entry.remote,
        entry.action,
        entry.object,
        entry.account,
        entry.before,
        entry.after,
        OUTCOMES.get(entry.outcome, entry.outcome),
        entry.hash,
    )
    return tuple(map(harmless, row))


def ticket(walk: Walk, key: bytes) -> str:
    """Return a check under way as a form may hold it; signed, so that nobody can skip entries."""
    content = asdict(walk) | {"open_intents": sorted(walk.open_intents)}
    text = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    return f"{text}.{_signature(text, key)}"


def walk_of(ticket: str, key: bytes) -> Walk:
    """Read what `ticket` gave; `InvalidInput` for anything else."""
    text, _, signature = ticket.partition(".")
    if not hmac.compare_digest(signature.encode(), _signature(text, key).encode()):
        raise InvalidInput(Sentence("核验已经中断，请重新开始。"))
    try:
        content = json.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError) as error:  # signed by an earlier version
        raise InvalidInput(Sentence("核验已经中断，请重新开始。")) from error
    return Walk(
        **{
            **content,
            "place": Place(**content["place"]),
            "expected": tuple(Place(**place) for place in content["expected"]),
            "open_intents": frozenset(content["open_intents"]),
        }
    )


def _signature(text: str, key: bytes) -> str:
    return hmac.new(key, f"audit check\0{text}".encode(), "sha256").hexdigest()
