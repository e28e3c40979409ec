"""The console (管理台): pages for the people who run an account. `routes.py` lists them all.

How an area is added, in one module `web/admin/<area>.py` and templates `admin/<area>*.html`:

    class TopicPage(AdminPage):
        async def get(self, topic: str) -> None:
            await self.show(topic)

        async def post(self, topic: str) -> None:
            form = self.form(TopicForm)                     # pydantic; or FormRefused
            await self.ctx.topics.rename(self.account_id, topic, form.title)
            await self.note("topic.rename", topic, after={"title": form.title})
            self.flash("已保存。")
            self.go("topics")                               # 303 to the route of that name

        async def again(self, refused: FormRefused, topic: str) -> None:
            await self.show(topic, values=refused.values, errors=refused.errors)

        async def show(self, topic: str, **more: Any) -> None:
            self.page("admin/topic.html", topic=..., **more)

    routes = (
        route(r"/admin/a/{account}/topics", TopicsPage, "topics",
              get="topics.read", nav=mark("主题")),
        route(r"/admin/a/{account}/topics/([\\w.]+)", TopicPage, "topic",
              get="topics.read", post="topics.write"),
    )

and one name more in `AREAS` of `routes.py`. The account is taken out of the path: it is
`self.account`. A template extends `admin/layout.html`, fills the blocks `title`, `actions`,
`content` (and `styles`, `scripts`), and imports `admin/_ui.html` with context. It may use
`address(name, …)`, `can(right)`, `csrf_field()`, `static(file)`, `npm(file)`, `_("…")`, `account`,
`operator`, `values`, `errors`, `now`. English goes into `templates/admin/en/<area>.po`.

`tests/support/console_routes.py` gives the tests that walk the table an address of each route that
needs more than an account; a route that is not there is tried with a made-up id.
"""
