"""Where a prompt is typed: Enter sends it, ctrl+j makes a new line, long pastes are folded, up and down go through what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from quarterdeck.config.keynames import is_text
from quarterdeck.tui.chat.wrapping import clean
from quarterdeck.tui.commands import commands_for

if TYPE_CHECKING:
    from textual.app import App

    from quarterdeck.tui.app import ConsoleApp

PLACEHOLDER = "prompt: Enter sends, ctrl+j is a new line, @path attaches a file"
_FOLDED_FROM = 3000
"""Longer pastes are shown as one word: a text area lays out all it holds."""
MOST_HISTORY = 200
_AT_ONCE, _WHILE_TYPING = ("submit", "write", "back"), ("editor", "page_up", "page_down")
_MOST_PASTES = 20
"""Older ones are forgotten; the history may name more."""


class History:
    """What was sent: by this console, and before it what is kept of others."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self._at: int | None = None
        self._draft = ""

    def add(self, text: str) -> None:
        """Something was sent."""
        if text and (not self.entries or self.entries[-1] != text):
            self.entries.append(text)
            del self.entries[:-MOST_HISTORY]
        self._at = None

    def put_before(self, older: Sequence[str]) -> None:
        """What was sent earlier, the newest last. Where one stands in the history does not change."""
        before = [text for text in older if text not in self.entries]
        before = before[max(0, len(before) - (MOST_HISTORY - len(self.entries))) :]
        self.entries[:0] = before
        self._at = None if self._at is None else self._at + len(before)

    def step(self, by: int, current: str) -> str | None:
        """The entry before (-1) or after (+1); ``None`` where there is none. After the last comes what was being typed."""
        at = len(self.entries) if self._at is None else self._at
        wanted = at + by
        if not 0 <= wanted <= len(self.entries) or (self._at is None and by > 0):
            return None
        if self._at is None:
            self._draft = current
        self._at = wanted if wanted < len(self.entries) else None
        return self._draft if self._at is None else self.entries[wanted]


class Draft:
    """What is being typed, which outlives the screen: the text, and what was pasted into it."""

    def __init__(self) -> None:
        self.text = ""
        self.pasted: dict[str, str] = {}
        """By what stands for it in the text."""
        self.history = History()
        self._pastes = 0

    def fold(self, text: str) -> str:
        """What stands for a long paste; a short one stays as it is."""
        if len(text) < _FOLDED_FROM:
            return text
        self._pastes += 1
        stand_in = f"[paste {self._pastes}: {len(text)} characters]"
        self.pasted[stand_in] = text
        while len(self.pasted) > _MOST_PASTES:
            del self.pasted[next(iter(self.pasted))]
        return stand_in

    def used(self, text: str) -> dict[str, str]:
        """The pastes that stand in ``text``."""
        return {stand_in: pasted for stand_in, pasted in self.pasted.items() if stand_in in text}

    def unfolded(self, text: str) -> str:
        """``text`` with all its pastes."""
        for stand_in, pasted in self.used(text).items():
            text = text.replace(stand_in, pasted)
        return text


class Writing(Protocol):
    """The screen that the box is on."""

    typing: bool
    """Whether the keys are meant for the box."""

    def action_run(self, command: str) -> None:
        """Do a command of the table: Enter, Tab or Esc was pressed."""


class PromptBox(TextArea):
    """The box."""

    DEFAULT_CSS = """
    PromptBox, PromptBox:focus {
        height: 3; border: none; padding: 0 1; background: $ground-head; color: $ink-strong;
        background-tint: $ground-head 0%; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
        scrollbar-color: $ink-faint; scrollbar-background: $ground-head;
        scrollbar-background-hover: $ground-head; scrollbar-background-active: $ground-head;
    }
    PromptBox:focus { background: $ground-selected; background-tint: $ground-selected 0%; }
    PromptBox > .text-area--placeholder { color: $ink-muted; }
    PromptBox > .text-area--cursor, PromptBox:dark > .text-area--cursor, PromptBox:light > .text-area--cursor {
        background: $ink-accent; color: $background;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+j,shift+enter,alt+enter", "newline", "New line", show=False),
        Binding("ctrl+e", "screen.run('editor')", "Editor", show=False),
        Binding("ctrl+f", "screen.run('page_down')", show=False),
        Binding("ctrl+b", "screen.run('page_up')", show=False),
        Binding("pageup", "screen.run('page_up')", show=False),
        Binding("pagedown", "screen.run('page_down')", show=False),
        Binding("up", "earlier", show=False),
        Binding("down", "later", show=False),
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__(
            "", soft_wrap=True, compact=True, highlight_cursor_line=False, placeholder=PLACEHOLDER, id="prompt"
        )
        self.cursor_blink = False
        self.draft = draft
        self._at_once: dict[str, str] = {}
        """Commands that say where the next keys go, by key."""
        self._early = draft.text
        """Typed before the box was there."""

    def _post_register(self, app: App[Any]) -> None:
        """Before the first key: the keys of the chat that are no text."""
        super()._post_register(app)
        table = cast("ConsoleApp", app).key_table
        for command in commands_for("chat", keys=table):
            keys = [key for key in command.keys if not is_text(key)]
            if command.id in _AT_ONCE:
                self._at_once |= dict.fromkeys(keys, command.id)
            elif table is not None and command.id in _WHILE_TYPING:
                self._rebind(f"screen.run('{command.id}')", keys)

    def _rebind(self, action: str, keys: Sequence[str]) -> None:
        """Other keys for a command that is there while somebody types."""
        bound = self._bindings.key_to_bindings
        mine = {key for key, each in bound.items() if any(binding.action == action for binding in each)}
        self._bindings.key_to_bindings = {key: each for key, each in bound.items() if key not in mine} | {
            key: [Binding(key, action, show=False)] for key in keys
        }

    def on_mount(self) -> None:
        """What was typed before."""
        early, self._early = self._early, ""
        self.text = early
        self.move_cursor(self.document.end)

    def type(self, text: str) -> None:
        """Put in what was typed before the keys came here."""
        if self.is_mounted:
            self.insert(text)
        else:
            self._early += text

    @property
    def typed(self) -> str:
        """All that was typed, also before the box was there."""
        return self.text + self._early

    def set_text(self, text: str) -> None:
        """Another text."""
        self.text = text
        self.move_cursor(self.document.end)

    def on_text_area_changed(self) -> None:
        """The draft outlives the screen."""
        self.draft.text = self.text

    async def _on_key(self, event: events.Key) -> None:
        """Keys that say where the next ones go are done here, at once: those wait in this box's queue already."""
        screen = cast("Writing", self.screen)
        if not screen.typing:
            event.prevent_default()  # a command: it goes on to the screen
            return
        command = self._at_once.get(event.key)
        if command is not None:
            event.stop()
            event.prevent_default()
            screen.action_run(command)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        if cast("Writing", self.screen).typing:
            self.insert(self.draft.fold(clean(event.text)))

    def action_newline(self) -> None:
        """A new line in the prompt."""
        self.insert("\n")

    def action_earlier(self) -> None:
        """Up; on the first line: what was sent before."""
        if self.cursor_at_first_line:
            self._step(-1)
        else:
            self.action_cursor_up()

    def action_later(self) -> None:
        """Down; on the last line: what was sent after it."""
        if self.cursor_at_last_line:
            self._step(1)
        else:
            self.action_cursor_down()

    def _step(self, by: int) -> None:
        found = self.draft.history.step(by, self.text)
        if found is not None:
            self.set_text(found)
