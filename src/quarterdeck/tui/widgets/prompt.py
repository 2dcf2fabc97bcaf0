"""The line in which a filter is typed."""

from __future__ import annotations

from quarterdeck.tui.widgets.typed_line import TypedLine


class FilterPrompt(TypedLine):
    """One line, without frame or blinking."""

    DEFAULT_CSS = """
    FilterPrompt, FilterPrompt:focus {
        height: 1; border: none; padding: 0 1; background: $ground-selected; color: $ink-strong;
        background-tint: $ground-selected 0%;
    }
    FilterPrompt > .input--placeholder { color: $ink-muted; }
    FilterPrompt > .input--cursor { background: $ink-accent; color: $background; }
    """

    def __init__(self, placeholder: str, text: str = "") -> None:
        super().__init__(placeholder=placeholder, id="prompt", select_on_focus=False, compact=True)
        self.cursor_blink = False
        self._early = text

    @property
    def text(self) -> str:
        """All that was typed, also before the keys came here."""
        return self.value + self._early

    def put(self, text: str) -> None:
        """Have another text in it."""
        self._early, self.value = "", text
        self.cursor_position = len(text)

    async def action_submit(self) -> None:
        """Enter is the screen's, at once: it ends the filter, and another Enter that waits already opens what is left."""
        self.screen.do_open()  # type: ignore[attr-defined]

    def take(self, text: str) -> None:
        """Put in what was typed before the keys came here."""
        if self.is_mounted:
            self.insert_text_at_cursor(text)
        else:
            self._early += text

    def on_mount(self) -> None:
        """From now on the keys come here, unless all is typed already."""
        if self.display:
            self.screen.set_focus(self)
        early, self._early = self._early, ""
        self.insert_text_at_cursor(early)
