"""Which theme the console begins with: the one of this run, else the one chosen in it, else the fleet file's.

A choice made in the console holds in every run. A fleet file that names a theme is overruled by it only where it named
that theme already when the choice was made: who writes another one into the file, or opens a file that was never
overruled, gets what it says.
"""

from __future__ import annotations

from pathlib import Path

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.tui import remembered

DEFAULT_THEME = "quarterdeck-night"
_KEY = "theme"
_MOST_FILES = 100
_LONGEST = 200


def theme_at_start(fleet: FleetConfig) -> str:
    """The name of the theme to begin with. Reads one small file, where that may decide."""
    named, source = fleet.console.theme, fleet.source
    if fleet.theme_once is not None:
        return fleet.theme_once
    if named is not None and source is None:
        return named  # no file that could be changed: whoever opened the console wants it so
    chosen, overruled = _chosen()
    if chosen and (named is None or overruled.get(_name(source)) == named):
        return chosen
    return named or DEFAULT_THEME


def remember_theme(name: str, fleet: FleetConfig) -> str:
    """A theme was chosen in the console. Why that can't be remembered, or ""."""
    _, overruled = _chosen()
    overruled.pop(_name(fleet.source), None)
    if fleet.console.theme is not None and fleet.source is not None:
        overruled[_name(fleet.source)] = fleet.console.theme
    kept = dict([*overruled.items()][-_MOST_FILES:])
    return remembered.put(_KEY, {"name": name, "instead_of": kept})


def _chosen() -> tuple[str, dict[str, str]]:
    """The theme that was chosen ("" = none), and by fleet file what that named then."""
    found = remembered.get(_KEY)
    if not isinstance(found, dict):
        return "", {}
    name, files = found.get("name"), found.get("instead_of")
    overruled = files.items() if isinstance(files, dict) else ()
    known = {file: theme for file, theme in overruled if isinstance(theme, str)}
    return name if isinstance(name, str) and len(name) <= _LONGEST else "", known


def _name(source: Path | None) -> str:
    return "" if source is None else str(source.absolute())
