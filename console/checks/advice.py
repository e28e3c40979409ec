"""What to do about the platform's codes (错误码说明), in Chinese for the console.

The English words stand in `connectors/wechat/errcodes.py`; here are the codes that a check of an
account can meet. Any other code is named with where to look.
"""

from collections.abc import Mapping

from domain.delivery import SendFailed
from domain.sentence import Sentence

ADVICE: Mapping[int, tuple[str, str]] = {
    -1: (Sentence("微信系统繁忙"), Sentence("过一会儿再试。")),
    40001: (
        Sentence("AppSecret 不对，或凭证已失效"),
        Sentence("核对设置文件中的 app_secret，与微信后台一致后重启服务。"),
    ),
    40013: (Sentence("AppID 不对"), Sentence("核对设置文件中的 app_id。")),
    40125: (
        Sentence("AppSecret 不对"),
        Sentence("在微信后台重置 AppSecret，写入设置文件的 app_secret，然后重启服务。"),
    ),
    40243: (
        Sentence("AppSecret 已被冻结"),
        Sentence("在微信后台（设置与开发 → 基本配置）解冻 AppSecret。"),
    ),
    41002: (Sentence("AppID 为空"), Sentence("在设置文件中填写 app_id。")),
    41004: (Sentence("AppSecret 为空"), Sentence("在设置文件中填写 app_secret。")),
    45009: (
        Sentence("今天的接口调用次数已用完"),
        Sentence("明天零点恢复；急用时可在微信后台清零（每月十次）。"),
    ),
    45011: (Sentence("调用太频繁"), Sentence("一分钟后再试。")),
    48001: (
        Sentence("公众号没有这个接口的权限"),
        Sentence("确认公众号已认证，并在微信后台开通该接口。"),
    ),
    48004: (Sentence("公众号被处罚，接口被封禁"), Sentence("登录 mp.weixin.qq.com 查看通知中心。")),
    50001: (
        Sentence("公众号没有这个接口的权限"),
        Sentence("确认公众号已认证，并在微信后台开通该接口。"),
    ),
    50004: (Sentence("公众号被冻结"), Sentence("登录 mp.weixin.qq.com 查看通知中心。")),
    89503: (
        Sentence("此 IP 需要管理员确认"),
        Sentence("请公众号管理员在微信里确认这次调用，然后再试。"),
    ),
    89501: (
        Sentence("此 IP 正在等待管理员确认"),
        Sentence("请公众号管理员在微信里确认，然后再试。"),
    ),
    89506: (
        Sentence("管理员拒绝了此 IP，24 小时内不再询问"),
        Sentence("请管理员把本机 IP 加入白名单。"),
    ),
    89507: (
        Sentence("管理员拒绝了此 IP，1 小时内不再询问"),
        Sentence("请管理员把本机 IP 加入白名单。"),
    ),
}
_OUTSIDE = (
    Sentence("连不上微信接口，或没有收到可用的回答"),
    Sentence("检查设置 api_base、本机的 DNS、出口网络和防火墙。"),
)


def explained(error: SendFailed) -> tuple[str, str]:
    """Return what an error means and what to do about it."""
    if error.errcode == 0:
        return _OUTSIDE
    known = ADVICE.get(error.errcode)
    if known is None:
        return (
            Sentence("微信返回错误码 {errcode}", errcode=error.errcode),
            Sentence("在微信官方文档的全局返回码页面查这个号码。"),
        )
    return Sentence("{known}（错误码 {errcode}）", known=known[0], errcode=error.errcode), known[1]
