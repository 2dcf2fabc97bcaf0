"""Findings and values with the lines they come from. Only imported when a line is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from quarterdeck.config.alerting import ALERT
from quarterdeck.config.chatting import PRICE
from quarterdeck.config.deployments import DEPLOYMENT
from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.keys import ENDPOINT, HOST
from quarterdeck.config.locate import line_of
from quarterdeck.config.problem import LONGEST_ECHO, Finding, KeyPath, Problem, shown
from quarterdeck.config.sinks import SINK
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.config.table import Table
from quarterdeck.config.tables import settings
from quarterdeck.format import printable
from quarterdeck.model.chat.boundary import Rule

Document = Mapping[str, object]
Lines = dict[KeyPath, int]

DEFAULT = "default"
INHERITED = "its host or endpoint is protected"
SAFEGUARD = "on until the problems in the file are gone"
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def problems_of(findings: Sequence[Finding], document: Document, file: str, lines: Lines) -> tuple[Problem, ...]:
    """The findings as finished problems, in the order of their lines."""
    problems = [_problem(finding, document, file, lines) for finding in findings]
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))


def _problem(finding: Finding, document: Document, file: str, lines: Lines) -> Problem:
    message = finding.message
    first = line_of(lines, finding.first) if finding.first else None
    if first is not None:
        message += f"; first in line {first}"
    return Problem(file, message, label(finding.path, document), line_of(lines, finding.path))


def label(path: KeyPath, document: Document) -> str:
    """``console.poll``; ``endpoint "vllm-a": auth.env``; ``endpoint 2: name`` where the name can't be told."""
    if len(path) < 2 or not isinstance(path[1], int):
        return dotted(path)
    entry = f"{path[0]} {_name(path, document) or path[1] + 1}"
    return f"{entry}: {dotted(path[2:])}" if len(path) > 2 else entry


def dotted(path: KeyPath) -> str:
    """The path as TOML writes it, clipped and printable."""
    parts = (str(part) for part in path)
    return ".".join(
        part[:LONGEST_ECHO] if _BARE.fullmatch(part) else f'"{printable(part, LONGEST_ECHO)}"' for part in parts
    )


def _name(path: KeyPath, document: Document) -> str | None:
    table = document.get(str(path[0]))
    entry = table[path[1]] if isinstance(table, list) and isinstance(path[1], int) and path[1] < len(table) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    usable = isinstance(name, str) and name.strip() and name.isprintable()
    return shown(name) if usable else None


def origins_of(
    config: FleetConfig, document: Document, findings: Sequence[Finding], file: str, lines: Lines
) -> dict[str, str]:
    """Key path (``endpoint.vllm-a.url``) -> "fleet.toml:12" or "default", for every key of what is used."""
    refused = {finding.path for finding in findings}

    def written(path: KeyPath) -> str:
        line = lines.get(path)
        return DEFAULT if line is None or path in refused else f"{file}:{line}"

    found: dict[str, str] = {}
    for table in settings():
        found.update({dotted(path): written(path) for path in _paths(table, (table.name,))})
    for table, specs in _entries(config):
        indexes = _indexes(document, table)
        for spec in specs:
            here = (table.name, indexes[spec.name])
            for path in _paths(table, ()):
                found[dotted((table.name, spec.name, *path))] = written((*here, *path))
            if spec.protected and not _says_protected(document, here):
                found[dotted((table.name, spec.name, "protected"))] = INHERITED
    for table in (PRICE, ALERT, SINK):
        for index, place in enumerate(_good(document, table, refused)):
            for path in _paths(table, ()):
                found[dotted((table.name, str(index), *path))] = written((table.name, place, *path))
    return found | dict.fromkeys(_safeguards(config, document), SAFEGUARD)


def _safeguards(config: FleetConfig, document: Document) -> Iterator[str]:
    """What is stricter than it stands in the file, because something else there can't be read."""
    if config.policy.external is Rule.NEVER and not _says(document, "policy", "external", "never"):
        yield "policy.external"
    console = document.get("console")
    if config.console.read_only and not (isinstance(console, dict) and console.get("read_only") is True):
        yield "console.read_only"


def adhoc_origins(config: FleetConfig, source: str = "--url") -> dict[str, str]:
    """Origins where the endpoints' names and URLs come from the command line or from discovery, and nothing else is set."""
    found = {dotted(path): DEFAULT for table in settings() for path in _paths(table, (table.name,))}
    for table, entries in _entries(config):
        for spec in entries:
            for path in _paths(table, ()):
                given = path in (("name",), ("url",))
                found[dotted((table.name, spec.name, *path))] = source if given else DEFAULT
    return found


def _says(document: Document, table: str, key: str, word: str) -> bool:
    written = document.get(table)
    return isinstance(written, dict) and str(written.get(key)).lower() == word


def _good(document: Document, table: Table, refused: set[KeyPath]) -> list[int]:
    """Which entries of a table without names are used: those that nothing is wrong with."""
    written = document.get(table.name)
    bad = {path[1] for path in refused if len(path) > 1 and path[0] == table.name}
    return [index for index in range(len(written) if isinstance(written, list) else 0) if index not in bad]


def _says_protected(document: Document, path: tuple[str, int]) -> bool:
    entries = document[path[0]]
    return isinstance(entries, list) and entries[path[1]].get("protected") is True


def _entries(config: FleetConfig) -> tuple[tuple[Table, tuple[HostSpec | EndpointSpec | DeploymentSpec, ...]], ...]:
    return (HOST, config.hosts), (ENDPOINT, config.endpoints), (DEPLOYMENT, config.deployments)


def _paths(table: Table, path: KeyPath) -> Iterator[KeyPath]:
    """Every key of a table, those of tables inside it too."""
    for key in table.keys:
        if isinstance(key.kind, Table):
            yield from _paths(key.kind, (*path, key.name))
        else:
            yield (*path, key.name)


def _indexes(document: Document, table: Table) -> dict[str, int]:
    """Which entry a name belongs to: the first that has it, as in ``decode``."""
    written = document.get(table.name)
    found: dict[str, int] = {}
    for index, entry in enumerate(written if isinstance(written, list) else ()):
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str):
            found.setdefault(name, index)
    return found
