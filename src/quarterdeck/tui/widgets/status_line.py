"""The last line of the screen, and the banner above the table."""

from __future__ import annotations

from quarterdeck.format import printable
from quarterdeck.tui.lines import MUTED, Line, Run, cut
from quarterdeck.tui.status import Status, status_line
from quarterdeck.tui.widgets.lines_view import LinesBlock


class StatusLine(LinesBlock):
    """What is polled, how many are well, and the news."""

    DEFAULT_CSS = """
    StatusLine { height: 1; overflow-y: hidden; background: $ground-head; }
    """

    def show_status(self, status: Status) -> None:
        """Show another status."""
        self.show([status_line(status, self.size.width or self.app.size.width)])


class Banner(LinesBlock):
    """What is wrong with the fleet file, in one line."""

    DEFAULT_CSS = """
    Banner { height: 1; overflow-y: hidden; background: $ground-head; }
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(id="banner")
        self._problems = problems

    def resized(self) -> None:
        """Draw for the new width."""
        self.show([banner_line(self._problems, self.size.width)])


def banner_line(problems: tuple[str, ...], width: int) -> Line:
    """The first problem and how to see the others."""
    more = f"  {len(problems) - 1} more: `quarterdeck config check`" if len(problems) > 1 else ""
    first = Run(printable(problems[0], 400) if problems else "", "state-down")
    room = max(0, width - len(more) - 3)
    return Line(cut((Run(" ! ", "state-down-word"), *cut((first,), room), Run(more, MUTED)), width), "head")
