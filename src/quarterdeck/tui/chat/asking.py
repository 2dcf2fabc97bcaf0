"""From a typed prompt to one that is sent: files read, the policy asked, and people, where it leaves the house."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from textual.binding import Binding, BindingType

from quarterdeck.engine.chat.attaching import Prompt, names_files, prompt_of
from quarterdeck.engine.chat.columns import Column
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.chat.boundary import Rule, Verdict
from quarterdeck.model.fleet import Boundary
from quarterdeck.tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.chat.sitting import Sitting


class ConsentScreen(ConfirmScreen):
    """No letter says Yes: the next prompt may be typed already."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "nothing", show=False),
        Binding("h,l,q,n", "nothing", show=False),
    ]

    def __init__(self, question: str, impact: Sequence[str], verb: str, then: Callable[[bool], None]) -> None:
        """``then`` is called with the answer, also with No."""
        super().__init__(question, impact, verb, lambda: None)
        self._then = then

    def action_answer(self, yes: bool) -> None:
        """Close, and go on with the answer."""
        if self.is_current:
            self.app.pop_screen()
            self._then(yes)

    def action_nothing(self) -> None:
        """A letter that was typed ahead."""


class Sending:
    """One prompt on its way out, from Enter to the last answer to a question."""

    def __init__(
        self, app: ConsoleApp, sitting: Sitting, columns: Sequence[Column], then: Callable[[Prompt], None]
    ) -> None:
        """``then`` is called once all is asked, and sends."""
        self._app, self._sitting, self._columns, self._then = app, sitting, columns, then

    def begin(self, typed: str, refused: Callable[[], None]) -> None:
        """Read what it names, then ask; ``refused`` is called where it can't be sent as it is."""
        pasted = self._sitting.draft.used(typed)
        if not names_files(typed):
            self.ask(prompt_of(typed, pasted))
            return
        self._sitting.spawn(asyncio.get_running_loop().create_task(self._read(typed, pasted, refused)))

    async def _read(self, typed: str, pasted: dict[str, str], refused: Callable[[], None]) -> None:
        try:
            prompt = await asyncio.to_thread(prompt_of, typed, pasted)
        except UsageError as error:
            refused()
            self._app.say(f"not sent: {printable(error.message, 250)}", 10.0, topic="chat")
            return
        self.ask(prompt)

    def ask(self, prompt: Prompt) -> None:
        """One question for each endpoint that needs a yes; then it goes out. No leaves out that endpoint only."""
        verdicts = self._sitting.talk.verdicts(prompt, self._columns)
        asked = [(name, verdict, files) for name, (verdict, files) in verdicts.items() if verdict.rule is Rule.ASK]
        self._next(prompt, asked)

    def _next(self, prompt: Prompt, asked: list[tuple[str, Verdict, tuple[str, ...]]]) -> None:
        if not asked:
            self._then(prompt)
            return
        name, verdict, files = asked[0]
        spec = self._sitting.talk.spec(name)

        def answered(yes: bool) -> None:
            if yes:
                self._sitting.session.agree(name, files)
            self._next(prompt, asked[1:])

        question, impact = consent_words(name, spec, verdict, files)
        self._app.push_screen(ConsentScreen(question, impact, "Send it", answered))


def consent_words(
    name: str, spec: EndpointSpec | None, verdict: Verdict, files: Sequence[str]
) -> tuple[str, list[str]]:
    """The question, and what a yes means."""
    host = urlsplit(spec.url).hostname if spec is not None else None
    place = printable(host or name, 80)
    impact = [f"{printable(verdict.reason, 300)[:1].upper()}{printable(verdict.reason, 300)[1:]}."]
    if files:
        impact.append(f"With it: {', '.join(printable(path, 120) for path in files)}.")
    impact.append("What was said before in that column goes with it.")
    impact.append(f"Yes holds for {printable(name, 60)} until the console ends. No sends to the others only.")
    if spec is not None and spec.boundary is not Boundary.EXTERNAL:
        return f"This prompt leaves through {printable(name, 60)}. Send it?", impact
    return f"This prompt leaves for {place} (external). Send it?", impact
