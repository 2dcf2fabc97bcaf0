"""Every theme there is, and what is wrong with those that can't be used. Pure but for the files it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from textual.theme import BUILTIN_THEMES

from quarterdeck.format import printable
from quarterdeck.tui.colors import themes

YOURS = "yours"
TEXTUALS = "Textual's"
_MOST = 200
"""Files that are looked at in a folder."""
_LONGEST = 80
_FIRST = (themes.DEFAULT_THEME, themes.LIGHT_THEME)
_USUAL = ("textual-dark", "textual-light")


class Listed(NamedTuple):
    """A theme that can be chosen, or why it can't."""

    name: str
    dark: bool = True
    about: str = ""
    whose: str = ""
    """"" = ours."""
    problem: str = ""


def listed(folders: Sequence[Path]) -> list[Listed]:
    """Ours, then the user's own, then Textual's; one that has the name of another takes its place.

    ``folders`` as in `quarterdeck.tui.colors.themes.load`: the last one is the program's. Reads every file in them.
    """
    found: dict[str, Listed] = {}
    for folder in folders:
        whose = "" if folder == folders[-1] else YOURS
        for each in _in_folder(folder, whose):
            found.setdefault(each.name, each)
    for name, theme in sorted(BUILTIN_THEMES.items(), key=lambda item: (item[0] not in _USUAL, item[0])):
        told = "in the terminal's own colours" if theme.ansi else ""
        found.setdefault(name, Listed(name, theme.dark, told, TEXTUALS))
    groups = ("", YOURS, TEXTUALS)
    return sorted(
        found.values(), key=lambda one: (groups.index(one.whose), one.name not in _FIRST, one.name == _FIRST[1])
    )


def names(folders: Sequence[Path]) -> list[tuple[str, str]]:
    """The names alone, with whose they are; no file is read."""
    found: dict[str, str] = {}
    for folder in folders:
        with suppress(OSError):
            for file in sorted(folder.glob("*.toml"))[:_MOST]:
                if themes.is_name(file.stem):
                    found.setdefault(file.stem, "" if folder == folders[-1] else YOURS)
    return [*found.items(), *((name, TEXTUALS) for name in sorted(BUILTIN_THEMES) if name not in found)]


def _in_folder(folder: Path, whose: str) -> Iterator[Listed]:
    try:
        files = sorted(folder.glob("*.toml"))[:_MOST]
    except OSError:
        return
    for file in files:
        name = printable(file.stem, 60)
        try:
            data = themes.read(file)
            theme = themes.parse(file.stem, data, str(file))
        except themes.ThemeError as error:
            yield Listed(name, whose=whose, problem=str(error))
            continue
        if not themes.is_name(file.stem):
            yield Listed(name, whose=whose, problem=f"{file}: its name may have letters, digits, - and _ only")
        else:
            yield Listed(name, theme.dark, themes.about(data), whose)
