"""The audit log: who did what, when, and how it went; the newest first."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult

from quarterdeck.engine.audit import audit_path, read
from quarterdeck.format import duration, printable
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.helping.legend import Sign
from quarterdeck.tui.lines import BAD, FAINT, MUTED, PLAIN, STRONG, Line, Run, cut, fit
from quarterdeck.tui.screens.base import PageScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

HINTS = (("back", "back"), ("refresh", "read again"), ("help", "help"))
MOST = 1000
_FAILED = ("failed", "refused", "denied", "stuck", "dead")
SIGNS = (
    Sign("time", "When, on this machine's clock in UTC.", MUTED),
    Sign("user", "Who."),
    Sign("what", "What was done, to which model, on which endpoint or machine."),
    Sign("begun", "Written before anything is done: a line without another after it was cut off.", MUTED),
    Sign("done in 2 s", "How it ended, and how long it took; cancelled: somebody stopped it.", MUTED),
    Sign(_FAILED[0], f"It could not be done, and why. Red, too: {', '.join(_FAILED[1:])}.", BAD),
)
"""From left to right."""


def audit_line(entry: Mapping[str, object], width: int) -> Line:
    """One line of it."""

    def told(name: str) -> str:
        value = entry.get(name)
        return "" if value is None else printable(str(value), 300)

    result = told("result")
    took = entry.get("duration_s")
    spent = f" in {duration(took)}" if isinstance(took, int | float) else ""
    where = told("target") or told("host")
    what = " ".join(part for part in (told("action"), told("model") or told("title")) if part)
    runs = (
        Run(f" {fit(told('time').replace('T', ' ')[:19], 20)}", MUTED),
        Run(fit(told("user"), 10) + " ", PLAIN),
        Run(fit(f"{what}{f' on {where}' if where else ''}", max(20, min(60, width - 60))) + "  ", STRONG),
        Run(f"{result}{spent}", BAD if result in _FAILED else MUTED),
        Run(f"  {told('words')}" if told("words") else "", FAINT if result not in _FAILED else PLAIN),
    )
    return Line(cut(runs, width))


class AuditScreen(PageScreen):
    """The audit log."""

    where = "audit"
    BINDINGS = bindings("audit")

    def __init__(self) -> None:
        super().__init__()
        self._head = LinesBlock(id="title", height=1)
        self._page = LinesBlock(id="page")
        self._status = StatusLine()
        self._entries: list[Mapping[str, object]] = []

    def compose(self) -> ComposeResult:
        """Title, lines, status."""
        yield from (self._head, self._page, self._status)

    @property
    def page(self) -> LinesBlock:
        """The lines."""
        return self._page

    def on_mount(self) -> None:
        """Read it."""
        self._entries = list(reversed(read(limit=MOST)))
        super().on_mount()

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the page."""
        width = max(1, self.room.width - 1)
        title = (Run("  Audit log  ", STRONG), Run(printable(str(audit_path()), 200), MUTED))
        self._head.show([Line(cut(title, self.room.width), "head")])
        self._page.show(
            [audit_line(entry, width) for entry in self._entries] or [Line((Run("  nothing was done yet", MUTED),))]
        )
        self._status.show_status(self.status_of(frame, HINTS))

    def document(self) -> object | None:
        """Its lines, as `quarterdeck audit --json` prints them."""
        return [dict(entry) for entry in self._entries]

    def do_refresh(self) -> None:
        """Read it again."""
        self._entries = list(reversed(read(limit=MOST)))
        self.console_app.redraw()
