"""One turn of the talk: what was said and the session in, the answer and the session out.

Order of meaning: a word that works always; the running dialog; a number of the list printed
last; a menu key, word or pattern; the fallback. Errors of the citizen's making become hints
here; all others travel to the dispatcher.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from bot.dialog import Begin, Choice, Dialog, Outcome, Step
from bot.inquiry import Inquiry
from bot.presence import Presence
from bot.router import Match, Routes
from bot.services import Services
from bot.session import Session
from connectors.asking import asking_for
from domain.conversation import (
    Answer,
    Follow,
    HandOver,
    Inbound,
    MenuClick,
    Option,
    Reply,
    Scan,
    TextMessage,
    Unfollow,
    VoiceMessage,
)
from domain.errors import CitizenError, InvalidInput
from domain.figures import Figures
from templates.environment import Renderer

_SIGNS_OF_LIFE = (TextMessage, VoiceMessage, MenuClick, Scan)
BACK_WORDS = frozenset({"返回", "上一步", "0"})
_NUMERALS = {
    "一": 1,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_NUMBER = re.compile(r"(?:第|选|回复)?([1-9一二三四五六七八九])(?:个|项|号|、|\.)?")
_KEYCAP = dict.fromkeys(map(ord, "\ufe0e\ufe0f\u20e3"))  # what makes 1️⃣ of 1


def normalise(text: str) -> str:
    """Fold full-width forms, outer space and closing punctuation away: `停水。` → `停水`.

    What nobody sees (zero-width and direction marks of copied text) goes too. A text that is
    nothing but punctuation stays: somebody who writes `？` wants an answer.
    """
    folded = unicodedata.normalize("NFKC", text).translate(_KEYCAP)
    visible = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    spoken = " ".join(visible.split())
    return spoken.strip(" 。.!！?？,，;；~") or spoken


def chosen_number(text: str) -> int | None:
    """Return the number a citizen chose: `2`, `２`, `二`, `第二个`."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    digit = found.group(1)
    return _NUMERALS.get(digit) or int(digit)


class Conversation:
    """The talk with citizens, for every account of the installation."""

    def __init__(
        self,
        routes: Routes,
        services: Services,
        renderer: Renderer,
        presence: Presence | None = None,
        figures: Figures | None = None,
    ) -> None:
        self._routes = routes
        self._services = services
        self._renderer = renderer
        self._presence = presence
        self._figures = figures

    async def answer(self, message: Inbound, session: Session) -> Answer:
        """Answer one message, changing the session in place."""
        if self._presence and isinstance(message, _SIGNS_OF_LIFE):
            await self._presence.note(message)
        if self._figures and isinstance(message, Follow | Unfollow):
            come = isinstance(message, Follow)
            self._figures.add(message.account, "follow" if come else "unfollow")
        turn = _Turn(self._routes, self._services, self._renderer, message, session, self._figures)
        with asking_for(message.account):
            return await turn.run()


class _Turn:
    """The state of one turn, so that the steps below need not pass it around."""

    def __init__(
        self,
        routes: Routes,
        services: Services,
        renderer: Renderer,
        message: Inbound,
        session: Session,
        figures: Figures | None,
    ) -> None:
        self.routes = routes
        self.use = services
        self.renderer = renderer
        self.message = message
        self.session = session
        self.figures = figures
        self.ask = Inquiry(message=message, text=normalise(_spoken(message)))

    async def run(self) -> Answer:
        try:
            return await self._run()
        except CitizenError as error:
            return self._text(Reply.of("hint.txt", say=error.say))

    async def _run(self) -> Answer:
        session, text = self.session, self.ask.text
        expired = session.has_expired(self.message.at)
        was_in_dialog = session.dialog is not None
        if expired:
            session.end()
        if not text and not isinstance(self.message, TextMessage):
            return await self._tap()
        always = self.routes.find("always", text)
        if always:
            return await self._always(always)
        if expired and was_in_dialog and (chosen_number(text) or not self.routes.for_text(text)):
            return self._text(Reply.of("expired.txt"))
        dialog = self.routes.dialogs.get(session.dialog or "")
        if dialog:
            return await self._continue(dialog)
        number = chosen_number(text)
        if number is not None and number > len(session.options) > 0:
            raise InvalidInput(_out_of(len(session.options)))  # what was offered still stands
        if number is not None and session.options:
            self.ask = replace(self.ask, text=session.options[number - 1])
            always = self.routes.find("always", self.ask.text)  # an option may lead to 菜单
            if always:
                return await self._always(always)
        return await self._route(self.routes.for_text(self.ask.text) or self.routes.fallback)

    async def _tap(self) -> Answer:
        """Answer a menu tap, a scan or another event: whatever was going on is left."""
        message = self.message
        if isinstance(message, MenuClick):
            self.session.end()
            return await self._route(self.routes.find("menu", message.key) or self.routes.fallback)
        event = self.routes.find("event", type(message).__name__)
        if isinstance(message, Follow | Scan) and message.scene:
            self.session.end()
            scene = self.routes.for_scene(message.scene)
            if scene:
                self.ask = replace(self.ask, scene=message.scene)
            if scene and isinstance(message, Scan):
                return await self._route(scene)
            if scene and event:
                # a follow by a code: first the welcome (and its bookkeeping), then its purpose
                welcome = await self._route(event)
                purpose = await self._route(scene)
                return Answer("text", f"{welcome.text}\n\n{purpose.text}".strip())
        if event is None:
            return Answer.nothing()
        if isinstance(message, Follow):
            self.session.end()
        return await self._beside_dialog(event)

    async def _always(self, found: Match) -> Answer:
        if found.route.keeps_dialog:
            return await self._beside_dialog(found)
        self.session.end()
        return await self._route(found)

    async def _beside_dialog(self, found: Match) -> Answer:
        """Answer without leaving a running dialog, whose question then stands below again.

        Its numbers are the question's: the answer offers none of its own.
        """
        dialog = self.routes.dialogs.get(self.session.dialog or "")
        if dialog is None:
            self.session.end()
            return await self._route(found)
        self.ask = replace(self.ask, argument=found.argument)
        outcome = await found.handler(self.ask, self.use)
        step = dialog.next_step(self.session.answers)
        if step is None or not isinstance(outcome, Reply):
            return await self._show(outcome)
        answer = self.renderer.reply(replace(outcome, options=()))
        prompt = await self._prompt(dialog, step)
        return Answer("text", f"{answer}\n\n{prompt.text}")

    async def _route(self, found: Match) -> Answer:
        if self.figures and found.route.kind != "event":  # that somebody came is no question
            self.figures.add(self.message.account, f"q:{found.route.router}")
        self.ask = replace(self.ask, argument=found.argument)
        self.session.options = []
        return await self._show(await found.handler(self.ask, self.use))

    async def _show(self, outcome: Outcome) -> Answer:
        if outcome is None:
            return Answer.nothing()
        if isinstance(outcome, HandOver):
            return Answer("transfer", outcome.desk or "")
        if isinstance(outcome, Begin):
            return await self._begin(outcome)
        return self._text(outcome)

    def _text(self, reply: Reply) -> Answer:
        """Render a reply; its options are numbered and remembered."""
        if reply.options:
            self.session.offer([option.says for option in reply.options], self.message.at)
        return Answer("text", self.renderer.reply(reply))

    # --- dialogs --------------------------------------------------------------------------

    async def _begin(self, begin: Begin) -> Answer:
        self.session.begin(begin.dialog.key, begin.answers, self.message.at)
        return await self._advance(begin.dialog)

    async def _advance(self, dialog: Dialog) -> Answer:
        """Ask the next question, or finish."""
        step = dialog.next_step(self.session.answers)
        if step:
            return await self._prompt(dialog, step)
        answers = dict(self.session.answers)
        self.session.end()
        return await self._show(await dialog.finish(self.ask, self.use, answers))

    async def _prompt(self, dialog: Dialog, step: Step, *, hint: str = "") -> Answer:
        choices = await step.options(self.ask, self.use, self.session.answers)
        reply = Reply.of(
            step.prompt,
            options=[Option(choice.label, choice.value) for choice in choices],
            answers=self.session.answers,
        )
        text = self.renderer.question(
            reply, title=dialog.title, hint=hint, can_go_back=bool(self.session.asked)
        )
        return Answer("text", text)

    async def _continue(self, dialog: Dialog) -> Answer:
        session, text = self.session, self.ask.text
        session.begin_again(self.message.at)
        if text in BACK_WORDS:
            if not session.asked:
                session.end()
                return self._text(Reply.of("left.txt", title=dialog.title))
            session.answers = dialog.without_last(session.answers, session.asked)
            session.asked = [name for name in session.asked if name in session.answers]
            return await self._advance(dialog)
        step = dialog.next_step(session.answers)
        if step is None:
            return await self._advance(dialog)
        choices = await step.options(self.ask, self.use, session.answers)
        value = _chosen(choices, text)
        # the citizen may have changed their mind and named another service
        other = None if value is not None else self.routes.find("text", text)
        if other and not step.takes_words:
            session.end()
            return await self._route(other)
        try:
            session.answers[step.name] = _accept(step, choices, text) if value is None else value
        except InvalidInput as error:
            other = self.routes.for_text(text)
            if other:
                session.end()
                return await self._route(other)
            return await self._prompt(dialog, step, hint=error.say)
        session.asked.append(step.name)
        return await self._advance(dialog)


def _chosen(choices: Sequence[Choice], text: str) -> str | None:
    """Return the value of the choice that was named or numbered."""
    number = chosen_number(text)
    if number is not None and number <= len(choices):
        return choices[number - 1].value
    return next((c.value for c in choices if text in {c.label, c.value}), None)


def _accept(step: Step, choices: Sequence[Choice], text: str) -> str:
    """Return the value to keep for what was typed and is no choice, or raise `InvalidInput`."""
    if step.parse is None or (choices and chosen_number(text) is not None):
        raise InvalidInput(_out_of(len(choices)))
    return step.parse(text)


def _out_of(count: int) -> str:
    return f"请回复 1–{count} 中的一个数字。" if count > 1 else "请回复数字 1，或直接写要办的事。"


def _spoken(message: Inbound) -> str:
    """Return what was said: typed text, or a voice message's recognised text."""
    if isinstance(message, TextMessage):
        return message.text
    if isinstance(message, VoiceMessage):
        return message.recognition or ""
    return ""
