"""A parsed fleet file -> FleetConfig, and every problem in it. Pure; never raises.

What is wrong is left out and the rest is used: of [console] and [limits] the single key, of [[host]] and [[endpoint]] the
whole entry (half an endpoint would be asked in a way nobody wrote down).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.keys import CONSOLE, ENDPOINT, HOST, LIMITS, TABLES
from quarterdeck.config.problem import BadValueError, Finding, KeyPath, shown, sort_of
from quarterdeck.config.reach import is_ssh_destination
from quarterdeck.config.suggest import unknown_key, unknown_table
from quarterdeck.config.table import Key, Table
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.limits import Limits

Document = Mapping[str, object]


class Entry(NamedTuple):
    """One [[host]] or [[endpoint]]: its good values, and whether all of it was good."""

    path: KeyPath
    values: Mapping[str, Any]
    good: bool

    @property
    def name(self) -> str | None:
        """Its name, if that can be read."""
        name = self.values.get("name")
        return name if isinstance(name, str) else None


class Decoded(NamedTuple):
    """What can be used, and what is wrong."""

    config: FleetConfig
    findings: tuple[Finding, ...]


def decode(document: Document, base: Path) -> Decoded:
    """The fleet of a TOML document; ``base`` is the folder that relative paths start from."""
    known = {table.name for table in TABLES}
    findings = [Finding((name,), unknown_table(name)) for name in document if name not in known]
    console = _settings(CONSOLE, document, base, findings)
    limits = _settings(LIMITS, document, base, findings)
    written_hosts = _unique(_entries(HOST, document, base, findings), findings)
    hosts = _hosts(written_hosts, findings)
    endpoints = _unique(_entries(ENDPOINT, document, base, findings), findings)
    declared = {host.name for host in written_hosts if host.name is not None}
    config = FleetConfig(
        endpoints=_endpoints(endpoints, declared, {host.name: host for host in hosts}, findings),
        hosts=hosts,
        console=_guarded(ConsoleSettings(**console), findings),
        limits=Limits(**limits),
    )
    return Decoded(config, tuple(findings))


def _guarded(console: ConsoleSettings, findings: Sequence[Finding]) -> ConsoleSettings:
    """Read-only where the file may have meant to say so: a typo must not hand out the right to act."""
    elsewhere = ("host", "endpoint", "limits")
    unsure = any(finding.path[0] not in elsewhere for finding in findings)
    return replace(console, read_only=True) if unsure else console


def _settings(table: Table, document: Document, base: Path, findings: list[Finding]) -> dict[str, Any]:
    given = document.get(table.name, {})
    path = (table.name,)
    if not isinstance(given, dict):
        findings.append(Finding(path, f"expected {table.expected}, got {sort_of(given)}"))
        return {}
    return read_table(table, given, path, base, findings)


def _entries(table: Table, document: Document, base: Path, findings: list[Finding]) -> list[Entry]:
    given = document.get(table.name, [])
    if isinstance(given, dict):
        findings.append(Finding((table.name,), f"expected {table.expected} with double brackets, got [{table.name}]"))
        return []
    if not isinstance(given, list):
        findings.append(Finding((table.name,), f"expected {table.expected}, got {sort_of(given)}"))
        return []
    return [_entry(table, value, (table.name, index), base, findings) for index, value in enumerate(given)]


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


def _hosts(entries: list[Entry], findings: list[Finding]) -> tuple[HostSpec, ...]:
    hosts: list[HostSpec] = []
    this_machine: KeyPath | None = None
    for entry in entries:
        if not entry.good:
            continue
        host = HostSpec(**entry.values)
        if host.gpus == "local" and this_machine is not None:
            message = '"local" is this machine, and another host is it already'
            findings.append(Finding((*entry.path, "gpus"), message, first=this_machine))
            continue
        if host.gpus == "local":
            this_machine = entry.path
        hosts.append(host)
    return tuple(hosts)


def _endpoints(
    entries: list[Entry], declared: set[str], usable: Mapping[str, HostSpec], findings: list[Finding]
) -> tuple[EndpointSpec, ...]:
    endpoints: list[EndpointSpec] = []
    for entry in entries:
        host = entry.values.get("host")
        via = str(entry.values.get("via") or "").partition(":")[2]
        if host is not None and host not in declared:
            findings.append(Finding((*entry.path, "host"), _unknown_host(host, declared)))
        elif via and via not in declared and not is_ssh_destination(via):
            findings.append(Finding((*entry.path, "via"), f"{shown(via)} is neither a [[host]] nor an ssh destination"))
        elif entry.good:
            values = dict(entry.values)
            values.setdefault("boundary", _boundary(values["url"], tunnel=bool(via)))
            if host not in usable:  # its [[host]] is wrong, which is said there
                values["host"] = None
            if via:
                values["host"] = values["host"] or via  # wherever that is, it isn't this machine
                values["via"] = f"ssh:{(usable[via].ssh if via in usable else None) or via}"
            endpoints.append(EndpointSpec(**values))
    return tuple(endpoints)


def _boundary(url: str, *, tunnel: bool) -> Boundary:
    """Told from the URL; at the end of a tunnel, "this machine" is another one."""
    boundary = default_boundary(url)
    return Boundary.VPC if tunnel and boundary is Boundary.LOCAL else boundary


def _unknown_host(host: object, declared: set[str]) -> str:
    if not declared:
        return f"{shown(host)} is not declared; add a [[host]] of this name"
    known = sorted(declared)
    names = ", ".join(shown(name) for name in known[:8]) + (", …" if len(known) > 8 else "")
    return f"{shown(host)} is not a declared host; known: {names}"
