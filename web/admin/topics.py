"""The catalogue of topics (主题目录): who follows what, how it is sent, and what feeds it."""

from dataclasses import dataclass

from domain.channel import TITLES as CHANNEL_TITLES
from domain.topic import Topic
from push.triggers.topics import TITLES, triggers_of
from web.admin.base import AdminPage
from web.admin.table import ACCOUNT, route
from web.admin.words import mark

_SCOPES = {
    "region": mark("按地区"),
    "vehicle": mark("按绑定的车辆"),
    "person": mark("按实名绑定的本人"),
    "none": mark("所有人"),
}
_ASKED = mark("已开始重新统计，完成后刷新本页即可看到。")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One topic as a row: its people, and its triggers with whether they are on here."""

    topic: Topic
    people: int | None
    scope: str
    channels: tuple[str, ...]
    triggers: tuple[tuple[str, bool], ...]


class TopicsPage(AdminPage):
    """Every topic; its numbers are of the last snapshot, never counted here."""

    async def get(self) -> None:
        numbers = await self.ctx.topic_numbers.find(self.account_id)
        self.page(
            "admin/topics.html",
            lines=[
                self._line(topic, numbers.topics.get(topic.id) if numbers else None)
                for topic in self.ctx.catalogue.topics.values()
            ],
            numbers=numbers,
        )

    async def post(self) -> None:
        await self.ctx.topic_numbers.ask(self.account_id)
        self.flash(_ASKED, "info")
        self.go("topics")

    def _line(self, topic: Topic, people: int | None) -> Line:
        settings = self.ctx.settings.triggers
        return Line(
            topic=topic,
            people=people,
            scope=self.say(_SCOPES[topic.scope]),
            channels=tuple(self.say(CHANNEL_TITLES[channel]) for channel in topic.channels),
            triggers=tuple(
                (
                    self.say(TITLES.get(name, name)),
                    name in settings and self.account_id in settings[name].accounts,
                )
                for name in triggers_of(topic.id)
            ),
        )


routes = (
    route(
        ACCOUNT + "topics",
        TopicsPage,
        "topics",
        get="topics.read",
        post="topics.read",
        nav=mark("主题目录"),
    ),
)
