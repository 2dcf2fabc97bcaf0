"""Reading in the chat: which column is selected, what of it is in view, and how."""

from __future__ import annotations

from quarterdeck.tui.chat.column import ChatColumn
from quarterdeck.tui.chat.doing import ChatCommands


class ChatMoving(ChatCommands):
    """The keys that change nothing but the view."""

    columns: list[ChatColumn]

    def on_chat_column_picked(self, event: ChatColumn.Picked) -> None:
        """Clicked."""
        self._select(self.columns.index(event.column))

    def do_previous_column(self) -> None:
        """At the left."""
        self._select(self.sitting.at - 1)

    def do_next_column(self) -> None:
        """At the right."""
        self._select(self.sitting.at + 1)

    def _select(self, place: int) -> None:
        self.sitting.at = max(0, min(place, len(self.sitting.talk.columns) - 1))
        self.again()

    def do_formatted(self) -> None:
        """As it came, or rendered."""
        self.sitting.raw = not self.sitting.raw
        self.tell("answers as they came" if self.sitting.raw else "answers rendered as Markdown once they are done")
        self.again()

    def do_thoughts(self) -> None:
        """Fold or unfold."""
        self.sitting.unfolded = not self.sitting.unfolded
        self.again()

    def _scroll(self, lines: int) -> None:
        self.columns[self.sitting.at].text.scroll_by(lines)

    @property
    def _page(self) -> int:
        return max(1, self.columns[self.sitting.at].text.size.height - 1)

    def do_up(self) -> None:
        """A line back."""
        self._scroll(-1)

    def do_down(self) -> None:
        """A line on."""
        self._scroll(1)

    def do_page_up(self) -> None:
        """A window back."""
        self._scroll(-self._page)

    def do_page_down(self) -> None:
        """A window on."""
        self._scroll(self._page)

    def do_top(self) -> None:
        """To the beginning."""
        self.columns[self.sitting.at].text.to_top()

    def do_bottom(self) -> None:
        """To the end, and follow it."""
        self.columns[self.sitting.at].text.to_end()
