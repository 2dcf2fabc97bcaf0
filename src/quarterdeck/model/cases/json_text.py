"""JSON in answers, and whether it follows a schema. Nothing is fetched: a ``$ref`` to elsewhere is an error. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from quarterdeck.model.cases.case import Json

MOST_FOUND = 1000
"""JSON values that are looked for in one text."""


class BadSchemaError(ValueError):
    """It is no JSON Schema, or has what can't be followed here."""


def parsed(text: str) -> Json:
    """The JSON that a text is. Raises ValueError where it is none (NaN and Infinity are none)."""
    try:
        return json.loads(text, parse_constant=_no_constant)  # type: ignore[no-any-return]
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def contained(text: str) -> Iterator[Json]:
    """The JSON objects and lists that lie somewhere in a text, the outermost ones."""
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    at = found = tries = 0
    while found < MOST_FOUND and tries < MOST_FOUND:
        starts = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
        if not starts:
            return
        at, tries = min(starts), tries + 1
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        found += 1
        yield value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def mistakes(value: Json, schema: Json) -> list[tuple[str, str, str]]:
    """What doesn't follow the schema: (keyword, where in the schema, in words that quote the value). Raises BadSchemaError.

    Draft 7 where ``$schema`` names no other, as promptfoo's validator has it; ``format`` counts.
    """
    validator = _validator(json.dumps(schema, sort_keys=True))
    try:
        found = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    except Exception as error:  # noqa: BLE001  (a reference that leads nowhere, a pattern that is none, an endless one)
        raise BadSchemaError(f"the schema can't be followed ({type(error).__name__})") from None
    return [(str(error.validator), error.json_path, error.message) for error in found]


@lru_cache(maxsize=32)
def _validator(schema_text: str) -> Any:
    from jsonschema import Draft7Validator, FormatChecker
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    schema: Any = json.loads(schema_text)
    if not isinstance(schema, dict | bool):
        raise BadSchemaError("a schema is an object")
    kind: Any = validator_for(schema, default=Draft7Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise BadSchemaError(f"it is no JSON Schema: {error.message[:200]}") from None
    except Exception as error:  # noqa: BLE001  (a pattern that is no regex, for one)
        raise BadSchemaError(f"it is no JSON Schema ({type(error).__name__})") from None
    registry: Any = Registry()  # knows nothing and fetches nothing; the default one would go to the network
    return kind(schema, registry=registry, format_checker=FormatChecker())
