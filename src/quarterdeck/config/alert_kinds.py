"""The sorts of values that rules of alerts are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from quarterdeck.config import units
from quarterdeck.config.kinds import JsonSchema, Kind, toml_string
from quarterdeck.config.problem import BadValueError, shown

_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$"
_MOST_GLOBS = 100


def meant(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` where a word is nearly one of these."""
    import difflib

    close = difflib.get_close_matches(name.lower()[:60], list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _listed(known: Iterable[str]) -> str:
    return ", ".join(known)


class RuleId(Kind):
    """What a rule is called."""

    expected = 'a name such as "long-queue" (letters, digits, "-", "_" and "."; at most 60)'

    def read(self, value: object, base: Path) -> str:
        if not isinstance(value, str) or not re.match(_ID_PATTERN, value):
            raise self.wrong(value)
        return value

    def schema(self) -> JsonSchema:
        return {"type": "string", "pattern": _ID_PATTERN}


class MeasureId(Kind):
    """What a rule looks at. Which there are is only read when one is named."""

    @property
    def expected(self) -> str:  # type: ignore[override]
        """Every measure."""
        from quarterdeck.model.alerts.measures import MEASURES

        return f"one of {_listed(MEASURES)}"

    def read(self, value: object, base: Path) -> str:
        from quarterdeck.model.alerts.measures import MEASURES

        if not isinstance(value, str) or value not in MEASURES:
            said = meant(value, MEASURES) if isinstance(value, str) else ""
            raise BadValueError(f"expected {self.expected}, got {shown(value)}{said}")
        return value

    def schema(self) -> JsonSchema:
        from quarterdeck.model.alerts.measures import MEASURES

        return {"enum": list(MEASURES)}


class Level(Kind):
    """A limit: a number, a share, a duration or a size. Which of them a measure takes, the whole table knows."""

    expected = 'a limit such as 20, "90%", "5s" or "4GiB"'

    def read(self, value: object, base: Path) -> float:
        number = units.number(value)
        if number is None and isinstance(value, str):
            found = (read(value) for read in _READERS)
            number = next((float(each) for each in found if each is not None), None)
        if number is None or not 0 <= number <= 1e18:
            raise self.wrong(value)
        return number

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "minLength": 1}]}

    def toml(self, value: object) -> str:
        return str(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


_READERS = (units.fraction, units.duration, units.size)


class Globs(Kind):
    """Globs of names: a list of strings, or one."""

    expected = 'globs of names such as ["vllm-*"]'

    def read(self, value: object, base: Path) -> tuple[str, ...]:
        globs = [value] if isinstance(value, str) else value
        if not isinstance(globs, list) or not 0 < len(globs) <= _MOST_GLOBS:
            raise self.wrong(value)
        for glob in globs:
            if not isinstance(glob, str) or not 0 < len(glob) <= 200 or not glob.isprintable():
                raise self.wrong(glob)
        return tuple(globs)

    def schema(self) -> JsonSchema:
        text: JsonSchema = {"type": "string", "minLength": 1}
        return {"anyOf": [text, {"type": "array", "items": text, "minItems": 1, "maxItems": _MOST_GLOBS}]}

    def toml(self, value: object) -> str:
        globs = value if isinstance(value, tuple) else ()
        return "[" + ", ".join(toml_string(glob) for glob in globs) + "]"


class Switches(Kind):
    """Built-in rules, each on or off."""

    expected = "a table of built-in rules such as { spill = false }"

    def read(self, value: object, base: Path) -> Mapping[str, bool]:
        from quarterdeck.model.alerts.builtin import IDS

        if not isinstance(value, dict):
            raise self.wrong(value)
        wrong = [
            ((name,), f"there is no such built-in rule{meant(name, IDS)} Known: {_listed(IDS)}")
            for name in value
            if name not in IDS
        ]
        wrong += [
            ((name,), f"expected true or false, got {shown(on)}")
            for name, on in value.items()
            if name in IDS and not isinstance(on, bool)
        ]
        if wrong:
            raise BadValueError("", *wrong)
        return dict(value)

    def schema(self) -> JsonSchema:
        from quarterdeck.model.alerts.builtin import IDS

        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"type": "boolean"} for name in IDS},
        }

    def toml(self, value: object) -> str:
        pairs = value.items() if isinstance(value, Mapping) else ()
        inside = ", ".join(f"{name} = {'true' if on else 'false'}" for name, on in pairs)
        return f"{{ {inside} }}" if inside else "{}"
