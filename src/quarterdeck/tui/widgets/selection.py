"""What all tables have in common: one row is selected, and mouse and keys move that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events
from textual.message import Message

from quarterdeck.tui.widgets.lines_view import LinesView

if TYPE_CHECKING:
    from quarterdeck.tui.columns import Order, RowsState

RIGHT_BUTTON = 3


class SelectionView(LinesView):
    """Lines of which one is selected, or a block of them."""

    class Opened(Message):
        """What is selected was double-clicked."""

    class ActedOn(Message):
        """Something was clicked with the right button."""

    class Selected(Message):
        """Something else was selected with the mouse."""

    class SortedBy(Message):
        """A column's title was clicked; ``order`` is the id of the order that it stands for."""

        def __init__(self, order: str) -> None:
            super().__init__()
            self.order = order

    @property
    def looked_at(self) -> range:
        """The lines of the window that show what is selected: over a slow line they are sent first."""
        return range(self.size.height)

    def move(self, by: int) -> None:
        """Select what is so many rows below."""
        raise NotImplementedError

    def page(self, pages: int) -> None:
        """Move by windows."""
        raise NotImplementedError

    def to_end(self, *, last: bool) -> None:
        """Select the first or the last."""
        raise NotImplementedError


class Remembering(SelectionView):
    """A table that is sorted, filtered, selected and scrolled as its state says, which outlives it."""

    def __init__(self, state: RowsState[Any], *, id: str) -> None:  # noqa: A002 (Textual's name)
        """``state`` is the view's; another table of the same view goes on where this one was."""
        super().__init__(id=id)
        self.state: RowsState[Any] = state
        self.said = ""
        """What is wrong with the filter."""
        self._restored = False

    @property
    def needle(self) -> str:
        """The filter in force."""
        return self.state.needle

    @property
    def order(self) -> Order:
        """How it is sorted."""
        return self.state.order

    def change(self) -> None:
        """The state says otherwise."""
        raise NotImplementedError

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Where it is scrolled to is remembered."""
        super().watch_scroll_y(old_value, new_value)
        if self._restored:
            self.state.top = round(new_value)

    def restore(self) -> None:
        """The first size is the moment to scroll to where one was."""
        if not self._restored and self.size.height:
            self._restored = True
            self.scroll_to(y=self.state.top, animate=False, immediate=True)


class RowsView(SelectionView):
    """One line a row, under a line of titles."""

    _at = 0
    """The place of the selected row."""

    @property
    def count(self) -> int:
        """Rows."""
        raise NotImplementedError

    def chosen(self) -> None:
        """The row at ``_at`` was chosen: remember which one it is, wherever it moves."""

    def select(self, place: int) -> None:
        """Select the row at ``place``, or the nearest there is."""
        if not self.count:
            return
        self._at = max(0, min(place, self.count - 1))
        self.chosen()
        self.keep_in_view()
        self.update_lines()

    def hold(self) -> None:
        """Choose the row that is selected because it stands there."""
        if self.count:
            self.chosen()

    def move(self, by: int) -> None:
        """Select another row."""
        self.select(self._at + by)

    def page(self, pages: int) -> None:
        """Move by windows."""
        self.move(pages * max(1, self.window - 1))

    def to_end(self, *, last: bool) -> None:
        """Select the first row or the last."""
        self.select(self.count - 1 if last else 0)

    @property
    def looked_at(self) -> range:
        """The line of the selected row, and its neighbours: one of them was selected before."""
        line = self._at - self.scroll_offset.y + 1
        return range(max(0, line - 1), line + 2)

    @property
    def window(self) -> int:
        """Rows that are seen at once."""
        return max(0, self.size.height - 1)

    def keep_in_view(self) -> None:
        """Scroll by half a window: each scroll repaints much, so there should be few."""
        top, window = self.scroll_offset.y, self.window
        if window and not top <= self._at < top + window:
            half = window // 2
            wanted = self._at - half if self._at >= top + window else self._at - (window - 1 - half)
            self.scroll_to(y=max(0, wanted), animate=False, immediate=True)

    def on_click(self, event: events.Click) -> None:
        """Select; a double click opens, the right button asks what can be done."""
        place = event.y - 1 + self.scroll_offset.y
        if event.y == 0 and self.count and (order := self.order_at(event.x)):
            self.post_message(self.SortedBy(order))
        if event.y == 0 or place >= self.count:
            return
        self.select(place)
        if event.button == RIGHT_BUTTON:
            self.post_message(self.ActedOn())
        elif event.chain == 2:
            self.post_message(self.Opened())
        else:
            self.clicked(event)
            self.post_message(self.Selected())

    def order_at(self, x: int) -> str:
        """The order that the title at ``x`` stands for; "" where there is none."""
        return ""

    def clicked(self, event: events.Click) -> None:
        """For subclasses in which it matters where in the row it was."""
