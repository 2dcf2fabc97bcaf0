"""JSON Schema (2020-12) of fleet.toml, for editors: ``quarterdeck config schema``.

It knows every key, type and range; what concerns several keys at once (names used twice, unknown hosts) only ``load`` knows.
"""

from __future__ import annotations

from quarterdeck.config import keymap
from quarterdeck.config.access import AUTH
from quarterdeck.config.kinds import JsonSchema
from quarterdeck.config.table import Key, Table
from quarterdeck.config.tables import KEYS, every


def json_schema() -> JsonSchema:
    """The schema as a dict ready for ``json.dumps``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Quarterdeck fleet file",
        "description": "What is watched, how it is reached, and from which numbers on it is trouble.",
        "type": "object",
        "additionalProperties": False,
        "properties": {table.name: _top_level(table) for table in every()} | {KEYS: keymap.json_schema()},
    }


def _top_level(table: Table) -> JsonSchema:
    if not table.repeated:
        return _table(table)
    return {"type": "array", "description": table.doc, "items": _table(table)}


def _table(table: Table) -> JsonSchema:
    defaults = table.defaults()
    schema: JsonSchema = {
        "type": "object",
        "description": table.doc,
        "additionalProperties": False,
        "properties": {key.name: _key(key, defaults.get(key.name)) for key in table.keys},
    }
    if table.required():
        schema["required"] = list(table.required())
    if table is AUTH:
        schema["oneOf"] = [{"required": [name]} for name in ("env", "file", "command")]
    if table.name == "tls":
        schema["dependentRequired"] = {"cert": ["key"], "key": ["cert"]}
    return schema


def _key(key: Key, default: object) -> JsonSchema:
    import tomllib

    if isinstance(key.kind, Table):
        schema = _table(key.kind)
    else:
        schema = {**key.kind.schema(), "description": key.doc}
        if default is not None and default not in ({}, ()):
            schema["default"] = tomllib.loads(f"value = {key.kind.toml(default)}")["value"]
    schema["examples"] = [tomllib.loads(f"value = {key.example}")["value"]]
    return schema
