"""A parsed fleet file -> FleetConfig, and every problem in it. Pure; never raises.

What is wrong is left out and the rest is used: of [console], [limits] and [jobs] the single key, of [[host]], [[endpoint]] and
[[deployment]] the whole entry (half an endpoint would be asked in a way nobody wrote down).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from quarterdeck.config.alerting import ALERT, ALERTS
from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.chatting import CHAT, POLICY, PRICE
from quarterdeck.config.deployments import DEPLOYMENT, JOBS
from quarterdeck.config.fleet import (
    AlertSettings,
    AlertSpec,
    ChatSettings,
    ConsoleSettings,
    DeploymentSpec,
    EndpointSpec,
    EventSettings,
    FleetConfig,
    HostSpec,
    JobSettings,
    PriceSpec,
    SinkSpec,
)
from quarterdeck.config.keys import CONSOLE, ENDPOINT, HOST, LIMITS, TABLES
from quarterdeck.config.problem import BadValueError, Finding, KeyPath, shown, sort_of
from quarterdeck.config.reach import is_ssh_destination
from quarterdeck.config.sinks import EVENTS, SINK
from quarterdeck.config.suggest import unknown_key, unknown_table
from quarterdeck.config.table import Key, Table, attribute
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.limits import Limits

Document = Mapping[str, object]


class Entry(NamedTuple):
    """One [[host]], [[endpoint]] or [[deployment]]: its good values, and whether all of it was good."""

    path: KeyPath
    values: Mapping[str, Any]
    good: bool

    @property
    def name(self) -> str | None:
        """Its name, if that can be read."""
        name = self.values.get("name")
        return name if isinstance(name, str) else None


class _Machines(NamedTuple):
    """The [[host]] entries: what they are called, and those without a problem."""

    declared: set[str]
    usable: Mapping[str, HostSpec]

    def destination(self, name: str) -> str:
        """Where ssh finds a host, or what is a destination itself."""
        return (self.usable[name].ssh if name in self.usable else None) or name

    def problem(self, name: str) -> str:
        """Why ssh can't connect to it; "" where it can."""
        if is_ssh_destination(self.destination(name)):
            return ""
        if name in self.usable:
            needs = 'needs ssh, such as ssh = "user@gpu-1": ssh can\'t connect to a host of this name'
            return f"the [[host]] {shown(name)} {needs}"
        if name in self.declared:
            return ""  # what is wrong with it is said there
        return f"{shown(name)} is neither a [[host]] nor an ssh destination"

    def protects(self, name: str | None) -> bool:
        """Whether what is on it is protected; where its entry can't be read, it may have meant to say so."""
        host = self.usable.get(name) if name is not None else None
        return host.protected if host is not None else name in self.declared


class _Servers(NamedTuple):
    """The [[endpoint]] entries: what they are called, and those without a problem."""

    declared: set[str]
    usable: Mapping[str, EndpointSpec]


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
    jobs = _settings(JOBS, document, base, findings)
    policy = _settings(POLICY, document, base, findings)
    chat = _settings(CHAT, document, base, findings)
    prices = _entries(PRICE, document, base, findings)
    alerts = _settings(ALERTS, document, base, findings)
    rules = _unique(_entries(ALERT, document, base, findings), findings)
    events = _settings(EVENTS, document, base, findings)
    sinks = _unique(_entries(SINK, document, base, findings), findings)
    written_hosts = _unique(_entries(HOST, document, base, findings), findings)
    hosts = _hosts(written_hosts, findings)
    machines = _Machines(_names(written_hosts), {host.name: host for host in hosts})
    written_endpoints = _unique(_entries(ENDPOINT, document, base, findings), findings)
    endpoints = _endpoints(written_endpoints, machines, findings)
    written_deployments = _unique(_entries(DEPLOYMENT, document, base, findings), findings)
    servers = _Servers(_names(written_endpoints), {endpoint.name: endpoint for endpoint in endpoints})
    config = FleetConfig(
        endpoints=endpoints,
        hosts=hosts,
        deployments=_deployments(written_deployments, machines, servers, base, findings),
        console=_guarded(ConsoleSettings(**console), findings),
        limits=Limits(**limits),
        jobs=JobSettings(**jobs),
        policy=_strict(Policy(**policy), findings),
        chat=ChatSettings(**chat),
        prices=tuple(PriceSpec(**entry.values) for entry in prices if entry.good),
        alerts=AlertSettings(**alerts),
        alert_rules=tuple(AlertSpec(**_by_field(entry.values)) for entry in rules if entry.good),
        sinks=tuple(SinkSpec(**entry.values) for entry in sinks if entry.good),
        events=EventSettings(**events),
    )
    return Decoded(config, tuple(findings))


def _guarded(console: ConsoleSettings, findings: Sequence[Finding]) -> ConsoleSettings:
    """Read-only where the file may have meant to say so: a typo must not hand out the right to act."""
    elsewhere = (
        "host",
        "endpoint",
        "deployment",
        "limits",
        "jobs",
        "policy",
        "chat",
        "price",
        "alerts",
        "alert",
        "sink",
        "events",
    )
    unsure = any(finding.path[0] not in elsewhere for finding in findings)
    return replace(console, read_only=True) if unsure else console


def _strict(policy: Policy, findings: Sequence[Finding]) -> Policy:
    """Nothing leaves where the file may have meant to say so: a typo must not send a prompt out."""
    elsewhere = (
        "host",
        "endpoint",
        "deployment",
        "limits",
        "jobs",
        "chat",
        "price",
        "console",
        "alerts",
        "alert",
        "sink",
        "events",
    )
    unsure = any(finding.path[0] not in elsewhere for finding in findings)
    return replace(policy, external=Rule.NEVER) if unsure else policy


def _by_field(values: Mapping[str, Any]) -> dict[str, Any]:
    return {attribute(name): value for name, value in values.items()}


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


def _names(entries: Sequence[Entry]) -> set[str]:
    return {entry.name for entry in entries if entry.name is not None}


def _endpoints(entries: list[Entry], machines: _Machines, findings: list[Finding]) -> tuple[EndpointSpec, ...]:
    endpoints: list[EndpointSpec] = []
    for entry in entries:
        host = entry.values.get("host")
        via = str(entry.values.get("via") or "").partition(":")[2]
        if host is not None and host not in machines.declared:
            findings.append(Finding((*entry.path, "host"), _undeclared("host", host, machines.declared)))
        elif via and (problem := machines.problem(via)):
            findings.append(Finding((*entry.path, "via"), problem))
        elif entry.good:
            values = dict(entry.values)
            values.setdefault("boundary", _boundary(values["url"], tunnel=bool(via)))
            values["protected"] = values.get("protected", False) or machines.protects(host) or machines.protects(via)
            if host not in machines.usable:  # its [[host]] is wrong, which is said there
                values["host"] = None
            if via:
                values["host"] = values["host"] or via  # wherever that is, it isn't this machine
                values["via"] = f"ssh:{machines.destination(via)}"
            endpoints.append(EndpointSpec(**values))
    return tuple(endpoints)


def _deployments(
    entries: list[Entry], machines: _Machines, servers: _Servers, base: Path, findings: list[Finding]
) -> tuple[DeploymentSpec, ...]:
    deployments: list[DeploymentSpec] = []
    for entry in entries:
        endpoint, host = entry.values.get("endpoint"), entry.values.get("host")
        if endpoint is not None and endpoint not in servers.declared:
            findings.append(Finding((*entry.path, "endpoint"), _undeclared("endpoint", endpoint, servers.declared)))
        elif host is not None and (problem := machines.problem(host)):
            findings.append(Finding((*entry.path, "host"), problem))
        elif (
            entry.good and endpoint is not None and endpoint in servers.usable
        ):  # else what is wrong with the endpoint is said there
            deployments.append(_deployment(dict(entry.values), machines, servers.usable[endpoint], base))
    return tuple(deployments)


def _deployment(values: dict[str, Any], machines: _Machines, endpoint: EndpointSpec, base: Path) -> DeploymentSpec:
    """Paths of a process start from the file; those of another machine stay as they are."""
    here = values.get("driver", "process") == "process"
    for name, make in (("cwd", Path), ("log", str)):
        if values.get(name) is not None:
            values[name] = make(base / os.path.expanduser(values[name]) if here else values[name])  # noqa: PTH111
    host = values.get("host")
    values["protected"] = values.get("protected", False) or endpoint.protected or machines.protects(host)
    values["host"] = machines.destination(host) if host is not None else None
    return DeploymentSpec(**values)


def _boundary(url: str, *, tunnel: bool) -> Boundary:
    """Told from the URL; at the end of a tunnel, "this machine" is another one."""
    boundary = default_boundary(url)
    return Boundary.VPC if tunnel and boundary is Boundary.LOCAL else boundary


def _undeclared(sort: str, name: object, declared: set[str]) -> str:
    if not declared:
        return f"{shown(name)} is not declared; add a [[{sort}]] of this name"
    known = sorted(declared)
    names = ", ".join(shown(name) for name in known[:8]) + (", …" if len(known) > 8 else "")
    return f"{shown(name)} is not a declared {sort}; known: {names}"
