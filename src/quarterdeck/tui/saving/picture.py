"""A view as a picture (SVG): what is seen, in the colours of the theme; the same view gives the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from quarterdeck.tui.screens.base import ConsoleScreen

_ID = "quarterdeck"


def seen(screen: ConsoleScreen) -> RenderableType:
    """The screen as it is now, without the dialogs over it."""
    return screen._compositor.render_update(full=True) or ""  # noqa: SLF001  (as `App.export_screenshot` does)


def drawn(view: RenderableType, width: int, height: int, title: str) -> str:
    """The picture. Takes a while: for a thread."""
    from rich.console import Console

    console = Console(
        width=width,
        height=height,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
        legacy_windows=False,
        safe_box=False,
        _environ={},  # NO_COLOR and COLUMNS are the terminal's
    )
    console.print(view)
    return console.export_svg(title=title, unique_id=_ID)
