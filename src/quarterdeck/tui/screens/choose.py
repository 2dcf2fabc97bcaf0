"""A list to choose from, over the screen it belongs to; what can't be chosen is greyed, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen

from quarterdeck.format import DASH, printable
from quarterdeck.tui.lines import FAINT, MUTED, STRONG, WARN, Line, Run, cell_width, cut, fit, spread, wrap
from quarterdeck.tui.widgets.lines_view import LinesBlock, LinesView

WIDTH = 84
_FRAME = 2
_KEY = 4
_NAMES, _NAMES_ALONE = 34, 60
"""Cells of the names at most, beside reasons and where there are none."""
_MOST_BELOW = 3
"""Lines below the list for what is said of the selected item …"""
_FEWEST = 4
"""… as long as so many are left for the list."""


class Item(NamedTuple):
    """Something to choose."""

    label: str
    aside: str = ""
    key: str = ""
    """As people read it; pressing it chooses."""
    reason: str = ""
    """Why it can't be chosen."""
    help: str = ""
    """What it does; said below the list while it is selected, in the place of the reason."""

    @property
    def told(self) -> str:
        """What is said of it below the list."""
        return printable(self.reason or self.help, 300)


def item_line(item: Item, width: int, names: int, *, selected: bool) -> Line:
    """Key, name, and at the right what it is, or why not; the reason takes what room there is."""
    tone = FAINT if item.reason else STRONG
    left = (
        Run("▌" if selected else " ", "accent"),
        Run(fit(f" {item.key}", _KEY), FAINT if item.reason else MUTED),
        Run(fit(printable(item.label, 60) or DASH, names) + "  ", tone),
    )
    text = printable(item.reason or item.aside, 200)
    room = max(0, width - 1 - _KEY - names - 4)
    return Line(
        cut(spread(left, (Run(fit(text, min(room, cell_width(text))) + " ", MUTED),), width), width),
        "selected" if selected else "box",
    )


def _wrapped(item: Item, width: int) -> list[str]:
    return wrap(item.told, max(8, width - 2)) if item.told else []


class Items(LinesView):
    """The list."""

    DEFAULT_CSS = """
    Items { background: $ground-head; scrollbar-background: $ground-head; }
    """

    class Chosen(Message):
        """An item was clicked."""

    def __init__(self, items: Sequence[Item]) -> None:
        super().__init__(id="items")
        self.items = items
        self.at = next((place for place, item in enumerate(items) if not item.reason), 0)
        widest = _NAMES if any(item.reason for item in items) else _NAMES_ALONE
        self._names = min(widest, max((cell_width(item.label) for item in items), default=0))
        self.set_length(len(items))

    def select(self, place: int) -> None:
        """Select an item and keep it in view."""
        self.at = max(0, min(place, len(self.items) - 1))
        top, height = self.scroll_offset.y, self.size.height
        if height and not top <= self.at < top + height:
            self.scroll_to(y=max(0, self.at - height // 2), animate=False, immediate=True)
        self.update_lines()

    def resized(self) -> None:
        """What is selected stays in view."""
        self.select(self.at)

    def line_at(self, y: int) -> Line:
        """An item."""
        place = y + self.scroll_offset.y
        if place >= len(self.items):
            return Line((), "box")
        width = self.scrollable_content_region.width
        return item_line(self.items[place], width, self._names, selected=place == self.at)

    def on_click(self, event: events.Click) -> None:
        """Choose. The right button opened the menu, a second click was meant for what was there before: they choose nothing."""
        place = event.y + self.scroll_offset.y
        if place < len(self.items) and event.button == 1 and event.chain == 1:
            self.select(place)
            self.post_message(self.Chosen())


class ChooseScreen(ModalScreen[None]):
    """A list and what is chosen from it."""

    DEFAULT_CSS = f"""
    ChooseScreen {{ align: center middle; background: transparent; }}
    ChooseScreen > #frame {{
        width: {WIDTH}; max-width: 100%; height: auto; max-height: 100%;
        background: $ground-head; border: round $ink-faint; layout: vertical;
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Back", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-8)", show=False),
        Binding("pagedown", "move(8)", show=False),
        Binding("home,g", "move(-999)", show=False),
        Binding("end", "move(999)", show=False),
        Binding("enter", "choose", show=False),
    ]

    widest = WIDTH
    share = 1.0
    """Of the height of the screen, at most."""

    def __init__(self, title: str, items: Sequence[Item], then: Callable[[int], None]) -> None:
        """``then`` is called at once with the place of what is chosen: what is typed ahead goes to what it opens."""
        super().__init__()
        self._then = then
        self._title = title
        self._head = LinesBlock(id="head", height=1)
        self._why = LinesBlock(id="why", height=1)
        self._items = Items(items)
        self._tone = MUTED

    def compose(self) -> ComposeResult:
        """Title, list, and a line for news."""
        from textual.containers import Container

        with Container(id="frame"):
            yield from (self._head, self._items, self._why)

    def on_mount(self) -> None:
        """As high as the list, if there is room."""
        self._draw()

    def on_resize(self) -> None:
        """Another size."""
        self._draw()

    def _draw(self) -> None:
        size = Size(self.app.size.width, int(self.app.size.height * self.share))
        width = min(self.widest, size.width) - _FRAME
        items = self._items.items
        said = max((len(_wrapped(item, width)) for item in items), default=0)
        below = max(1, min(said, _MOST_BELOW, size.height - _FRAME - 1 - _FEWEST))
        self._why.styles.height = below
        self._items.styles.height = max(1, min(len(items), size.height - _FRAME - 1 - below))
        title = (Run(f" {printable(self._title, 120)}", STRONG),)
        self._head.show([Line(spread(title, (Run("Enter, Esc goes back ", MUTED),), width), "box")])
        parts = _wrapped(items[self._items.at], width)[:below] if items else []
        told = [Line(cut((Run(f" {part}", self._tone),), width), "box") for part in parts]
        self._why.show([*told, *[Line((), "box")] * (below - len(told))])
        self._items.update_lines()

    def action_move(self, by: int) -> None:
        """Another item."""
        self._items.select(self._items.at + by)
        self._tone = MUTED
        self._draw()

    def action_choose(self) -> None:
        """Take the selected one."""
        if not self._items.items or not self.is_current:
            return
        item = self._items.items[self._items.at]
        if item.reason:
            self._tone = WARN
            self._draw()
        else:
            self.app.pop_screen()
            self._then(self._items.at)

    def on_click(self, event: events.Click) -> None:
        """Beside the menu: choose nothing."""
        if event.widget is self:
            self.action_close()

    def on_items_chosen(self) -> None:
        """Take what was clicked."""
        self.action_choose()

    def on_key(self, event: events.Key) -> None:
        """An item's own key."""
        place = next(
            (at for at, item in enumerate(self._items.items) if item.key and item.key == event.character), None
        )
        if place is not None:
            event.stop()
            self._items.select(place)
            self.action_choose()

    def action_close(self) -> None:
        """Choose nothing."""
        if self.is_current:
            self.app.pop_screen()
