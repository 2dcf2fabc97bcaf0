"""The list of themes: the selected one is seen on the whole screen at once; Enter takes it, Esc puts the old one back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quarterdeck.tui.colors.previewing import ThemePreview
from quarterdeck.tui.colors.theme_list import Listed, listed
from quarterdeck.tui.screens.choose import ChooseScreen, Item

if TYPE_CHECKING:
    from quarterdeck.tui.everywhere import Everywhere

WIDTH = 50


def items(themes: Sequence[Listed]) -> list[Item]:
    """What the list shows of them."""
    return [_item(theme) for theme in themes]


def _item(theme: Listed) -> Item:
    if theme.problem:
        return Item(theme.name, reason=theme.problem)
    kind = "dark" if theme.dark else "light"
    aside = ", ".join(part for part in (theme.whose, kind) if part)
    told = theme.about or {"": "", "yours": "from your own folder"}.get(theme.whose, "comes with the terminal library")
    return Item(theme.name, aside, help=told)


class ThemesScreen(ChooseScreen):
    """Narrow, and at the side: what matters is what is seen beside it."""

    DEFAULT_CSS = f"""
    ThemesScreen {{ align: right middle; }}
    ThemesScreen > #frame {{ width: {WIDTH}; }}
    """
    widest = WIDTH
    share = 0.75

    def __init__(self, app: Everywhere) -> None:
        themes = listed(app.theme_folders)
        self._names = [theme.name for theme in themes]
        self._host = app
        self._preview = ThemePreview(app)
        super().__init__("Theme", items(themes), self._take)
        if app.theme in self._names:
            self._items.at = self._names.index(app.theme)

    def on_mount(self) -> None:
        """With the theme in force selected."""
        super().on_mount()
        self.call_after_refresh(self._items.select, self._items.at)

    def action_move(self, by: int) -> None:
        """Another one, seen at once; where it can't be used, the one in force."""
        super().action_move(by)
        usable = not self._items.items[self._items.at].reason
        self._preview.show(self._names[self._items.at] if usable else "")

    def action_close(self) -> None:
        """As it was."""
        if self.is_current:
            self._preview.end()
            super().action_close()

    def _take(self, place: int) -> None:
        self._host.take_theme(self._names[place])
