"""Case files as plain values that know the line they stand on: YAML, JSON, JSON Lines and CSV. Pure."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, NamedTuple

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases.case import Json

MOST_BYTES = 16 * 2**20
"""Of one file."""
MOST_VALUES = 1_000_000
"""In one file; a YAML file whose aliases multiply reaches it early."""
MOST_DEPTH = 60


class Lined(dict[str, Any]):
    """A mapping of a YAML file."""

    line: int = 0


class Row(NamedTuple):
    """One test of a file."""

    value: object
    where: str
    """ "cases.csv:3"."""


def yaml_value(text: str, name: str) -> object:
    """The value of a YAML file; its mappings are `Lined`. Raises UsageError with the line."""
    import yaml

    try:
        value = yaml.load(text, Loader=_loader())  # noqa: S506  (a safe loader: it makes plain values only)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise UsageError(f"{name}:{line}: no YAML: {printable(error.problem or 'it cannot be read', 120)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{name}: no YAML: {printable(str(error), 120)}") from None
    _count(value, name)
    return value


def json_value(text: str, name: str) -> object:
    """The value of a JSON file. Raises UsageError with the line."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{name}:{error.lineno}: no JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: no JSON that can be read") from None
    _count(value, name)
    return value


def json_lines(text: str, name: str) -> Iterator[Row]:
    """A row a line; empty lines are skipped. Raises UsageError."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{where}: no JSON: {error.msg}") from None
        except (ValueError, RecursionError):
            raise UsageError(f"{where}: no JSON that can be read") from None
        _count(value, where)
        yield Row(value, where)


def csv_rows(text: str, name: str) -> Iterator[Row]:
    """A mapping of column → text for each line that isn't empty. Raises UsageError."""
    csv.field_size_limit(MOST_BYTES)
    reader = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            where = f"{name}:{reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                if len(set(header)) != len(header):
                    raise UsageError(f"{where}: two columns have the same name")
                continue
            if len(cells) > len(header):
                raise UsageError(f"{where}: {len(cells)} cells, but {len(header)} columns")
            yield Row(dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True)), where)
    except csv.Error as error:
        raise UsageError(f"{name}:{reader.line_num}: no CSV: {error}") from None


def plain_json(value: object) -> Json:
    """The same without its lines. Raises ValueError for what JSON doesn't have."""
    if isinstance(value, dict):
        return {str(key): plain_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain_json(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{type(value).__name__} is no plain value")


def _count(value: object, name: str) -> None:
    """Refuse what is too much or too deep. Raises UsageError."""
    left = MOST_VALUES
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        each, depth = stack.pop()
        left -= 1
        if left < 0 or depth > MOST_DEPTH:
            raise UsageError(f"{name}: {'too many values' if left < 0 else 'nested too deep'}")
        if isinstance(each, dict):
            stack += [(inner, depth + 1) for inner in each.values()]
        elif isinstance(each, list):
            stack += [(inner, depth + 1) for inner in each]


def _loader() -> Any:
    """Safe, knows lines, and takes words as YAML 1.2 does: "yes" and "12:30" are texts, 1e3 is a number."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in _PLAIN:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))
    Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
    Loader.add_constructor("tag:yaml.org,2002:int", _integer)
    return Loader


_PLAIN = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("merge", r"^<<$", "<"),
)


def _integer(loader: Any, node: Any) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text.startswith(("0x", "0o")) else int(text)


def _mapping(loader: Any, node: Any) -> Iterator[Lined]:
    made = Lined()
    made.line = node.start_mark.line + 1
    yield made
    made.update({str(key): value for key, value in loader.construct_mapping(node, deep=True).items()})
