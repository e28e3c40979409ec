"""A broadcast that can still be edited, for the tests that walk the console's routes."""

from dataclasses import replace
from datetime import time

from domain.audience import AllOf, AnyOf, Bound, Not, Tagged
from domain.broadcast import Audience
from domain.ids import TopicId
from tests.support.console import Console
from tests.support.push import order

RULE = AllOf((Tagged("老人"), AnyOf((Bound("vehicle"), Not(Tagged("学生"))))))


async def a_draft(console: Console) -> tuple[str, ...]:
    """A draft that makes use of every part of the page."""
    draft = replace(
        order(Audience(topics=(TopicId("outage.power"),), regions=(), rule=RULE)),
        cron="@tax D-5,D-0 09:00",
        window=(time(9), time(18)),
    )
    kept = await console.ctx.drafts.save(draft, author="operator:op_0:张编辑")
    return (kept.id,)


SAMPLES = {"compose.edit": a_draft}
