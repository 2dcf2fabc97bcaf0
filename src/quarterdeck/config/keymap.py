"""[keys] of fleet.toml, and keys.toml: other keys for commands, as they are written.

Which commands there are is known above this package; here only the form is read. What is wrong is left out and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.config.locate import line_map, line_of
from quarterdeck.config.problem import LONGEST_ECHO, KeyPath, Problem, sort_of
from quarterdeck.format import printable

if TYPE_CHECKING:
    from quarterdeck.config.kinds import JsonSchema

TABLE = "keys"
_EXPECTED = 'a key such as "ctrl+s", or a list of keys; [] takes the keys away'
_MOST_KEYS = 8
_DEEPEST = 2

DOC = """\
# Other keys for commands; `quarterdeck config keys` lists all commands with their keys. One key or several; [] takes them away.
# A keys.toml beside this file, or in your config folder, says the same without [keys], and wins over what stands here.
[keys]
#maximise = "f11"
#copy = ["y", "ctrl+y"]
# On one view only:
#[keys.fleet]
#sort = "o"
"""


class Wish(NamedTuple):
    """Keys that somebody wants for a command."""

    command: str
    keys: tuple[str, ...]
    """As they are written; () = none."""
    view: str = ""
    """"" = wherever the command is."""
    place: str = ""
    """Where that stands: "fleet.toml:12"."""

    @property
    def label(self) -> str:
        """ "keys.fleet.sort"."""
        return ".".join(part for part in (TABLE, self.view, self.command) if part)


class Written(NamedTuple):
    """What was read."""

    wishes: tuple[Wish, ...] = ()
    problems: tuple[Problem, ...] = ()


def written(given: object, file: str, source: str, *, base: KeyPath = (TABLE,)) -> Written:
    """The wishes of a table. ``base``: where it stands in the document; () = the document itself, of keys.toml."""
    lines = line_map(source)
    wishes: list[Wish] = []
    problems: list[Problem] = []

    def wrong(path: KeyPath, message: str) -> None:
        label = ".".join((TABLE, *(printable(str(part), LONGEST_ECHO) for part in path)))
        problems.append(Problem(file, message, label, line_of(lines, (*base, *path))))

    if not isinstance(given, dict):
        wrong((), f"expected a table: [keys], got {sort_of(given)}")
        return Written((), tuple(problems))
    for path, value in _leaves(given):
        keys = _keys(value)
        line = line_of(lines, (*base, *path))
        if keys is None or len(path) > _DEEPEST:
            wrong(path, f"expected {_EXPECTED}, got {sort_of(value)}")
        else:
            view = str(path[0]) if len(path) == _DEEPEST else ""
            wishes.append(Wish(str(path[-1]), keys, view, file if line is None else f"{file}:{line}"))
    return Written(tuple(wishes), tuple(problems))


def read_file(path: Path) -> Written:
    """The wishes of a keys.toml (`quarterdeck.config.load.keys_file`): as [keys] of a fleet file, with or without that header."""
    from quarterdeck.config.load import beside

    found = beside(path)
    if found is None:
        return Written()
    if isinstance(found, Problem):
        return Written((), (found,))
    document, source, name = found
    if isinstance(document.get(TABLE), dict) and len(document) == 1:
        return written(document[TABLE], name, source)
    return written(document, name, source, base=())


def _leaves(table: Mapping[str, object], path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Every value that is no table. The tables are views."""
    for name, value in table.items():
        if isinstance(value, dict) and len(path) < _DEEPEST:
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _keys(value: object) -> tuple[str, ...] | None:
    """The keys of a value; ``None`` where it says none."""
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, list) or len(value) > _MOST_KEYS:
        return None
    return tuple(value) if all(isinstance(each, str) and each for each in value) else None


def json_schema() -> JsonSchema:
    """Of [keys], for editors."""
    keys: JsonSchema = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 8}]
    }
    either = [*keys["anyOf"], {"type": "object", "additionalProperties": keys}]  # type: ignore[misc]
    return {
        "type": "object",
        "description": "Other keys for commands, everywhere or on one view.",
        "additionalProperties": {"anyOf": either},
    }


def toml(wishes: tuple[Wish, ...]) -> Iterator[str]:
    """The lines of [keys] that say the same."""
    from quarterdeck.config.kinds import toml_string

    views = dict.fromkeys(("", *(wish.view for wish in wishes)))
    for view in views if wishes else ():
        yield f"[{TABLE}.{toml_string(view)}]" if view else f"[{TABLE}]"
        for wish in wishes:
            if wish.view == view:
                yield f"{toml_string(wish.command)} = [{', '.join(map(toml_string, wish.keys))}]"
