"""What a check finds (检查结果), in English for the terminal and in Chinese for the console."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from domain.sentence import Sentence

Verdict = Literal["good", "note", "bad"]
TOLERANCE = timedelta(seconds=30)  # tokens, signatures and schedules stand that much


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at; `remedy` and `do` say what to do when it is not good."""

    about: str
    verdict: Verdict
    detail: str
    remedy: str = ""
    say: str  # `detail` in Chinese
    do: str = ""  # `remedy` in Chinese


def about_time(about: str, detail: str, say: str, theirs: datetime, now: datetime) -> Finding:
    """Compare a server's clock with ours."""
    apart = abs(now - theirs)
    if apart <= TOLERANCE:
        return Finding(
            about=about, verdict="good", detail=detail, say=Sentence("{say}，时钟一致", say=say)
        )
    seconds = f"{apart.total_seconds():.0f}"
    return Finding(
        about=about,
        verdict="bad",
        detail=f"{detail}, but its clock and ours are {seconds} s apart",
        remedy="let both machines follow a time server (timedatectl set-ntp true)",
        say=Sentence("{say}，但它的时钟与本机相差 {seconds} 秒", say=say, seconds=seconds),
        do=Sentence("让两台机器都跟随时间服务器（timedatectl set-ntp true）。"),
    )


def worst(findings: list[Finding]) -> Verdict:
    """Return the verdict that counts for all of them together."""
    verdicts = {finding.verdict for finding in findings}
    return "bad" if "bad" in verdicts else "note" if "note" in verdicts else "good"
