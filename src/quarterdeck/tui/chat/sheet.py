"""The settings of a conversation, or of one column, as fields of a form. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from quarterdeck.engine.chat.columns import MOST_REPEATS, Column, Settings
from quarterdeck.format import printable
from quarterdeck.model.chat.request import Sampling
from quarterdeck.tui.screens.form import Field

EFFORTS = ("none", "low", "medium", "high")
_MOST_SCHEMA = 256 * 1024
_YES = ("yes", "y", "on", "true", "1")
_NO = ("no", "n", "off", "false", "0", "")
_AS_SERVER = "Empty: as the server does by itself."
_AS_SHARED = "Empty: as the other columns have it."


def shared_fields(settings: Settings) -> list[Field]:
    """What holds for all columns."""
    return [
        Field("system", "system prompt", settings.system, "You are terse.", "Empty: none. @path takes it from a file.", _file),
        *_sampling_fields(settings.sampling, _AS_SERVER),
        Field(
            "repeat",
            "repeat",
            str(settings.repeat) if settings.repeat > 1 else "",
            "5",
            f"How often each column is asked, 1 to {MOST_REPEATS}: median and spread are shown.",
            _whole(1, MOST_REPEATS),
        ),
        Field("warm_up", "warm-up", "yes" if settings.warm_up else "", "yes", "Load each model by a request of one token first: yes or no.", _yes_no),
        Field("serial", "one by one", "yes" if settings.serial else "", "yes", "Ask the columns one after another, which is fairer on one machine: yes or no.", _yes_no),
    ]  # fmt: skip


def column_fields(column: Column) -> list[Field]:
    """What one column has otherwise."""
    return [
        Field("system", "system prompt", column.system or "", "", f"{_AS_SHARED} @path takes it from a file.", _file),
        *_sampling_fields(column.own, _AS_SHARED),
    ]


def _sampling_fields(known: Sampling, empty: str) -> list[Field]:
    def text(value: object) -> str:
        return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    return [
        Field("temperature", "temperature", text(known.temperature), "0.7", f"0 to 2; 0 is the most repeatable. {empty}", _number(0, 2)),
        Field("top_p", "top-p", text(known.top_p), "0.95", f"More than 0, at most 1. {empty}", _number(0, 1, above=True)),
        Field("max_tokens", "max tokens", text(known.max_tokens), "512", f"Longest answer. {empty}", _whole(1, 10_000_000)),
        Field("seed", "seed", text(known.seed), "42", f"A whole number. {empty}", _whole(-(2**63), 2**63 - 1)),
        Field("context_length", "context", text(known.context_length), "16384", f"Tokens; Ollama only, which loads the model again for another one. {empty}", _whole(1, 100_000_000)),
        Field("effort", "effort", known.effort or "", "low", f"Of models that reason: {', '.join(EFFORTS)}. {empty}", _effort),
        Field("schema", "JSON schema", known.schema or "", "@schema.json", f"What the answer has to follow: JSON text, or @path of a file. {empty}", schema_problem),
    ]  # fmt: skip


def sampling_of(answers: Mapping[str, str]) -> Sampling:
    """What was filled in; every field was checked."""
    return Sampling(
        temperature=float(answers["temperature"]) if answers["temperature"] else None,
        top_p=float(answers["top_p"]) if answers["top_p"] else None,
        max_tokens=int(answers["max_tokens"]) if answers["max_tokens"] else None,
        seed=int(answers["seed"]) if answers["seed"] else None,
        context_length=int(answers["context_length"]) if answers["context_length"] else None,
        effort=answers["effort"] or None,
        schema=_content(answers["schema"]) or None,
    )


def shared_settings(answers: Mapping[str, str]) -> Settings:
    """The same of what holds for all."""
    return Settings(
        system=_content(answers["system"]),
        sampling=sampling_of(answers),
        repeat=int(answers["repeat"] or 1),
        warm_up=answers["warm_up"].casefold() in _YES,
        serial=answers["serial"].casefold() in _YES,
    )


def set_column(column: Column, answers: Mapping[str, str]) -> None:
    """The same of one column."""
    column.own = sampling_of(answers)
    column.system = _content(answers["system"]) or None


def in_words(settings: Sampling) -> str:
    """What differs from the server's own, in one line; "" where nothing does."""
    names = {
        "temperature": "temperature",
        "top_p": "top-p",
        "max_tokens": "max tokens",
        "seed": "seed",
        "context_length": "context",
        "effort": "effort",
    }
    said = [
        f"{shown} {value:g}" if isinstance(value, float) else f"{shown} {value}"
        for name, shown in names.items()
        if (value := getattr(settings, name)) is not None
    ]
    return ", ".join([*said, *(["JSON schema"] if settings.schema else [])])


# ---- checks: why a text can't be taken; "" where it can


def _number(low: float, high: float, *, above: bool = False) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not text:
            return ""
        try:
            value = float(text)
        except ValueError:
            return "expected a number"
        if not low <= value <= high or (above and value == low):
            return f"expected {'more than ' if above else ''}{low:g} to {high:g}"
        return ""

    return check


def _whole(low: int, high: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not text:
            return ""
        try:
            value = int(text)
        except ValueError:
            return "expected a whole number"
        return "" if low <= value <= high else f"expected {low} to {high}"

    return check


def _effort(text: str) -> str:
    return "" if not text or text in EFFORTS else f"expected one of {', '.join(EFFORTS)}"


def _yes_no(text: str) -> str:
    return "" if text.casefold() in (*_YES, *_NO) else "expected yes or no"


def _file(text: str) -> str:
    """Of what may be "@path"."""
    if not text.startswith("@"):
        return ""
    try:
        _content(text)
    except (OSError, ValueError) as error:
        return f"{printable(text[1:], 60)}: {getattr(error, 'strerror', None) or 'is no text'}"
    return ""


def schema_problem(text: str) -> str:
    """Of a JSON schema, or the file that holds one."""
    if not text or (problem := _file(text)):
        return problem if text else ""
    try:
        found = json.loads(_content(text))
    except (ValueError, RecursionError) as error:
        return f"no JSON: {printable(str(error), 60)}"
    if not isinstance(found, dict):
        return "expected a JSON object"
    from jsonschema import SchemaError, validators

    try:
        validators.validator_for(found).check_schema(found)
    except SchemaError as error:
        return f"no JSON schema: {printable(error.message, 60)}"
    except Exception as error:  # noqa: BLE001  (a hostile schema is refused, not a crash)
        return f"no JSON schema ({type(error).__name__})"
    return ""


def _content(text: str) -> str:
    """The text itself, or that of the file it names."""
    if not text.startswith("@"):
        return text
    path = Path(text[1:]).expanduser()
    if not path.is_file():
        raise FileNotFoundError(2, "there is no such file")
    with path.open("rb") as file:
        return file.read(_MOST_SCHEMA).decode()


def with_sampling(settings: Settings, sampling: Sampling) -> Settings:
    """Other sampling, the rest as it was."""
    return replace(settings, sampling=sampling)
