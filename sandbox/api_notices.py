"""Subscription notices (4.6): `bizsend` and the account's templates for them."""

from collections.abc import Mapping

from sandbox.calls import OK, Answer, Call, Endpoint, text_member
from sandbox.errors import ApiError
from sandbox.notices import NoticeRecord


def send(call: Call) -> Answer:
    """Answer `message/subscribe/bizsend`; it uses a one-time consent up.

    There is no key against repetition: the same notice twice is two notices.
    """
    account, world = call.account, call.world
    notices = account.notices
    try:
        record = _taken(call)
    except ApiError as error:
        notices.refused[error.code] += 1
        raise
    notices.records.append(record)
    person = world.person(account, record.openid)
    habits = account.habits
    status = habits.status(world.chance, blocked=person.state == "muted")
    if status == "success":
        world.show(account, person, record)
    if habits.enabled:
        world.receipts.schedule(account.id, record, habits, status)
    return OK


def _taken(call: Call) -> NoticeRecord:
    content, account = call.json(), call.account
    openid = content.get("touser")
    person = account.followers.get(openid) if isinstance(openid, str) else None
    if person is None:
        raise ApiError(40003)
    template = account.notices.templates.get(content.get("template_id") or "")
    if template is None:
        raise ApiError(40037)
    template.form.check(content.get("data"))
    match person.state:  # following is not needed
        case "blacklisted":
            raise ApiError(43019)
        case "frozen":
            raise ApiError(50002)
    account.notices.consents.spend(person.openid, template)
    return NoticeRecord(
        seq=call.world.next_seq(),
        at=call.now,
        openid=person.openid,
        msgid=call.world.next_msgid(),
        template=template.form,
        body=call.request.body,
    )


def list_templates(call: Call) -> Answer:
    """Answer `newtmpl/gettemplate`."""
    templates = call.account.notices.templates.values()
    return {**OK, "data": [template.as_json() for template in templates]}


def delete_template(call: Call) -> Answer:
    """Answer `newtmpl/deltemplate`."""
    template_id = text_member(call.json(), "priTmplId", 200014)
    if call.account.notices.templates.pop(template_id, None) is None:
        raise ApiError(200014)
    return OK


ENDPOINTS: Mapping[str, Endpoint] = {
    "/cgi-bin/message/subscribe/bizsend": Endpoint("POST", send),
    "/wxaapi/newtmpl/gettemplate": Endpoint("GET", list_templates),
    "/wxaapi/newtmpl/deltemplate": Endpoint("POST", delete_template),
}
