"""Why a broadcast stopped by itself (停止原因), in words for people.

The engine keeps its reasons for logs and machines, in English with codes and instants. What a
person wrote (a return, a pause) is no such reason and stays as it is.
"""

import re
from datetime import datetime

from domain.clock import in_beijing
from domain.sentence import Sentence

_MISSED = r"missed: (?:planned for|due at) (?P<due>\S+), looked at (?P<seen>\S+)"
_MOMENTS = frozenset({"due", "seen", "then"})
STOPS: tuple[tuple[str, Sentence], ...] = (  # the engine's spelling, and ours
    (f"{_MISSED}, and expired", Sentence("没有发送：计划 {due}，{seen} 轮到时已经失效")),
    (
        rf"{_MISSED}, when (?P<then>\S+) was due already",
        Sentence("没有发送：计划 {due}，{seen} 轮到时已到下一次（{then}）"),
    ),
    (_MISSED, Sentence("没有按时发送：计划 {due}，{seen} 才轮到，超过了允许的推迟时间")),
    ("its plan was cancelled", Sentence("所属的周期任务已取消")),
    ("its plan was paused", Sentence("所属的周期任务已暂停")),
    ("its recurring time cannot be read any more: .*", Sentence("周期已无法识别，请重新创建")),
    ("dead batch .*", Sentence("有批次反复中断、没有进展，已搁置")),
    (
        r"(?P<failed>\d+) of (?P<all>\d+) messages failed, last: (?P<last>.*)",
        Sentence("最近 {all} 条中有 {failed} 条失败，最后一条：{last}"),
    ),
    ("configuration: (?P<what>.*)", Sentence("微信因账号设置拒绝发送：{what}")),
    ("template or data refused: (?P<what>.*)", Sentence("微信不接受这个模板或内容：{what}")),
    ("paused by (?P<name>.*)", Sentence("接口 {name} 暂停")),
    ("cancelled by (?P<name>.*)", Sentence("接口 {name} 取消")),
)
_COMPILED = tuple((re.compile(spelling, re.DOTALL), words) for spelling, words in STOPS)


def stop_in_words(reason: str) -> str:
    """Return the engine's own reason as a sentence, any other text as it is."""
    for spelling, words in _COMPILED:
        if found := spelling.fullmatch(reason):
            values = found.groupdict()
            moments = {name: _moment(values[name]) for name in _MOMENTS & values.keys()}
            return Sentence(words.pattern, **(values | moments))
    return reason


def _moment(text: str) -> str:
    try:
        return f"{in_beijing(datetime.fromisoformat(text)):%Y-%m-%d %H:%M}"
    except ValueError:
        return text
