"""A parsed fleet file -> FleetConfig, and every problem in it. Pure; never raises.

What is wrong is left out and the rest is used: of [console], [limits] and [jobs] the single key, of [[host]], [[endpoint]] and
[[deployment]] the whole entry (half an endpoint would be asked in a way nobody wrote down).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from quarterdeck.config.fleet import ConsoleSettings, FleetConfig
from quarterdeck.config.problem import BadValueError, Finding, KeyPath, sort_of
from quarterdeck.config.references import Entry, Machines, Servers, deployments_of, endpoints_of, hosts_of, names_of
from quarterdeck.config.table import Key, Table, attribute
from quarterdeck.config.tables import KEYS, NAMES, SETTINGS, named
from quarterdeck.model.chat.boundary import Policy, Rule

Document = Mapping[str, object]


class Decoded(NamedTuple):
    """What can be used, and what is wrong."""

    config: FleetConfig
    findings: tuple[Finding, ...]


def decode(document: Document, base: Path) -> Decoded:
    """The fleet of a TOML document; ``base`` is the folder that relative paths start from."""
    findings: list[Finding] = []
    for name in document:
        if name not in NAMES and name != KEYS:
            from quarterdeck.config.suggest import unknown_table

            findings.append(Finding((name,), unknown_table(name)))
    settings = {name: _settings(name, document, base, findings) for name in SETTINGS if name in document}
    written_hosts = _entries("host", document, base, findings)
    hosts = hosts_of(written_hosts, findings)
    machines = Machines(names_of(written_hosts), {host.name: host for host in hosts})
    written_endpoints = _entries("endpoint", document, base, findings)
    endpoints = endpoints_of(written_endpoints, machines, findings)
    servers = Servers(names_of(written_endpoints), {endpoint.name: endpoint for endpoint in endpoints})
    written_deployments = _entries("deployment", document, base, findings)
    config = FleetConfig(
        endpoints=endpoints,
        hosts=hosts,
        deployments=deployments_of(written_deployments, machines, servers, base, findings),
        prices=_made("price", document, base, findings),
        alert_rules=_made("alert", document, base, findings),
        sinks=_made("sink", document, base, findings),
        **settings,
    )
    guarded = replace(config, console=_guarded(config.console, findings), policy=_strict(config.policy, findings))
    return Decoded(guarded, tuple(findings))


def _guarded(console: ConsoleSettings, findings: Sequence[Finding]) -> ConsoleSettings:
    """Read-only where the file may have meant to say so: a typo must not hand out the right to act."""
    return replace(console, read_only=True) if _may_mean("console", findings) else console


def _strict(policy: Policy, findings: Sequence[Finding]) -> Policy:
    """Nothing leaves where the file may have meant to say so: a typo must not send a prompt out."""
    return policy._replace(external=Rule.NEVER) if _may_mean("policy", findings) else policy


def _may_mean(name: str, findings: Sequence[Finding]) -> bool:
    """Whether something is wrong in that table, or with what is no table at all."""
    return any(finding.path[0] == name or finding.path[0] not in NAMES for finding in findings)


def _by_field(values: Mapping[str, Any]) -> dict[str, Any]:
    return {attribute(name): value for name, value in values.items()}


def _settings(name: str, document: Document, base: Path, findings: list[Finding]) -> Any:
    """What a table that stands there once becomes."""
    declared, given = named(name), document[name]
    if isinstance(given, dict):
        return declared.make(**_by_field(read_table(declared, given, (name,), base, findings)))
    findings.append(Finding((name,), f"expected {declared.expected}, got {sort_of(given)}"))
    return declared.make()


def _made(name: str, document: Document, base: Path, findings: list[Finding]) -> tuple[Any, ...]:
    """What the good entries of a table become."""
    entries = _entries(name, document, base, findings)
    return tuple(named(name).make(**_by_field(entry.values)) for entry in entries if entry.good)


def _entries(name: str, document: Document, base: Path, findings: list[Finding]) -> list[Entry]:
    if name not in document:
        return []
    declared, given = named(name), document[name]
    if isinstance(given, list):
        entries = [_entry(declared, value, (name, index), base, findings) for index, value in enumerate(given)]
        return _unique(entries, findings)
    brackets = isinstance(given, dict)
    got = f" with double brackets, got [{name}]" if brackets else f", got {sort_of(given)}"
    findings.append(Finding((name,), f"expected {declared.expected}{got}"))
    return []


def _entry(table: Table, value: object, path: KeyPath, base: Path, findings: list[Finding]) -> Entry:
    if not isinstance(value, dict):
        findings.append(Finding(path, f"expected a table, got {sort_of(value)}"))
        return Entry(path, {}, good=False)
    before = len(findings)
    values = read_table(table, value, path, base, findings)
    return Entry(path, values, good=len(findings) == before)


def read_table(table: Table, given: Document, path: KeyPath, base: Path, findings: list[Finding]) -> dict[str, Any]:
    """The good values of a table as its dataclass takes them; appends what is wrong to ``findings``."""
    known = {key.name: key for key in table.keys}
    values: dict[str, Any] = {}
    for name, value in given.items():
        key = known.get(name)
        if key is None:
            from quarterdeck.config.suggest import unknown_key

            findings.append(Finding((*path, name), unknown_key(table, name)))
            continue
        try:
            values[name] = _read(key, value, base)
        except BadValueError as error:
            findings.extend(Finding((*path, name, *inside), message) for inside, message in error.parts)
    missing = (name for name in table.required() if name not in given)
    findings.extend(Finding((*path, name), f"missing; expected {known[name].kind.expected}") for name in missing)
    for name, message in table.check(given, values) if table.check else ():
        findings.append(Finding((*path, name) if name else path, message))
    return values


def _read(key: Key, value: object, base: Path) -> object:
    if not isinstance(key.kind, Table):
        return key.kind.read(value, base)
    if not isinstance(value, dict):
        raise BadValueError(f"expected {key.kind.expected}, got {sort_of(value)}")
    inside: list[Finding] = []
    values = read_table(key.kind, value, (), base, inside)
    if inside:
        raise BadValueError("", *((finding.path, finding.message) for finding in inside))
    return key.kind.make(**values)


def _unique(entries: list[Entry], findings: list[Finding]) -> list[Entry]:
    """The entries with every second one of a name marked bad."""
    first: dict[str, KeyPath] = {}
    marked: list[Entry] = []
    for entry in entries:
        if entry.name is not None and entry.name in first:
            findings.append(Finding((*entry.path, "name"), "used twice", first=(*first[entry.name], "name")))
            marked.append(entry._replace(good=False))
        else:
            marked.append(entry)
        if entry.name is not None:
            first.setdefault(entry.name, entry.path)
    return marked
