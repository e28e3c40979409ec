"""Channels (发送渠道): the platform's ways to a citizen, and what is sent over each.

A topic names the order in which they are tried; each recipient gets the first that may carry
the message. Their rules differ (`wechat-platform.md` 4.3–4.8):

- template 模板消息: follows; a repeat is recognised for ten minutes by its client_msg_id
- subscription 订阅通知: consented, once or for good; no key against repetition
- custom 客服消息: acted lately, within an allowance; no key against repetition
- mass 群发: follows; four a month for each person; a repeat is recognised for a day
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from domain.sentence import Sentence

ChannelName = Literal["template", "subscription", "custom", "mass"]
CHANNELS: tuple[ChannelName, ...] = get_args(ChannelName)
ConsentKind = Literal["long_term", "one_time"]
TEMPLATE_ONLY: tuple[ChannelName, ...] = ("template",)
TITLES: Mapping[ChannelName, str] = {
    "template": Sentence("模板消息"),
    "subscription": Sentence("订阅通知"),
    "custom": Sentence("客服消息"),
    "mass": Sentence("群发消息"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionNotice:
    """What a subscription notice says: the account's template for it and its finished fields."""

    template_id: str
    kind: ConsentKind
    fields: Mapping[str, str] = field(repr=False)  # WeChat key → value
