"""Followers, parametric codes, tags on the blacklist (4.11–4.13)."""

import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.accounts import Account
from sandbox.calls import OK, Answer, Call, Endpoint, text_member
from sandbox.errors import ApiError

LONGEST_LIFE = 2_592_000


def _info(account: Account, openid: object) -> Answer:
    person = account.followers.get(openid) if isinstance(openid, str) else None
    if person is None:
        raise ApiError(40003)
    if not person.is_following:
        return {"subscribe": 0, "openid": person.openid, "tagid_list": []}
    return {
        "subscribe": 1,
        "openid": person.openid,
        "nickname": "",
        "sex": 0,
        "language": "zh_CN",
        "city": "",
        "province": "",
        "country": "",
        "headimgurl": "",
        "subscribe_time": person.since,
        "remark": "",
        "groupid": 0,
        "tagid_list": [],
        "subscribe_scene": person.add_scene,
        "qr_scene": int(person.scene) if person.scene.isdecimal() else 0,
        "qr_scene_str": "" if person.scene.isdecimal() else person.scene,
    }


def info(call: Call) -> Answer:
    """Answer `user/info`."""
    return _info(call.account, call.argument("openid"))


def info_of_many(call: Call) -> Answer:
    """Answer `user/info/batchget`."""
    users = call.json().get("user_list")
    if not isinstance(users, list) or not 1 <= len(users) <= 100:
        raise ApiError(40035)
    return {"user_info_list": [_info(call.account, user.get("openid")) for user in users]}


def followers(call: Call) -> Answer:
    """Answer `user/get`: pages of 10,000 in the order of following; the last one is empty."""
    openids = call.account.followers.page(call.argument("next_openid"))
    page: dict[str, Any] = {"total": len(call.account.followers), "count": len(openids)}
    if openids:
        page["data"] = {"openid": openids}
    page["next_openid"] = openids[-1] if openids else ""
    return page


def create_qr(call: Call) -> Answer:
    """Answer `qrcode/create`; the phone's scan dialog knows the code from then on."""
    content = call.json()
    action = content.get("action_name")
    if action not in ("QR_SCENE", "QR_STR_SCENE", "QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE"):
        raise ApiError(40052)
    info = content.get("action_info")
    scene = info.get("scene") if isinstance(info, dict) else None
    if not isinstance(scene, dict):
        raise ApiError(40053)
    if "STR" in action:
        value = scene.get("scene_str")
        if not isinstance(value, str) or not 1 <= len(value) <= 64:
            raise ApiError(40053)
    else:
        value = scene.get("scene_id")
        highest = 100_000 if "LIMIT" in action else 2**32 - 1
        if not isinstance(value, int) or not 1 <= value <= highest:
            raise ApiError(40053)
    ticket = f"gQ{secrets.token_urlsafe(66)}=="
    call.account.qr_codes[ticket] = str(value)
    answer = {"ticket": ticket, "url": f"http://weixin.qq.com/q/{secrets.token_urlsafe(16)}"}
    if "LIMIT" in action:
        return answer
    seconds = content.get("expire_seconds", 60)
    if not isinstance(seconds, int) or seconds < 1:
        raise ApiError(40035)
    return {**answer, "expire_seconds": min(seconds, LONGEST_LIFE)}


def _blacklisting(state: str) -> Any:
    def change(call: Call) -> Answer:
        openids = call.json().get("openid_list")
        if not isinstance(openids, list) or not 1 <= len(openids) <= 20:
            raise ApiError(40035)
        people = [call.account.followers.get(str(openid)) for openid in openids]
        if any(person is None for person in people):
            raise ApiError(40003)
        for person in people:
            if person is not None and person.is_following:
                call.world.set_state(
                    call.account, person, "blacklisted" if state == "blacklisted" else "follows"
                )
        return OK

    return change


def update_remark(call: Call) -> Answer:
    """Answer `user/info/updateremark`."""
    openid = text_member(call.json(), "openid", 40003)
    if call.account.followers.get(openid) is None:
        raise ApiError(40003)
    return OK


ENDPOINTS: Mapping[str, Endpoint] = {
    "/cgi-bin/user/info": Endpoint("GET", info),
    "/cgi-bin/user/info/batchget": Endpoint("POST", info_of_many),
    "/cgi-bin/user/info/updateremark": Endpoint("POST", update_remark),
    "/cgi-bin/user/get": Endpoint("GET", followers),
    "/cgi-bin/qrcode/create": Endpoint("POST", create_qr),
    "/cgi-bin/tags/members/batchblacklist": Endpoint("POST", _blacklisting("blacklisted")),
    "/cgi-bin/tags/members/batchunblacklist": Endpoint("POST", _blacklisting("follows")),
}
