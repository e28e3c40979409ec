"""One thing a citizen said or tapped (咨询), as a handler sees it."""

from dataclasses import dataclass
from datetime import date, datetime

from domain.clock import in_beijing
from domain.conversation import Inbound
from domain.ids import AccountId, OpenId


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What was said, by whom and when.

    `text` is normalised (NFKC, outer space and closing punctuation gone) and empty for taps and
    events; `argument` is what followed the word: `停水 福田区` → `福田区`; `scene` is what
    followed the prefix of a scanned code.
    """

    message: Inbound
    text: str = ""
    argument: str = ""
    scene: str = ""

    @property
    def account(self) -> AccountId:
        return self.message.account

    @property
    def openid(self) -> OpenId:
        return self.message.openid

    @property
    def at(self) -> datetime:
        return self.message.at

    @property
    def today(self) -> date:
        """The date in China."""
        return in_beijing(self.message.at).date()
