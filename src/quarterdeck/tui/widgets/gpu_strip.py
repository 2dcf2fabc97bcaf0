"""The machines under the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quarterdeck.tui.hosts import compact_height, host_lines, roomy_height
from quarterdeck.tui.widgets.lines_view import LinesBlock

if TYPE_CHECKING:
    from quarterdeck.model.host import HostView

SMALLEST_TABLE = 9
"""Lines that the table keeps (its title among them) before a host gets one."""


def strip_height(hosts: Sequence[HostView], rows: int, height: int) -> int:
    """Lines for the hosts on a screen with ``height`` lines for them and a table of ``rows`` rows.

    One line a GPU where the whole table fits as well; else one line a host, as far as the table stays useful; else none.
    """
    if not hosts:
        return 0
    full = roomy_height(hosts)
    if rows + 2 + full <= height:
        return full
    return min(compact_height(hosts), max(0, height - min(rows + 1, SMALLEST_TABLE)), max(1, height // 3))


class GpuStrip(LinesBlock):
    """One line a host, or one a GPU."""

    def __init__(self) -> None:
        super().__init__(id="hosts", height=0)
        self._height = 0

    def show_hosts(self, hosts: Sequence[HostView], rows: int, room: int, now: float) -> int:
        """Show the hosts in what a table of ``rows`` rows leaves of ``room`` lines; how many lines that takes."""
        height = strip_height(hosts, rows, room)
        if height != self._height:
            self._height = height
            self.styles.height = height
        self.show(host_lines(hosts, self.full_width, height, now))
        return height
