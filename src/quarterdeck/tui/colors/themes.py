"""Themes: TOML files with Textual's colours and the console's own variables. A broken file is one message, not a crash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from quarterdeck.format import printable
from quarterdeck.tui.colors import theme_choice

DEFAULT_THEME = theme_choice.DEFAULT_THEME
LIGHT_THEME = "quarterdeck-day"
FALLBACK = "textual-dark"
"""What is left when not even the default theme can be read."""
_COLORS = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "success",
    "warning",
    "error",
)
VARIABLES = frozenset(
    (
        *("ink", "ink-strong", "ink-muted", "ink-faint", "ink-accent", "ground-head", "ground-selected"),
        *("bar-used", "bar-memory", "bar-rest", "state-ok", "state-busy", "state-loading", "state-sleeping"),
        *("state-stalled", "state-stale", "state-down", "state-auth", "state-restarted"),
    )
)
"""What the console adds to Textual's colours."""
_KEYS = ("dark", "about", "colors", "variables")
_LONGEST_NAME = 200
_LARGEST = 64 * 1024


class Loaded(NamedTuple):
    """A theme that can be used, and what was wrong with the one that was asked for ("" = nothing)."""

    theme: Theme
    problem: str = ""


class ThemeError(Exception):
    """A theme file that can't be used; the message is for a person."""


def packaged_folder() -> Path:
    """Where the themes are that come with the program: in the package, or beside ``src`` in a checkout."""
    inside = Path(__file__).parents[2] / "themes"
    return inside if inside.is_dir() else Path(__file__).parents[4] / "themes"


def user_folder() -> Path:
    """Where people keep their own."""
    from platformdirs import user_config_path

    return user_config_path("quarterdeck") / "themes"


def load(name: str, folders: Sequence[Path]) -> Loaded:
    """The theme called ``name`` from the first folder that has it, else one of Textual's, else the default."""
    try:
        return Loaded(find(name, folders))
    except ThemeError as error:
        problem = str(error)
    try:
        fallback = _found(DEFAULT_THEME, folders[-1:]) if name != DEFAULT_THEME else None
    except ThemeError:
        fallback = None
    used = fallback or BUILTIN_THEMES[FALLBACK]
    return Loaded(used, f"{problem}; using {used.name}")


def find(name: str, folders: Sequence[Path]) -> Theme:
    """The theme called ``name`` from the first folder that has it, else one of Textual's. Raises `ThemeError`."""
    theme = _found(name, folders) or BUILTIN_THEMES.get(name)
    if theme is None:
        raise ThemeError(f'there is no theme "{printable(name, 40)}"')
    return theme


def _found(name: str, folders: Sequence[Path]) -> Theme | None:
    if not is_name(name):
        return None
    for folder in folders:
        path = folder / f"{name}.toml"
        try:
            there = path.is_symlink() or path.exists()
        except OSError as error:
            raise ThemeError(f"{path}: {error.strerror or 'cannot be read'}") from None
        if there:
            return parse(name, read(path), str(path))
    return None


def is_name(name: str) -> bool:
    """Whether a theme may be called so: it is part of a path."""
    return len(name) <= _LONGEST_NAME and name.replace("-", "").replace("_", "").isalnum()


def read(path: Path) -> bytes:
    """A theme file, no more of it than a theme may have; raises `ThemeError`."""
    try:
        if not path.is_file():
            raise ThemeError(f"{path}: {'is no file' if path.exists() else 'leads nowhere'}")
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)
    except OSError as error:
        raise ThemeError(f"{path}: {error.strerror or 'cannot be read'}") from None


def about(data: bytes) -> str:
    """In a word what a theme is for, from a file that `parse` takes."""
    told = _document(data, "").get("about", "")
    return printable(told, 80) if isinstance(told, str) else ""


def parse(name: str, data: bytes, where: str) -> Theme:
    """A theme from the text of its file; raises `ThemeError` with the file and what is wrong."""
    return _made(name, _document(data, where), where)


def _document(data: bytes, where: str) -> dict[str, Any]:
    """What the file says, of which only the keys are known to be right."""
    import tomllib

    if len(data) > _LARGEST:
        raise ThemeError(f"{where}: too large for a theme")
    try:
        document = tomllib.loads(data.decode())
    except RecursionError:
        raise ThemeError(f"{where}: nested too deeply") from None
    except ValueError as error:  # of what is no TOML, no UTF-8, or a number of too many digits
        raise ThemeError(f"{where}: {printable(str(error), 120)}") from None
    unknown = [key for key in document if key not in _KEYS]
    if unknown:
        raise ThemeError(f'{where}: unknown key "{printable(unknown[0], 40)}" (known: {", ".join(_KEYS)})')
    return document


def _made(name: str, document: dict[str, Any], where: str) -> Theme:
    colors = _colors(document.get("colors", {}), where, "colors")
    variables = _colors(document.get("variables", {}), where, "variables")
    strange = [key for key in colors if key not in _COLORS]
    if strange or "primary" not in colors:
        raise ThemeError(f"{where}: [colors] {_colors_problem(strange)}")
    dark = document.get("dark", True)
    if not isinstance(dark, bool):
        raise ThemeError(f"{where}: dark: expected true or false")
    return Theme(name=name, dark=dark, variables=variables, **colors)


def _colors_problem(strange: list[str]) -> str:
    if strange:
        return f'has an unknown key "{printable(strange[0], 40)}" (known: {", ".join(_COLORS)})'
    return 'needs at least "primary"'


def _colors(table: Any, where: str, section: str) -> dict[str, Any]:
    """A table of colours, each of them checked."""
    if not isinstance(table, dict):
        raise ThemeError(f"{where}: [{section}] must be a table of colours")
    for key, value in table.items():
        try:
            Color.parse(value if isinstance(value, str) else "")
        except ColorParseError:
            raise ThemeError(f"{where}: [{section}] {printable(key, 40)}: expected a colour such as #5ec4d6") from None
    return dict(table)


def all_variables(theme: Theme) -> dict[str, str]:
    """A theme's variables, with the console's own where it doesn't set them all."""
    made = {} if theme.variables.keys() >= VARIABLES else derived_variables(theme)
    return made | theme.variables


def derived_variables(theme: Theme) -> dict[str, str]:
    """The console's variables for a theme that doesn't set them, made from its own colours so that text can be read."""
    good, warning, error = theme.success or "#3fae6b", theme.warning or "#c98a1b", theme.error or "#d0454c"
    other = theme.secondary or theme.primary
    states = {
        "state-ok": good,
        "state-busy": warning,
        "state-loading": other,
        "state-sleeping": other,
        "state-stalled": warning,
        "state-stale": warning,
        "state-down": error,
        "state-auth": error,
        "state-restarted": other,
    }
    marks = {"ink-accent": theme.accent or theme.primary, "bar-used": theme.primary, "bar-memory": other}
    if theme.ansi:
        return {**dict.fromkeys(VARIABLES, "ansi_default"), **states, **marks}
    from quarterdeck.tui.colors.legible import least, legible

    ground = Color.parse(theme.background or ("#121212" if theme.dark else "#efefef"))
    ink = Color.parse(theme.foreground or ("#e0e0e0" if theme.dark else "#202020"))
    grounds = {
        "ground-head": ground.blend(ink, 0.06),
        "ground-selected": ground.blend(Color.parse(theme.primary), 0.25),
    }
    inks = {
        "ink": ink,
        "ink-strong": ink,
        "ink-muted": ink.blend(ground, 0.35),
        "ink-faint": ink.blend(ground, 0.6),
        "bar-rest": ground.blend(ink, 0.15),
        **{name: Color.parse(value) for name, value in (states | marks).items()},
        "state-sleeping": ink.blend(ground, 0.35),
    }
    behind = [ground, *grounds.values()]
    read = {name: legible(color, behind, None, least(name)) for name, color in inks.items()}
    return {name: color.hex6 for name, color in (grounds | read).items()}
