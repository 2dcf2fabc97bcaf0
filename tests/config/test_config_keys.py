"""The one declaration of the keys, and everything that is made from it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.config.fleet import (
    ConsoleSettings,
    EndpointSpec,
    FleetConfig,
    HostSpec,
    Limits,
)
from quarterdeck.config.keys import ENDPOINT
from quarterdeck.config.load import loads
from quarterdeck.config.schema import json_schema
from quarterdeck.config.table import Key, Table
from quarterdeck.config.tables import KEYS, NAMES, every
from quarterdeck.config.write import init_text, write_new
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import Boundary

SAMPLE = Path(__file__).parents[2] / "fleet.toml"
BASE = Path("/etc/quarterdeck")


def every_table(tables: tuple[Table, ...] = every()) -> Iterator[Table]:
    for table in tables:
        yield table
        yield from every_table(tuple(key.kind for key in table.keys if isinstance(key.kind, Table)))


EVERY_KEY = [(table, key) for table in every_table() for key in table.keys]
PLAIN_KEYS = [(table, key) for table, key in EVERY_KEY if not isinstance(key.kind, Table)]


@pytest.mark.parametrize("table", list(every_table()), ids=lambda table: table.name)
def test_every_field_is_a_key_and_every_key_a_field(table: Table) -> None:
    told = [name for name in table.fields() if name not in ("kept",)]  # where it stands is not written in it
    assert [key.name for key in table.keys] == told


@pytest.mark.parametrize(("table", "key"), PLAIN_KEYS, ids=lambda part: part.name)
def test_examples_and_defaults_are_read_and_written_back(table: Table, key: Key) -> None:
    assert not isinstance(key.kind, Table)
    values = [key.kind.read(tomllib.loads(f"v = {key.example}")["v"], BASE)]
    values += [value for value in [table.defaults().get(key.name)] if value not in (None, ())]
    for value in values:
        assert key.kind.read(tomllib.loads(f"v = {key.kind.toml(value)}")["v"], BASE) == value


def test_no_other_spelling_of_a_key_means_two_keys() -> None:
    for table in every_table():
        names = [name for key in table.keys for name in (key.name, *key.also)]
        assert len(names) == len(set(names))


# --- config init ----------------------------------------------------------------------------------------------------


def taken(text: str) -> str:
    """The text with the # of every commented-out setting taken away."""
    return re.sub(r"(?m)^#(?=[\[a-z])", "", text)


def test_the_sample_is_what_init_writes() -> None:
    assert SAMPLE.read_text(encoding="utf-8") == init_text()


def test_the_sample_loads_and_changes_nothing() -> None:
    loaded = loads(SAMPLE.read_text(encoding="utf-8"), SAMPLE)
    assert loaded.problems == ()
    assert loaded.config == FleetConfig(source=SAMPLE)


def test_the_sample_with_every_setting_taken_loads_too() -> None:
    loaded = loads(taken(init_text()), SAMPLE)
    assert loaded.problems == ()
    assert [endpoint.name for endpoint in loaded.config.endpoints] == ["vllm-a", "ollama", "llama-server", "managed"]
    assert loaded.config.console == ConsoleSettings(theme="quarterdeck-night", ascii=True)
    assert loaded.config.limits == Limits()
    assert [deployment.run[0] for deployment in loaded.config.deployments] == ["vllm"]


@pytest.mark.parametrize(("table", "key"), EVERY_KEY, ids=lambda part: part.name)
def test_the_sample_explains_every_key(table: Table, key: Key) -> None:
    text = init_text()
    assert re.search(rf"(?m)^# *{key.name} = ", text)
    assert key.doc in text


def test_init_with_a_fleet() -> None:
    hosts = (HostSpec("this machine"),)
    endpoints = (
        EndpointSpec("ollama", "http://127.0.0.1:11434", engine="ollama", host="this machine"),
        EndpointSpec('odd "name" \\', "http://gpu-1:8000", boundary=Boundary.EXTERNAL),
    )
    loaded = loads(init_text(endpoints, hosts), BASE / "fleet.toml")
    assert loaded.problems == ()
    assert loaded.config.endpoints == endpoints
    assert loaded.config.hosts == hosts


def test_init_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "new" / "fleet.toml"
    write_new(path, "first")
    with pytest.raises(UsageError, match="is there already; nothing was written"):
        write_new(path, "second")
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "elsewhere.toml")
    with pytest.raises(UsageError, match="is there already"):
        write_new(link, "second")
    assert path.read_text() == "first"
    assert not (tmp_path / "elsewhere.toml").exists()


def test_init_says_why_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "fleet.toml", tmp_path / "a\0b", tmp_path / ("a" * 300)):
        with pytest.raises(UsageError) as caught:
            write_new(path, "text")
        assert str(caught.value)


# --- config schema --------------------------------------------------------------------------------------------------


def test_the_schema_is_plain_json_and_describes_every_key() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert list(schema["properties"]) == [*NAMES, KEYS]
    endpoint = schema["properties"]["endpoint"]["items"]
    assert list(endpoint["properties"]) == [key.name for key in ENDPOINT.keys]
    assert endpoint["required"] == ["name", "url"]
    assert endpoint["additionalProperties"] is False
    for key in ENDPOINT.keys:
        assert endpoint["properties"][key.name]["description"] == key.doc
    assert schema["properties"]["console"]["properties"]["poll"]["default"] == "2s"
    assert schema["properties"]["limits"]["properties"]["warn_waiting"]["default"] == 20


@pytest.mark.parametrize(("table", "key"), PLAIN_KEYS, ids=lambda part: part.name)
def test_the_schema_takes_every_example_and_default(table: Table, key: Key) -> None:
    assert not isinstance(key.kind, Table)
    schema = key.kind.schema()
    assert fits(tomllib.loads(f"v = {key.example}")["v"], schema)
    default = table.defaults().get(key.name)
    assert default is None or fits(tomllib.loads(f"v = {key.kind.toml(default)}")["v"], schema)
    for wrong in (True, False, None):
        if "boolean" not in str(schema):
            assert not fits(wrong, schema)


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "integer": (int,),
    "number": (int, float),
}


def fits(value: object, schema: dict[str, Any]) -> bool:
    """As much of JSON Schema as ours uses."""
    if "anyOf" in schema:
        return any(fits(value, option) for option in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if not isinstance(value, TYPES[schema["type"]]) or isinstance(value, bool) != (schema["type"] == "boolean"):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None and len(value) >= schema.get("minLength", 0)
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True
