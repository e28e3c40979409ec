"""Mass sends (4.8): submit to a list or to everybody, look at a job, delete it."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.calls import OK, Answer, Call, Endpoint, text_member
from sandbox.errors import ApiError
from sandbox.mass import FIRST_JOB, KeyKnown, MassJob

FEWEST, MOST = 2, 10_000
TEXT_LIMIT = 2048


def send(call: Call) -> Answer:
    """Answer `message/mass/send`: a list of openids."""
    return _submit(call, _listed)


def send_all(call: Call) -> Answer:
    """Answer `message/mass/sendall`: a tag or everybody."""
    return _submit(call, _filtered)


def _submit(call: Call, audience: Callable[[Call, Mapping[str, Any]], list[str]]) -> Answer:
    mass, content = call.account.mass, call.json()
    try:
        key = str(content.get("clientmsgid") or "")
        mass.check_key(key, call.now)
        openids, text = audience(call, content), _text(content)
    except KeyKnown as known:
        return {
            "errcode": known.code,
            "errmsg": known.message,
            "msg_id": known.job.msg_id,
        }
    except ApiError as error:
        mass.refused[error.code] += 1
        raise
    return _accept(call, key, openids, text)


def _accept(call: Call, key: str, openids: list[str], text: str) -> Answer:
    account, world, mass = call.account, call.world, call.account.mass
    following = [openid for openid in openids if _may_get(call, openid)]
    people = mass.spend(following, call.now)
    job = MassJob(
        msg_id=FIRST_JOB + len(mass.jobs),
        at=call.now,
        clientmsgid=key,
        openid=account.gh_id,
        total=len(openids),
        people=people,
        text=text,
        refused_as=mass.refuse_as,
    )
    mass.jobs.append(job)
    if not job.refused_as:
        for openid in people:
            person = world.person(account, openid)
            if person.state == "muted":
                job.failed += 1
                continue
            world.say(account, person, "account", "text", origin="mass", text=text)
    if account.habits.enabled:
        world.receipts.schedule(account.id, job, account.habits, "success")
    return {"errcode": 0, "errmsg": "send job submission success", "msg_id": job.msg_id}


def _may_get(call: Call, openid: str) -> bool:
    person = call.account.followers.get(openid)
    return person is not None and person.is_following and person.state not in _UNREACHABLE


_UNREACHABLE = ("blacklisted", "frozen")


def _listed(call: Call, content: Mapping[str, Any]) -> list[str]:
    openids = content.get("touser")
    if not isinstance(openids, list) or not all(isinstance(each, str) for each in openids):
        raise ApiError(40031)
    if len(openids) < FEWEST:
        raise ApiError(40130)
    if len(openids) > MOST:
        raise ApiError(40032)
    if any(call.account.followers.get(openid) is None for openid in openids):
        raise ApiError(40031)
    return openids


def _filtered(call: Call, content: Mapping[str, Any]) -> list[str]:
    wanted = content.get("filter")
    if not isinstance(wanted, dict):
        raise ApiError(40035)
    if wanted.get("is_to_all"):
        return [person.openid for person in call.account.followers if person.is_following]
    raise ApiError(40050)  # this platform keeps no tags


def _text(content: Mapping[str, Any]) -> str:
    if content.get("msgtype") != "text":
        raise ApiError(40008)
    member = content.get("text")
    text = member.get("content") if isinstance(member, dict) else None
    if not isinstance(text, str) or not text:
        raise ApiError(44004)
    if len(text.encode()) > TEXT_LIMIT:
        raise ApiError(45002)
    return text


def get(call: Call) -> Answer:
    """Answer `message/mass/get`."""
    job = _job(call)
    word = "DELETE" if job.deleted else "SEND_FAIL" if job.refused_as else "SEND_SUCCESS"
    return {"msg_id": job.msg_id, "msg_status": word if job.receipts else "SENDING"}


def delete(call: Call) -> Answer:
    """Answer `message/mass/delete`."""
    _job(call).deleted = True
    return OK


def _job(call: Call) -> MassJob:
    content = call.json()
    job = call.account.mass.find(str(content.get("msg_id", "")))
    if job is None:
        raise ApiError(40059)
    return job


def preview(call: Call) -> Answer:
    """Answer `message/mass/preview`: one person sees it, and nothing is counted."""
    content = call.json()
    person = call.account.followers.get(text_member(content, "touser", 40132))
    if person is None or not person.is_following:
        raise ApiError(40132)
    call.world.say(call.account, person, "account", "text", origin="mass", text=_text(content))
    return {"errcode": 0, "errmsg": "preview success", "msg_id": FIRST_JOB - 1}


ENDPOINTS: Mapping[str, Endpoint] = {
    "/cgi-bin/message/mass/send": Endpoint("POST", send),
    "/cgi-bin/message/mass/sendall": Endpoint("POST", send_all),
    "/cgi-bin/message/mass/get": Endpoint("POST", get),
    "/cgi-bin/message/mass/delete": Endpoint("POST", delete),
    "/cgi-bin/message/mass/preview": Endpoint("POST", preview),
}
