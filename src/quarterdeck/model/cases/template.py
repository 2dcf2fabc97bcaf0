"""``{{name}}`` in prompts and expectations. Plain names only: what a template language has besides is refused by its name. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases.case import Json

MOST_FILLED = 2 * 2**20
"""Characters of one text, filled in."""
_TAG = re.compile(r"\{\{-?(.*?)-?\}\}|\{%-?\s*(\w*).*?%\}|\{#.*?#\}", re.DOTALL)
_PATH = re.compile(r"\s*([A-Za-z_]\w*)((?:\.\w+|\[\d+\])*)\s*")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_MOST_ROUNDS = 5
"""How often variables may name others."""


def filled(text: str, variables: Mapping[str, Json]) -> str:
    """``text`` with its variables. Raises UsageError for one that isn't there, and for anything but ``{{name}}``."""
    if "{" not in text:
        return text
    size = 0

    def put(match: re.Match[str]) -> str:
        nonlocal size
        value = _value(match, variables)
        size += len(value)
        if size > MOST_FILLED:
            raise UsageError(f"filled in, it is longer than {MOST_FILLED // 2**20} Mi characters")
        return value

    return _TAG.sub(put, text)


def filled_in(value: Json, variables: Mapping[str, Json]) -> Json:
    """The same for every text inside a JSON value."""
    if isinstance(value, str):
        return filled(value, variables)
    if isinstance(value, list):
        return [filled_in(each, variables) for each in value]
    if isinstance(value, dict):
        return {key: filled_in(each, variables) for key, each in value.items()}
    return value


def resolved(variables: Mapping[str, Json]) -> dict[str, Json]:
    """Variables whose texts name other variables, filled in; the line break at the end of a text is dropped."""
    found: dict[str, Json] = {
        key: value.removesuffix("\n") if isinstance(value, str) else value for key, value in variables.items()
    }
    for _ in range(_MOST_ROUNDS):
        before = dict(found)
        for key, value in before.items():
            if isinstance(value, str) and "{{" in value and _known(value, before):
                found[key] = filled(value, before)
        if found == before:
            break
    return found


def _known(text: str, variables: Mapping[str, Json]) -> bool:
    """Whether all that a variable's text names are variables; else its braces are meant as text."""
    names = [_PATH.fullmatch(match[1]) if match[1] is not None else None for match in _TAG.finditer(text)]
    return bool(names) and all(name is not None and name[1] in variables for name in names)


def _value(match: re.Match[str], variables: Mapping[str, Json]) -> str:
    inside = match[1]
    if inside is None:
        what = f"{{% {match[2]} %}}" if match[2] is not None else "{# #}"
        raise UsageError(f"{printable(what, 40)} in a template is not supported")
    path = _PATH.fullmatch(inside)
    if path is None:
        raise UsageError(_refused(inside))
    found: Json = _looked_up(path[1], path[2], variables)
    if isinstance(found, dict | list):
        raise UsageError(
            f"{{{{{path[0].strip()}}}}} is {'a list' if isinstance(found, list) else 'an object'}, no text"
        )
    return _text(found)


def _refused(inside: str) -> str:
    shown = printable(inside.strip(), 60)
    if "|" in inside:
        name = printable(inside.split("|")[1].strip().split("(")[0], 30)
        return f"the filter {name!r} in {{{{{shown}}}}} is not supported"
    return f"{{{{{shown}}}}}: only names of variables are supported in templates"


def _looked_up(name: str, steps: str, variables: Mapping[str, Json]) -> Json:
    shown = printable(name + steps, 60)
    if name not in variables:
        if name == "env":
            raise UsageError(f"{{{{{shown}}}}}: variables of the environment are not supported")
        raise UsageError(f"there is no variable {shown!r}")
    found = variables[name]
    for step in _STEP.finditer(steps):
        try:
            found = found[int(step[2])] if step[2] else found[step[1]]  # type: ignore[index]
        except (LookupError, TypeError):
            raise UsageError(f"there is no variable {shown!r}") from None
    return found


def _text(value: Json) -> str:
    """As a template of JavaScript shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)
