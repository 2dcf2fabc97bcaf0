"""The last line of the screen, and the banner above the table."""

from __future__ import annotations

from quarterdeck.format import printable
from quarterdeck.tui.lines import MUTED, Line, Run, cut, wrap
from quarterdeck.tui.status import Status, status_line
from quarterdeck.tui.widgets.lines_view import LinesBlock


class StatusLine(LinesBlock):
    """What is polled, how many are well, and the news."""

    def __init__(self) -> None:
        super().__init__(id="status", height=1)

    def show_status(self, status: Status) -> None:
        """Show another status."""
        if bar := getattr(self.app, "replay_bar", ""):  # `quarterdeck.tui.everywhere`
            status = status._replace(replay=bar, hints=getattr(self.app, "replay_hints", ()))
        self.show([status_line(status, self.full_width)])


class Banner(LinesBlock):
    """What is wrong with the fleet file (the first problem in full, and how to see the others) and with the theme."""

    def __init__(self, problems: tuple[str, ...], of_theme: tuple[str, ...] = ()) -> None:
        super().__init__(id="banner", height=1)
        self._problems, self._of_theme = problems, of_theme

    def resized(self) -> None:
        """Draw for the new width."""
        lines = [*banner_lines(self._problems, self.size.width), *banner_lines(self._of_theme, self.size.width)]
        self.styles.height = len(lines)
        self.show(lines)


def banner_lines(problems: tuple[str, ...], width: int) -> list[Line]:
    """The first problem in two lines at most, and in another one how to see the rest."""
    parts = wrap(printable(problems[0], 300), max(8, width - 4))[:2] if problems else []
    lines = [
        [Run(" ! " if place == 0 else "   ", "state-down-word"), Run(part, "state-down")]
        for place, part in enumerate(parts)
    ]
    if len(problems) > 1:
        lines.append([Run(f"   {len(problems) - 1} more: `quarterdeck config check`", MUTED)])
    return [Line(cut(runs, width), "head") for runs in lines]
