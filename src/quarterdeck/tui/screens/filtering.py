"""A screen whose rows can be filtered with /."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.widgets.prompt import FilterPrompt


class FilteringScreen(ConsoleScreen):
    """Keeps the line in which a filter is typed; the filter works while it is typed."""

    filter_hint = "filter: a word; !word drops it"
    _prompt: FilterPrompt | None = None

    @property
    def needle(self) -> str:
        """The filter in force."""
        raise NotImplementedError

    def set_needle(self, needle: str) -> None:
        """Another filter."""
        raise NotImplementedError

    @property
    def typing(self) -> bool:
        """Whether a filter is being typed."""
        return self._prompt is not None and self._prompt.display

    def open_selected(self) -> None:
        """Open what is selected."""

    def do_open(self) -> None:
        """Open what is selected; Enter may have been pressed before the line had the keys."""
        if self.typing:
            self.close_prompt()
        else:
            self.open_selected()

    def do_filter(self) -> None:
        """Ask for a filter."""
        if self._prompt is None:
            from quarterdeck.tui.widgets.prompt import FilterPrompt

            self._prompt = FilterPrompt(self.filter_hint)
            self.mount(self._prompt, before=self.query_one(StatusLine))
        else:
            self._prompt.display = True
            self.set_focus(self._prompt)
        self.console_app.redraw()

    def close_prompt(self) -> None:
        """The filter is typed."""
        if self._prompt is not None and self.typing:
            self.set_needle(self._prompt.text)
            self.set_focus(None)
            self._prompt.display = False
            self.console_app.redraw()

    def clear_filter(self) -> bool:
        """Take the filter away; ``False`` where there was none."""
        if not self.typing and not self.needle:
            return False
        self.close_prompt()
        if self._prompt is not None:
            self._prompt.clear()
        self.set_needle("")
        self.console_app.redraw()
        return True

    def takes_text(self, character: str) -> bool:
        """What was typed before the line had the keys."""
        if self._prompt is None or not self.typing:
            return False
        self._prompt.take(character)
        return True

    def on_input_changed(self, event: object) -> None:
        """The filter is being typed."""
        needle = str(getattr(event, "value", ""))
        if needle != self.needle:
            self.set_needle(needle)
            self.console_app.redraw()
