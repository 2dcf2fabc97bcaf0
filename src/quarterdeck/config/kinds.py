"""The sorts of values a fleet file holds: each knows how it is read, written back, and described to an editor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from quarterdeck.config import units
from quarterdeck.config.problem import BadValueError, shown, sort_of

JsonSchema = dict[str, object]

LONGEST_NAME = 60
NO_CONTROL_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]*$"


class Kind:
    """One sort of value. ``read`` raises BadValueError; ``base`` is the folder that paths are relative to."""

    expected = "a value"

    def read(self, value: object, base: Path) -> object:
        """The value as the dataclasses hold it."""
        raise NotImplementedError

    def schema(self) -> JsonSchema:
        """JSON Schema of what ``read`` takes."""
        raise NotImplementedError

    def toml(self, value: object) -> str:
        """TOML of a value that ``read`` returned; ``read`` takes it back."""
        return toml_string(str(value))

    def wrong(self, value: object, *, hidden: bool = False) -> BadValueError:
        """``expected …, got …``; a ``hidden`` value is only called by its sort."""
        return BadValueError(f"expected {self.expected}, got {sort_of(value) if hidden else shown(value)}")


def toml_string(text: str) -> str:
    """A basic TOML string."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def toml_strings(value: object) -> str:
    """An inline table of strings."""
    pairs = value.items() if isinstance(value, Mapping) else ()
    inside = ", ".join(f"{toml_string(name)} = {toml_string(text)}" for name, text in pairs)
    return f"{{ {inside} }}" if inside else "{}"


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    if "\ud800" <= char <= "\udfff":  # a file name that isn't UTF-8; TOML can't say it
        return "\ufffd"
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


class Text(Kind):
    """One line of printable text, not empty, without space around it."""

    def __init__(self, expected: str, *, longest: int) -> None:
        self.expected = expected
        self._longest = longest

    def read(self, value: object, base: Path) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= self._longest:
            raise self.wrong(value)
        if not value.isprintable() or value != value.strip():
            raise self.wrong(value)
        return value

    def schema(self) -> JsonSchema:
        return {"type": "string", "minLength": 1, "maxLength": self._longest, "pattern": NO_CONTROL_PATTERN}


NAME = Text(f'a name such as "gpu-1" (1 to {LONGEST_NAME} printable characters)', longest=LONGEST_NAME)
"""What hosts, endpoints and deployments are called."""


class Flag(Kind):
    """true or false."""

    expected = "true or false"

    def read(self, value: object, base: Path) -> bool:
        if not isinstance(value, bool):
            raise self.wrong(value)
        return value

    def schema(self) -> JsonSchema:
        return {"type": "boolean"}

    def toml(self, value: object) -> str:
        return "true" if value else "false"


class Count(Kind):
    """A whole number."""

    def __init__(self, least: int, most: int = 1_000_000) -> None:
        self.expected = f"a whole number from {least} to {most}"
        self._least = least
        self._most = most

    def read(self, value: object, base: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self._least <= value <= self._most:
            raise self.wrong(value)
        return value

    def schema(self) -> JsonSchema:
        return {"type": "integer", "minimum": self._least, "maximum": self._most}

    def toml(self, value: object) -> str:
        return str(value)


class Number(Kind):
    """A number."""

    def __init__(self, least: float, most: float) -> None:
        self.expected = f"a number from {least:g} to {most:g}"
        self._least = least
        self._most = most

    def read(self, value: object, base: Path) -> float:
        number = units.number(value)
        if number is None or not self._least <= number <= self._most:
            raise self.wrong(value)
        return number

    def schema(self) -> JsonSchema:
        return {"type": "number", "minimum": self._least, "maximum": self._most}

    def toml(self, value: object) -> str:
        return str(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


class Duration(Kind):
    """A duration; seconds inside."""

    expected = 'a duration such as "2s"'

    def __init__(self, least: float, most: float) -> None:
        self._least = least
        self._most = most

    def read(self, value: object, base: Path) -> float:
        seconds = units.duration(value)
        if seconds is None:
            raise self.wrong(value)
        if seconds < self._least:
            raise BadValueError(f"must be at least {units.duration_text(self._least)}, got {shown(value)}")
        if seconds > self._most:
            raise BadValueError(f"must be at most {units.duration_text(self._most)}, got {shown(value)}")
        return seconds

    def schema(self) -> JsonSchema:
        text = {"type": "string", "minLength": 1, "pattern": units.DURATION_PATTERN}
        return {"anyOf": [text, {"type": "number", "minimum": self._least, "maximum": self._most}]}

    def toml(self, value: object) -> str:
        text = units.duration_text(value) if isinstance(value, float | int) else None
        return repr(value) if text is None else toml_string(text)


class Fraction(Kind):
    """More than 0, at most 1."""

    expected = 'a fraction such as 0.9 or "90%"'

    def read(self, value: object, base: Path) -> float:
        share = units.fraction(value)
        if share is None or share <= 0:
            raise self.wrong(value)
        return share

    def schema(self) -> JsonSchema:
        text = {"type": "string", "pattern": units.FRACTION_PATTERN}
        return {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, text]}

    def toml(self, value: object) -> str:
        return repr(value)


class Choice(Kind):
    """One of a few words, in any case; ``also`` maps other spellings to them."""

    def __init__(
        self,
        words: tuple[str, ...],
        also: Mapping[str, str] | None = None,
        make: Callable[[str], object] = str,
    ) -> None:
        self.expected = "one of " + ", ".join(f'"{word}"' for word in words)
        self._words = {word: word for word in words} | dict(also or {})
        self._make = make

    def read(self, value: object, base: Path) -> object:
        word = self._words.get(value.lower()) if isinstance(value, str) else None
        if word is None:
            raise self.wrong(value)
        return self._make(word)

    def schema(self) -> JsonSchema:
        return {"enum": list(self._words)}
