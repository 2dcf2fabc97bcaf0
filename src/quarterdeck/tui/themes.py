"""Themes: TOML files with Textual's colours and the console's own variables. A broken file is one message, not a crash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from quarterdeck.format import printable

DEFAULT_THEME = "quarterdeck-night"
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
_LARGEST = 64 * 1024


class Loaded(NamedTuple):
    """A theme that can be used, and what was wrong with the one that was asked for ("" = nothing)."""

    theme: Theme
    problem: str = ""


class ThemeError(Exception):
    """A theme file that can't be used; the message is for a person."""


def packaged_folder() -> Path:
    """Where the themes are that come with the program: in the package, or beside ``src`` in a checkout."""
    inside = Path(__file__).parents[1] / "themes"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "themes"


def user_folder() -> Path:
    """Where people keep their own."""
    from platformdirs import user_config_path

    return user_config_path("quarterdeck") / "themes"


def load(name: str, folders: Sequence[Path]) -> Loaded:
    """The theme called ``name`` from the first folder that has it, else one of Textual's, else the default."""
    problem = ""
    try:
        theme = _found(name, folders) or BUILTIN_THEMES.get(name)
        if theme is not None:
            return Loaded(theme)
        problem = f'there is no theme "{printable(name, 40)}"'
    except ThemeError as error:
        problem = str(error)
    try:
        fallback = _found(DEFAULT_THEME, folders[-1:]) if name != DEFAULT_THEME else None
    except ThemeError:
        fallback = None
    used = fallback or BUILTIN_THEMES[FALLBACK]
    return Loaded(used, f"{problem}; using {used.name}")


def _found(name: str, folders: Sequence[Path]) -> Theme | None:
    if not name.replace("-", "").replace("_", "").isalnum():
        return None
    for folder in folders:
        path = folder / f"{name}.toml"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ThemeError(f"{path}: {error.strerror or 'cannot be read'}") from None
        return parse(name, data, str(path))
    return None


def parse(name: str, data: bytes, where: str) -> Theme:
    """A theme from the text of its file; raises `ThemeError` with the file and what is wrong."""
    import tomllib

    if len(data) > _LARGEST:
        raise ThemeError(f"{where}: too large for a theme")
    try:
        document = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ThemeError(f"{where}: {printable(str(error), 120)}") from None
    unknown = [key for key in document if key not in ("dark", "colors", "variables")]
    if unknown:
        raise ThemeError(f'{where}: unknown key "{printable(unknown[0], 40)}" (known: dark, colors, variables)')
    colors = _colors(document.get("colors", {}), where, "colors")
    variables = _colors(document.get("variables", {}), where, "variables")
    strange = [key for key in colors if key not in _COLORS]
    if strange or "primary" not in colors:
        raise ThemeError(f"{where}: [colors] {_colors_problem(strange)}")
    return Theme(name=name, dark=bool(document.get("dark", True)), variables=variables, **colors)


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


def derived_variables(theme: Theme) -> dict[str, str]:
    """The console's variables for a theme that doesn't set them, made from its own colours."""
    ground = Color.parse(theme.background or ("#101418" if theme.dark else "#f8f8f8"))
    ink = Color.parse(theme.foreground or ("#e0e0e0" if theme.dark else "#202020"))
    primary = Color.parse(theme.primary)
    good, warning, error = theme.success or "#3fae6b", theme.warning or "#c98a1b", theme.error or "#d0454c"
    return {
        "ink": ink.hex6,
        "ink-strong": ink.hex6,
        "ink-muted": ink.blend(ground, 0.35).hex6,
        "ink-faint": ink.blend(ground, 0.6).hex6,
        "ink-accent": theme.accent or theme.primary,
        "ground-head": ground.blend(ink, 0.06).hex6,
        "ground-selected": ground.blend(primary, 0.25).hex6,
        "bar-used": theme.primary,
        "bar-memory": theme.secondary or theme.primary,
        "bar-rest": ground.blend(ink, 0.15).hex6,
        "state-ok": good,
        "state-busy": warning,
        "state-loading": theme.secondary or theme.primary,
        "state-sleeping": ink.blend(ground, 0.35).hex6,
        "state-stalled": warning,
        "state-stale": warning,
        "state-down": error,
        "state-auth": error,
        "state-restarted": theme.secondary or theme.primary,
    }
