"""What can go wrong with single sign-on (单点登录), in words for the person at the sign-in page."""

from domain.errors import NotAllowed, ServiceError
from domain.sentence import Sentence

_UNFINISHED = Sentence("单点登录没有完成，请重新登录。")


class SignOnUnavailable(ServiceError):
    """The provider does not answer, or not as agreed; the message is for the log."""

    code = "sign_on_unavailable"
    status = 502
    say = Sentence("统一身份认证暂时无法使用，请稍后再试，或用姓名和密码登录。")


class SignOnRefused(NotAllowed):
    """The provider's answer does not let anybody in; `reason` is for the log and the audit."""

    code = "sign_on_refused"

    def __init__(self, reason: str, say: str = _UNFINISHED) -> None:
        super().__init__(say)
        self.reason = reason
