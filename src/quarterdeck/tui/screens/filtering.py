"""Screens whose rows can be filtered with /, and tables that can be sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.tui.screens.base import ConsoleScreen, RowsScreen
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarterdeck.tui.contract import Frame
    from quarterdeck.tui.status import Status
    from quarterdeck.tui.widgets.prompt import FilterPrompt
    from quarterdeck.tui.widgets.selection import Remembering, SelectionView


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

            self._prompt = FilterPrompt(self.filter_hint, self.needle)
            self.mount(self._prompt, before=self.query_one(StatusLine))
        else:
            if self._prompt.text != self.needle:
                self._prompt.put(self.needle)
            self._prompt.placeholder = self.filter_hint
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
            self._prompt.put("")
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


class ListingScreen(FilteringScreen, RowsScreen):
    """A table that is filtered and sorted as its state says."""

    @property
    def table(self) -> Remembering:
        """The table."""
        raise NotImplementedError

    @property
    def needle(self) -> str:
        """The filter in force."""
        return self.table.needle

    def set_needle(self, needle: str) -> None:
        """Another filter."""
        self.table.state.needle = needle
        self.table.change()

    def status_of(self, frame: Frame, hints: Sequence[tuple[str, str]]) -> Status:
        """What is wrong with the filter stands there as long as it is."""
        status = super().status_of(frame, hints)
        return status._replace(notice=self.table.said) if self.table.said and not status.notice else status

    # ---- sorting

    def do_sort(self) -> None:
        """The next order."""
        self.table.state.next_order()
        self._sorted()

    def sort_by(self, order: str) -> None:
        """An order, or the same one the other way round."""
        if self.table.state.order_by(order):
            self._sorted()

    def _sorted(self) -> None:
        self.table.change()
        words = self.table.order.words
        self.console_app.say(f"sorted {words}" if words.startswith("by ") else words)

    def on_selection_view_sorted_by(self, event: SelectionView.SortedBy) -> None:
        """A click on a title."""
        self.sort_by(event.order)

    def do_sort_state(self) -> None:
        """By state, severity or trouble."""
        self.sort_by("state")

    def do_sort_name(self) -> None:
        """By name."""
        self.sort_by("name")

    def do_sort_tps(self) -> None:
        """By tok/s."""
        self.sort_by("tps")

    def do_sort_queue(self) -> None:
        """By requests that wait."""
        self.sort_by("queue")

    def do_sort_memory(self) -> None:
        """By memory in use."""
        self.sort_by("memory")

    def do_sort_engine(self) -> None:
        """By what serves."""
        self.sort_by("engine")

    def do_sort_endpoint(self) -> None:
        """By endpoint."""
        self.sort_by("endpoint")

    def do_sort_host(self) -> None:
        """By machine."""
        self.sort_by("host")

    def do_sort_load(self) -> None:
        """By how busy it is."""
        self.sort_by("load")

    def do_sort_heat(self) -> None:
        """By temperature."""
        self.sort_by("heat")

    def do_sort_size(self) -> None:
        """By size."""
        self.sort_by("size")

    def do_sort_time(self) -> None:
        """By when it was."""
        self.sort_by("time")
