"""What promptfoo calls things: which keys of its files are read, which may be left aside, which are refused by name. Pure.

Source: its documentation of the configuration, test cases and assertions, and its `src/csv.ts` and `src/assertions`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases import expectations, prompts
from quarterdeck.model.cases.case import Json
from quarterdeck.model.cases.parts import Lined, Row, plain_json, yaml_value
from quarterdeck.model.cases.problems import Problems
from quarterdeck.model.cases.prompts import Template

_READ = ("prompts", "tests", "defaultTest")
_ASIDE = {
    "providers": "-m says which models are asked",
    "targets": "-m says which models are asked",
    "env": "it belongs to providers",
    "evaluateOptions": "--concurrency and --repeat say that",
    "commandLineOptions": "the command line says that",
    "outputPath": "--report says that",
    "sharing": "nothing is shared",
    "writeLatestResults": "nothing is shared",
}
"""Of a configuration: left aside, and said."""
_SILENT = ("description", "tags", "metadata", "$schema")
_TEST = (
    "id",
    "description",
    "vars",
    "assert",
    "threshold",
    "metadata",
    "options",
    "prompt",
    "messages",
    "system",
    "literal",
)
_OPTIONS = ("prefix", "suffix", "disableVarExpansion")
_FILES = (".txt", ".md", ".json", ".j2")
_TEXTS = (".txt", ".md", ".j2", ".json", ".yaml", ".yml", ".csv", ".jsonl", "")
"""Files whose text is taken; others would have to be run."""
_LONGEST_ID = 120


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a file, as it stands there."""

    where: str = ""
    id: str = ""
    description: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    expected: tuple[object, ...] = ()
    threshold: float | None = None
    prefix: str = ""
    suffix: str = ""
    expand: bool = True
    template: Template | None = None
    system: str | None = None


def config(given: Mapping[str, Any], name: str, problems: Problems) -> Mapping[str, Any]:
    """A whole configuration; what is not supported is in ``problems``."""
    for key in given:
        if key in _ASIDE:
            problems.note(f"{name}: {key} is left aside: {_ASIDE[key]}")
    problems.keys(f"{name}:{_line(given)}", given, (*_READ, *_ASIDE, *_SILENT), of="a configuration")
    return {"tests": None} | {key: given[key] for key in _READ if key in given}


def rows(values: list[Any], name: str) -> list[Row]:
    """Each test with its place."""
    made = []
    for number, value in enumerate(values, 1):
        line = _line(value)
        made.append(Row(value, f"{name}:{line}" if line else f"{name}: test {number}"))
    return made


def _line(value: object) -> int:
    return value.line if isinstance(value, Lined) else 0


def test(row: Row, problems: Problems) -> Test | None:
    """One test: a mapping, or a line of a CSV; ``None`` where nothing of it can be read."""
    if not isinstance(row.value, Mapping):
        problems.add(row.where, "a test is a mapping")
        return None
    made: Test | None = None
    with problems.at(row.where):
        if row.value and all(isinstance(each, str) for each in row.value.values()) and _is_csv(row):
            made = _of_line(row.value, row.where, problems)
        else:
            made = _of_mapping(row.value, row.where, problems)
    return made


def _is_csv(row: Row) -> bool:
    return row.where.rpartition(":")[0].endswith(".csv")


def default_test(given: object, name: str, problems: Problems) -> Test:
    """What holds for all tests of a configuration."""
    if given is None:
        return Test()
    if not isinstance(given, Mapping):
        problems.add(f"{name}: defaultTest", "it is a mapping here; a file of its own is not supported")
        return Test()
    return test(Row(given, f"{name}:{_line(given)}: defaultTest"), problems) or Test()


def merged(default: Test, own: Test) -> Test:
    """A test with what holds for all."""
    return replace(
        own,
        variables={**default.variables, **own.variables},
        expected=(*default.expected, *own.expected),
        threshold=default.threshold if own.threshold is None else own.threshold,
        prefix=own.prefix or default.prefix,
        suffix=own.suffix or default.suffix,
        expand=own.expand and default.expand,
        template=own.template or default.template,
        system=default.system if own.system is None else own.system,
    )


def _of_mapping(given: Mapping[str, Any], where: str, problems: Problems) -> Test:
    problems.keys(where, given, _TEST, of="a test")
    options = given.get("options") or {}
    if not isinstance(options, Mapping):
        raise UsageError("options is a mapping")
    problems.keys(where, options, _OPTIONS, of="options")
    variables = given.get("vars") or {}
    if isinstance(variables, str):
        raise UsageError("vars in a file of their own are not supported")
    expected = given.get("assert") or []
    if not isinstance(variables, Mapping) or not isinstance(expected, list):
        raise UsageError("vars is a mapping, assert a list")
    return Test(
        where,
        _identity(given.get("id")),
        str(given.get("description") or ""),
        variables,
        tuple(expected),
        _threshold(given.get("threshold")),
        str(options.get("prefix") or ""),
        str(options.get("suffix") or ""),
        not options.get("disableVarExpansion"),
        _template(given),
        None if given.get("system") is None else str(given["system"]),
    )


def _template(given: Mapping[str, Any]) -> Template | None:
    """The test's own prompt or messages."""
    if "prompt" in given and "messages" in given:
        raise UsageError("either prompt or messages")
    literal = given.get("literal", False)
    if not isinstance(literal, bool):
        raise UsageError("literal is true or false")
    if "messages" in given:
        return Template(messages=prompts.messages(plain_json(given["messages"])), literal=literal)
    if "prompt" not in given:
        return None
    if not isinstance(given["prompt"], str):
        raise UsageError("prompt is a text")
    return Template(given["prompt"], literal=True) if literal else prompts.from_text(given["prompt"])


def _of_line(given: Mapping[str, str], where: str, problems: Problems) -> Test:
    """A line of a CSV: columns are variables, those with two underscores say the rest."""
    own: dict[str, str] = {}
    variables: dict[str, Json] = {}
    expected: list[object] = []
    for column, cell in given.items():
        if column.startswith("__expected"):
            if cell.strip():
                with problems.at(f"{where}: {column}"):
                    expected.append(expectations.from_text(cell))
        elif column in ("__id", "__description", "__prefix", "__suffix", "__metric", "__threshold"):
            own[column[2:]] = cell
        elif column.startswith("__metadata:"):
            continue
        elif column.startswith("__"):
            problems.add(where, f"the column {printable(column, 60)!r} is not supported")
        else:
            variables[column] = cell
    threshold = float(own["threshold"]) if own.get("threshold", "").strip() else None
    return Test(
        where,
        _identity(own.get("id", "").strip() or None),
        own.get("description", ""),
        variables,
        tuple(expected),
        _threshold(threshold),
        own.get("prefix", ""),
        own.get("suffix", ""),
    )


def _identity(given: object) -> str:
    if given is None:
        return ""
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise UsageError("id is a text")
    text = str(given)
    if not text.strip() or len(text) > _LONGEST_ID or not text.isprintable():
        raise UsageError(f"an id is a text of at most {_LONGEST_ID} characters")
    return text


def _threshold(given: object) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise UsageError("threshold is a number")
    return float(given)


# ---- files and prompts


def prompt(given: object) -> tuple[str, str]:
    """An entry of ``prompts``: its text (or the name of a file), and its label. Raises UsageError."""
    if isinstance(given, str):
        return given, ""
    if not isinstance(given, Mapping):
        raise UsageError("a prompt is a text, a file://…, or {raw, label}")
    extra = set(given) - {"raw", "label", "id", "description"}
    if extra or not isinstance(given.get("raw", given.get("id")), str):
        name = f"the key {printable(str(min(map(str, extra))), 60)!r} of" if extra else "without raw,"
        raise UsageError(f"{name} a prompt is not supported")
    return str(given.get("raw", given.get("id"))), str(given.get("label", ""))


def is_file(text: str) -> bool:
    """Whether a prompt is the name of a file."""
    if text.startswith("file://"):
        return True
    return " " not in text and "\n" not in text and "{" not in text and PurePosixPath(text).suffix in _FILES


def file_name(text: str) -> str:
    """The name in ``file://…``. Raises UsageError for what would have to be run, and for what isn't one file."""
    name = text.removeprefix("file://")
    if "://" in name or name.startswith(("huggingface:", "http:", "https:")):
        raise UsageError(f"{printable(text, 80)}: only files of this machine are read")
    if any(character in name for character in "*?["):
        raise UsageError(f"{printable(text, 80)}: patterns are not supported, name one file")
    if PurePosixPath(name).suffix.lower() not in _TEXTS:
        raise UsageError(f"{printable(text, 80)}: files that have to be run or converted are not supported")
    return name


def variable(text: str, name: str) -> Json:
    """What a variable is that names a file."""
    if name.lower().endswith((".yaml", ".yml")):
        return json.dumps(plain_json(yaml_value(text, name)), ensure_ascii=False, separators=(",", ":"))
    return text.strip()
