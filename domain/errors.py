"""The error tree. Each class knows a stable `code`, an HTTP `status` and what to `say`.

ServiceError
├── CitizenError            the person in front of us can put it right
│   ├── InvalidInput · NotBound · NotFound · NotAllowed · TooOften
├── DepartmentError         a department's system failed or broke its contract
│   ├── DepartmentTimeout · DepartmentRefused · BrokenContract
├── DeliveryError           a message to a citizen did not go out
│   ├── TemporaryDeliveryError (retry_after) · PermanentDeliveryError
├── StateError              an impossible transition
├── TooSlow                 a question about many people that nobody waits for any longer
└── ConfigError             the process says why and does not start

`say` is the only text a citizen ever sees; the exception's own message is for the log.
"""

from datetime import timedelta

from domain.sentence import Sentence


class ServiceError(Exception):
    """Anything this service raises on purpose."""

    code = "error"
    status = 500
    say: str = Sentence("服务出了点问题，请稍后再试，或拨打 12345。")


class CitizenError(ServiceError):
    """The person in front of us can put it right."""

    code = "bad_request"
    status = 400

    def __init__(self, say: str, *, field: str | None = None) -> None:
        super().__init__(say)
        self.say = say
        self.field = field  # which field of a form or request it is about, if one


class InvalidInput(CitizenError):
    """What was typed cannot be used; `say` tells how to write it."""

    code = "invalid_input"
    status = 422


class NotBound(CitizenError):
    """The service needs a binding (绑定) that the citizen has not made yet."""

    code = "not_bound"
    status = 409


class NotFound(CitizenError):
    """There is no such thing, or it is not theirs to see."""

    code = "not_found"
    status = 404


class NotAllowed(CitizenError):
    """Known, and not permitted."""

    code = "not_allowed"
    status = 403


class TooOften(CitizenError):
    """Asked again too soon."""

    code = "too_often"
    status = 429


class DepartmentError(ServiceError):
    """A department's system (委办局接口) failed or broke its contract."""

    code = "department_unavailable"
    status = 502

    def __init__(self, department: str, detail: str, *, hotline: str = "12345") -> None:
        super().__init__(f"{department}: {detail}")  # for the log
        self.department = department
        self.say = Sentence(
            "{department}系统暂时无法查询，请稍后再试，或拨打 {hotline}。",
            department=department,
            hotline=hotline,
        )


class DepartmentTimeout(DepartmentError):
    """No answer in time, or the breaker is open."""


class DepartmentRefused(DepartmentError):
    """The department answered that it will not."""


class BrokenContract(DepartmentError):
    """The department's answer does not fit what was agreed: someone must act."""


class DeliveryError(ServiceError):
    """A message to a citizen did not go out."""

    code = "delivery_failed"


class TemporaryDeliveryError(DeliveryError):
    """Worth another try after `retry_after`."""

    def __init__(self, detail: str, *, retry_after: timedelta) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class PermanentDeliveryError(DeliveryError):
    """No later try can succeed."""


class StateError(ServiceError):
    """An impossible transition was asked for."""

    code = "wrong_state"
    status = 409

    def __init__(self, say: str) -> None:
        super().__init__(say)
        self.say = say


class TooSlow(ServiceError):
    """A question about many people took longer than a server may spend on it; nothing changed."""

    code = "too_slow"
    status = 503
    say: str = Sentence("发送对象的条件太复杂，统计超时。请减少条件或缩小范围，或稍后再试。")


class ConfigError(ServiceError):
    """A setting is wrong or missing; the message names it and the remedy."""

    code = "config"
