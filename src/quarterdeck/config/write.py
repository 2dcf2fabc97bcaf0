"""A commented fleet file to start from: ``quarterdeck config init``. The fleet.toml of this project is one without a fleet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from quarterdeck.config import keymap
from quarterdeck.config.alerting import ALERT
from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.deployments import DEPLOYMENT, has_effect
from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.config.kinds import toml_string
from quarterdeck.config.sinks import SINK
from quarterdeck.config.table import Key, Table
from quarterdeck.config.tables import repeated, settings
from quarterdeck.errors import UsageError

_HEAD = """\
# fleet.toml: what Quarterdeck watches, how it is reached, and from which numbers on it is trouble.
#
# Read from --fleet FILE, else $QUARTERDECK_FLEET, else ./fleet.toml, else quarterdeck/fleet.toml in your config folder.
# Without any [[endpoint]], Quarterdeck looks for what runs on this machine.
#
# "# text" explains; "#key = value" is a setting at its default or an example: take the # away to use it.
# Durations: "500ms", "2s", "1m30s", or seconds. Shares: 0.9 or "90%". Paths: relative to this file, ~ is your home.
#
# `quarterdeck config check` says what is wrong in here, `quarterdeck config show --origin` where each value comes from,
# `quarterdeck config schema` prints a JSON Schema for your editor.
"""

_EXAMPLES = """\
# More examples.

# Ollama on this machine; "auto" would find out by itself.
#[[endpoint]]
#name = "ollama"
#url = "http://127.0.0.1:11434"
#engine = "ollama"

# A key read from a file, sent bare in a header of its own.
#[[endpoint]]
#name = "llama-server"
#url = "http://gpu-1:8080"
#engine = "llamacpp"
#auth = { file = "~/.secrets/llama", header = "X-Api-Key", scheme = "" }

# A managed API, with a key from a password manager. External endpoints are polled every 30 s unless poll says otherwise.
#[[endpoint]]
#name = "managed"
#url = "https://api.example.com/v1"
#engine = "openai"
#boundary = "external"
#auth = { command = ["pass", "show", "example-api"] }
"""


def init_text(endpoints: Iterable[EndpointSpec] = (), hosts: Iterable[HostSpec] = ()) -> str:
    """The text of a fleet file with these endpoints and hosts, and every key explained. Loads without a problem."""
    parts = [
        _HEAD,
        *map(_settings, settings()),
        keymap.DOC,
        *_found("hosts", "host", [_host(host) for host in hosts]),
        *_found("endpoints", "endpoint", [_endpoint(endpoint) for endpoint in endpoints]),
        *map(_reference, repeated()),
        _EXAMPLES,
    ]
    return "\n".join(parts)


def write_new(path: Path, text: str) -> None:
    """Write a new file, and its folder where missing. Raises UsageError; never touches what is there already."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        raise UsageError(f"{path} is there already; nothing was written", hint="Name another file.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be written: {_words(error)}") from None
    try:
        with stream:
            stream.write(text)
    except OSError as error:
        os.unlink(path)  # noqa: PTH108  ours: just made, and half a file is worse than none
        raise UsageError(f"{path} can't be written: {_words(error)}") from None


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "not a usable file name"


def _settings(table: Table) -> str:
    """A table with every key explained and commented out at its default."""
    return "\n".join([f"# {table.doc}", f"[{table.name}]", *_keys(table, table.keys, defaults=True)]) + "\n"


def _found(title: str, name: str, blocks: list[list[str]]) -> Iterator[str]:
    if blocks:
        yield (
            "\n".join([f"# The {title} that were found here.", ""])
            + "\n\n".join("\n".join([f"[[{name}]]", *block]) for block in blocks)
            + "\n"
        )


def _host(host: HostSpec) -> list[str]:
    return [f"name = {toml_string(host.name)}", f"gpus = {toml_string(host.gpus)}"]


def _endpoint(endpoint: EndpointSpec) -> list[str]:
    lines = [f"name = {toml_string(endpoint.name)}", f"url = {toml_string(endpoint.url)}"]
    if endpoint.engine != "auto":
        lines.append(f"engine = {toml_string(endpoint.engine)}")
    if endpoint.host is not None:
        lines.append(f"host = {toml_string(endpoint.host)}")
    if endpoint.boundary is not default_boundary(endpoint.url):
        lines.append(f"boundary = {toml_string(endpoint.boundary)}")
    return lines


def _reference(table: Table) -> str:
    """An example of a repeated table with every key explained, all of it commented out."""
    shown = [key for key in table.keys if _goes_together(table, key)]
    lines = [f"# {table.doc} Every key of it:", f"#[[{table.name}]]", *_keys(table, shown, defaults=False)]
    others = [
        each
        for key in table.keys
        if key not in shown
        for each in (key, *(key.kind.keys if isinstance(key.kind, Table) else ()))
    ]
    if others:
        lines += ["# Keys of other drivers:" if table is DEPLOYMENT else "# Instead:", *_explained(others)]
    return "\n".join(lines) + "\n"


def _goes_together(table: Table, key: Key) -> bool:
    """Whether a key can stand beside the others of the example."""
    if table is DEPLOYMENT:
        return has_effect("process", key.name)
    if table is SINK:
        return key.name not in ("webhook_from", "command", "bell", "desktop")
    return table is not ALERT or key.name != "below"


def _keys(table: Table, keys: Iterable[Key], *, defaults: bool) -> Iterator[str]:
    known = table.defaults()
    for key in keys:
        yield f"# {key.doc}"
        if isinstance(key.kind, Table):
            yield from _explained(key.kind.keys)
        yield f"#{key.name} = {_default(key, known[key.name]) if defaults else key.example}"


def _default(key: Key, value: object) -> str:
    return key.example if isinstance(key.kind, Table) or value is None else key.kind.toml(value)


def _explained(keys: Sequence[Key]) -> Iterator[str]:
    """Keys explained inside a comment: of a table in a table, or of another driver."""
    rows = [(f"{key.name} = {key.example}", key.doc) for key in keys]
    width = max(len(example) for example, _ in rows)
    return (f"#   {example:<{width}}  {doc}" for example, doc in rows)
