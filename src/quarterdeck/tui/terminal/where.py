"""Where on the terminal a widget is drawn, so that what changes in it need not go through the compositor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.geometry import Region

if TYPE_CHECKING:
    from textual.widget import Widget


class Where:
    """Of one widget; looked up once in each layout."""

    def __init__(self) -> None:
        self._found: tuple[object, Region | None] = (None, None)

    def of(self, widget: Widget) -> Region | None:
        """Its lines on the terminal without scrollbars; ``None`` where something lies over it, cuts it off or is about to move it."""
        screen = widget.screen
        moves = screen._layout_required or screen._scroll_required  # noqa: SLF001  (nothing public tells)
        if moves or not screen.is_active or widget.styles.gutter:  # (below a dialog a screen is "current", too)
            return None
        seen = screen._compositor.visible_widgets  # noqa: SLF001  (another object after each layout)
        if self._found[0] is not seen:
            self._found = (seen, in_full(widget, seen))
        return self._found[1]


def in_full(widget: Widget, seen: Mapping[Widget, tuple[Region, Region]]) -> Region | None:
    """Where ``widget`` is, if all of it is seen. ``seen``: where each is and what it is cut to, from the front to the back."""
    if widget not in seen:
        return None
    (x, y, _, _), clip = seen[widget]
    region = Region(x, y, *widget.scrollable_content_region.size)
    if not region or not clip.contains_region(region):
        return None
    for other, (place, _) in seen.items():
        if other is widget:
            return region
        if place.overlaps(region):
            return None
    return None
