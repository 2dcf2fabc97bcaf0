"""From the prompt to the columns, and what stops an answer."""

from __future__ import annotations

from collections.abc import Callable

from quarterdeck.engine.chat.attaching import Prompt
from quarterdeck.engine.chat.columns import Column
from quarterdeck.tui.chat.asking import Sending
from quarterdeck.tui.chat.moving import ChatMoving
from quarterdeck.tui.chat.prompt_box import PromptBox


class ChatSending(ChatMoving):
    """The keys that send and cancel."""

    prompt: PromptBox

    def send(self) -> None:
        """Send what is typed to all columns, if it may go there."""
        talk, typed = self.sitting.talk, self.prompt.typed
        if why := self._why_not(typed):
            self.tell(why)
        elif not talk.columns:
            self.do_add_column()
        else:
            sending = self._sending(list(talk.columns), lambda prompt: talk.send(prompt, list(talk.columns)))
            self._set_draft("")  # what is typed from now on is the next one
            self.sitting.draft.history.add(typed)
            sending.begin(typed, lambda: self._set_draft(typed + self.prompt.typed))

    def _set_draft(self, text: str) -> None:
        self.sitting.draft.text = text
        if self.is_attached:
            self.prompt.set_text(text)

    def _why_not(self, typed: str) -> str:
        if self.console_app.read_only:
            return "read-only: nothing is sent from here; a request costs the server work"
        if self.sitting.talk.busy:
            return "answers are still coming; Esc cancels them"
        return "" if typed.strip() else "nothing is typed"

    def _sending(self, columns: list[Column], send: Callable[[Prompt], None]) -> Sending:
        def go(prompt: Prompt) -> None:
            send(prompt)
            for pane in self.columns:
                pane.text.following = True
            self.again()

        return Sending(self.console_app, self.sitting, columns, go)

    def do_retry_column(self) -> None:
        """The last prompt once more."""
        column = self.sitting.column
        if column is None or column.last is None:
            self.tell("nothing was asked yet")
        elif column.busy:
            self.tell("its answer is still coming; x cancels it")
        elif self.console_app.read_only:
            self.tell(self._why_not(""))
        else:
            self._sending([column], lambda _: self.sitting.talk.retry(column)).ask(column.last.prompt)

    def do_cancel_column(self) -> None:
        """Stop the selected one."""
        column = self.sitting.column
        if column is not None and column.busy:
            self.sitting.talk.cancel(column)
            self.call_later(self.again)
        else:
            self.tell("nothing is on its way there")

    def do_new_chat(self) -> None:
        """Forget what was said."""
        self.sitting.talk.clear()
        self.again()

    def do_editor(self) -> None:
        """Write the prompt elsewhere."""
        from quarterdeck.tui.chat.editor import edit

        self.sitting.spawn(edit(self.console_app, self.prompt))
