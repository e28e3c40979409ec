"""Action codes of the audit log in words (操作名称): `broadcast.approve` → 群发任务：审核通过.

A code whose part is not listed is shown as it is, so a new one needs nothing here to be read.
"""

from collections.abc import Callable

from web.admin.words import mark

WHOLE = {
    "sign_in": mark("登录"),
    "sign_out": mark("退出登录"),
    "subscriber.unmask": mark("查看关注者明文"),
    "audit.cut": mark("清理到期审计记录"),
}
THINGS = {
    "account": mark("账号"),
    "api_key": mark("接口密钥"),
    "audit": mark("审计记录"),
    "broadcast": mark("群发任务"),
    "callback_keys": mark("回调密钥"),
    "department": mark("委办局"),
    "incident": mark("告警"),
    "maintenance": mark("维护公告"),
    "menu": mark("菜单"),
    "operator": mark("人员"),
    "password": mark("密码"),
    "second_factor": mark("动态口令"),
    "session": mark("登录会话"),
    "sign_in": mark("登录"),
    "subscriber": mark("关注者"),
    "template": mark("模板"),
    "templates": mark("模板"),
    "topic": mark("主题"),
}
ACTS = {
    "acknowledge": mark("确认"),
    "approve": mark("审核通过"),
    "cancel": mark("取消"),
    "change": mark("修改"),
    "check": mark("核验"),
    "comment": mark("批注"),
    "compare": mark("比对"),
    "confirm": mark("由第二人确认"),
    "create": mark("新建"),
    "delete": mark("删除"),
    "disable": mark("停用"),
    "discard": mark("丢弃"),
    "edit": mark("修改"),
    "enable": mark("启用"),
    "end": mark("结束"),
    "end_overlap": mark("结束新旧并用"),
    "enrol": mark("登记"),
    "export": mark("导出"),
    "give_password": mark("设置密码"),
    "grant": mark("授予角色"),
    "history": mark("查看通知记录"),
    "password": mark("验证密码"),
    "pause": mark("暂停"),
    "prepare": mark("准备新密钥"),
    "prove_identity": mark("本人确认单点登录账号"),
    "provider": mark("单点登录"),
    "publish": mark("发布"),
    "put": mark("开启"),
    "recovery": mark("更换恢复码"),
    "reject": mark("退回"),
    "rename": mark("改名"),
    "replace": mark("更换"),
    "replay": mark("重新安排"),
    "resend": mark("补发"),
    "reset": mark("重置"),
    "resume": mark("继续发送"),
    "revoke": mark("吊销"),
    "save": mark("保存"),
    "second_factor": mark("动态口令"),
    "single_sign_on": mark("关联单点登录"),
    "submit": mark("送审"),
    "sync": mark("同步"),
    "trial": mark("试发"),
    "view": mark("查看"),
}


def described(action: str, say: Callable[[str], str]) -> str:
    """Return an action in the words of `say`, or its code."""
    if action in WHOLE:
        return say(WHOLE[action])
    thing, _, act = action.partition(".")
    if thing in THINGS and act in ACTS:
        return f"{say(THINGS[thing])} · {say(ACTS[act])}"
    return action


def choices(say: Callable[[str], str]) -> list[tuple[str, str]]:
    """Return the codes people look for most, with their words."""
    common = (
        "sign_in",
        "operator.create",
        "operator.grant",
        "operator.confirm",
        "broadcast.approve",
        "broadcast.publish",
        "broadcast.export",
        "menu.publish",
        "subscriber.view",
        "subscriber.unmask",
        "audit.export",
    )
    return [(code, described(code, say)) for code in common]
