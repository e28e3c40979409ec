"""Dialogs as declarative steps (多轮对话): ask, check, go on, go back, expire.

A dialog is data plus one `finish`. The citizen can always answer a choice with its number, go
back with 返回 or 0, and leave with 退出. Answers are kept in the session, which is sealed.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.inquiry import Inquiry
from bot.services import Services
from domain.conversation import HandOver, Reply

Answers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """One numbered answer of a step: what we keep and what the citizen reads."""

    value: str
    label: str


Choices = Callable[[Inquiry, Services, Answers], Awaitable[Sequence[Choice]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question.

    `prompt` is a template of `templates/reply/` that gets `answers`. Either `parse` turns what
    was typed into the value to keep (raising `InvalidInput` with a hint), or `choices` lists
    what can be chosen: fixed, or found out when the step is reached. With both, what is not a
    choice is parsed. `skip` leaves the step out for these answers. A word that opens another
    service (社保) leaves the dialog, unless the step `takes_words`: 停水 is a topic too.
    """

    name: str
    prompt: str
    parse: Callable[[str], str] | None = None
    choices: Sequence[Choice] | Choices | None = None
    skip: Callable[[Answers], bool] | None = None
    takes_words: bool = False

    async def options(self, ask: Inquiry, use: Services, answers: Answers) -> Sequence[Choice]:
        """Return at most nine choices of this step for this citizen."""
        if self.choices is None:
            return ()
        found = await self.choices(ask, use, answers) if callable(self.choices) else self.choices
        if len(found) > 9:
            raise ValueError(f"step {self.name} offers more than nine choices")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """A named row of steps and what happens with the answers."""

    key: str
    title: str
    steps: tuple[Step, ...]
    finish: Callable[[Inquiry, Services, Answers], Awaitable["Outcome"]]

    def next_step(self, answers: Answers) -> Step | None:
        """Return the first step that still needs an answer."""
        for step in self.steps:
            if step.name not in answers and not (step.skip and step.skip(answers)):
                return step
        return None

    def without_last(self, answers: Answers, asked: Sequence[str]) -> dict[str, str]:
        """Return the answers with the latest one the citizen gave taken back."""
        given = [step.name for step in self.steps if step.name in answers and step.name in asked]
        return {name: value for name, value in answers.items() if not given or name != given[-1]}


@dataclass(frozen=True, slots=True)
class Begin:
    """Returned by a handler to start a dialog; steps already answered are left out."""

    dialog: Dialog
    answers: Answers = field(default_factory=dict)


Outcome = Reply | Begin | HandOver | None
