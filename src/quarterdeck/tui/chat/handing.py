"""What of the chat is handed on: to the clipboard, into a file, as a case to be asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.engine.chat.columns import Column
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.screens.form import Answers, Field, FormScreen

if TYPE_CHECKING:
    from quarterdeck.tui.chat.sitting import Sitting
    from quarterdeck.tui.copying.doing import Copyable
    from quarterdeck.tui.saving.doing import Kind

READ_S = 8.0


class ChatHanding(ConsoleScreen):
    """Copies and saves."""

    sitting: Sitting

    def again(self) -> None:
        """Draw what changed."""
        self.console_app.redraw()

    def tell(self, text: str) -> None:
        """Say something of the chat."""
        self.console_app.say(printable(text, 300), READ_S, topic="chat")

    def _selected(self) -> Column | None:
        column = self.sitting.column
        if column is None:
            self.tell("there is no column yet; a adds a model")
        return column

    def to_copy(self) -> Sequence[Copyable]:
        """The newest answer of the selected column; its prompt, its thoughts, all that was said."""
        from quarterdeck.tui.copying.doing import Copyable

        column = self.sitting.column
        turn = column.last if column is not None else None
        if column is None or turn is None:
            return ()
        found = [Copyable("the answer", turn.answer.text), Copyable("the prompt", turn.prompt.typed)]
        found.append(Copyable("what it thought", turn.answer.reasoning))
        if not self.sitting.talk.hidden:
            found.append(Copyable("the column as Markdown", self._markdown([column])()))
        return found

    def do_copy(self) -> None:
        """Copy the answer; a second time: ask what else."""
        from quarterdeck.tui.copying.doing import copy

        copy(self.console_app, self.to_copy(), "there is no answer to copy")

    def document(self) -> object | None:
        """The conversation."""
        talk = self.sitting.talk
        if talk.hidden or not any(column.turns for column in talk.columns):
            return None
        from quarterdeck.report.chat import document

        return document(talk.columns, self.console_app.moment[1])

    def more_kinds(self) -> Sequence[Kind]:
        """The conversation to be read, and the last prompt to be asked again."""
        from quarterdeck.tui.saving.doing import Kind

        talk = self.sitting.talk
        reason = "names are hidden until you vote" if talk.hidden else ""
        asked = any(column.turns for column in talk.columns)
        reason = reason if asked else "nothing was asked yet"
        return (
            Kind(
                "Conversation (Markdown)",
                ".md",
                "Prompts, answers and their numbers, a section for each model.",
                lambda: self._markdown(list(talk.columns)),
                reason,
            ),
            Kind(
                "The last prompt as a case …",
                "",
                "Appended to a file of cases (JSONL).",
                self._case_kind,
                "" if asked else "nothing was asked yet",
                "c",
            ),
        )

    def _markdown(self, columns: Sequence[Column]) -> Callable[[], str]:
        """What was said up to now; it is written out at once, an answer may still grow."""
        from quarterdeck.report.chat import markdown

        text = markdown(columns, self.console_app.moment[1])
        return lambda: text

    def _case_kind(self) -> Callable[[], str]:
        self.do_save_case()
        return str

    def do_save_case(self) -> None:
        """Append the last prompt to a file."""
        column = self._selected()
        turn = column.last if column is not None else None
        if column is None or turn is None:
            self.tell("nothing was asked yet: what is saved as a case is a prompt that was sent")
            return
        from quarterdeck.tui.chat.cases import append, case_of

        try:
            case = case_of(turn)
        except UsageError as error:
            self.tell(error.message)
            return

        def take(answers: Answers | None) -> None:
            if answers is None:
                return
            self.sitting.case_file = answers["file"]
            self.sitting.spawn(asyncio.get_running_loop().create_task(write(Path(answers["file"]).expanduser())))

        async def write(path: Path) -> None:
            try:
                count = await asyncio.to_thread(append, path, case)
            except UsageError as error:
                self.tell(error.message)
            else:
                self.tell(f"saved as line {count} of {path}")

        field = Field(
            "file",
            "file",
            self.sitting.case_file,
            "cases.jsonl",
            "It is appended; the prompt is on disk then.",
            _needed,
        )
        self.app.push_screen(FormScreen("Save the last prompt as a case", [field], take))  # fmt: skip


def _needed(text: str) -> str:
    return "" if text else "a file is needed"
