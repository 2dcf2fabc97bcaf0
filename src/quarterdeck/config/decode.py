"""A parsed fleet file -> FleetConfig, and every problem in it. Pure; never raises.

What is wrong is left out and the rest is used: of [console], [limits] and [jobs] the single key, of [[host]], [[endpoint]] and
[[deployment]] the whole entry (half an endpoint would be asked in a way nobody wrote down).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from quarterdeck.config.alerting import ALERT, ALERTS
from quarterdeck.config.chatting import CHAT, POLICY, PRICE
from quarterdeck.config.deployments import DEPLOYMENT, JOBS
from quarterdeck.config.fleet import (
    AlertSettings,
    AlertSpec,
    ChatSettings,
    ConsoleSettings,
    EventSettings,
    FleetConfig,
    JobSettings,
    PriceSpec,
    SinkSpec,
)
from quarterdeck.config.keys import CONSOLE, ENDPOINT, HOST, LIMITS, TABLES
from quarterdeck.config.problem import BadValueError, Finding, KeyPath, sort_of
from quarterdeck.config.references import Entry, Machines, Servers, deployments_of, endpoints_of, hosts_of, names_of
from quarterdeck.config.sinks import EVENTS, SINK
from quarterdeck.config.suggest import unknown_key, unknown_table
from quarterdeck.config.table import Key, Table, attribute
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.model.limits import Limits

Document = Mapping[str, object]


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
    hosts = hosts_of(written_hosts, findings)
    machines = Machines(names_of(written_hosts), {host.name: host for host in hosts})
    written_endpoints = _unique(_entries(ENDPOINT, document, base, findings), findings)
    endpoints = endpoints_of(written_endpoints, machines, findings)
    written_deployments = _unique(_entries(DEPLOYMENT, document, base, findings), findings)
    servers = Servers(names_of(written_endpoints), {endpoint.name: endpoint for endpoint in endpoints})
    config = FleetConfig(
        endpoints=endpoints,
        hosts=hosts,
        deployments=deployments_of(written_deployments, machines, servers, base, findings),
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
