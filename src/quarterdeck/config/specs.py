"""Entries that few fleet files have: they are imported with the first one (`quarterdeck check` and the first frame wait for it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from quarterdeck.config.fleet import NO_HEADERS, Auth, Tls


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """One ``[[deployment]]``: a server that can be started and stopped from here."""

    name: str
    endpoint: str
    """Name of the ``[[endpoint]]`` that it becomes."""
    driver: str = "process"
    host: str | None = None
    """ssh: name of the ``[[host]]``, or an ssh destination; as ssh takes it, here."""
    run: tuple[str, ...] = ()
    """process, ssh: the argument list of the server."""
    cwd: Path | None = None
    """process, ssh: where it runs."""
    env: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS, hash=False)
    """process, ssh: variables it gets besides ours (process), or the remote login's (ssh). No secrets."""
    log: str | None = None
    """process, ssh: the file its output goes to; ``None`` = one in the state folder (ssh: of the remote user)."""
    unit: str | None = None
    """systemd."""
    user: bool = False
    """systemd: a unit of the user's own manager."""
    container: str | None = None
    """docker."""
    resource: str | None = None
    """kubernetes: "deployment/NAME" or "leaderworkerset/NAME"."""
    namespace: str | None = None
    context: str | None = None
    """kubernetes: of kubectl's configuration."""
    replicas: int = 1
    """kubernetes: what it is scaled to when it starts."""
    start: tuple[str, ...] = ()
    """command: argument lists."""
    stop: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    """command: exit code 0 means it runs."""
    logs: tuple[str, ...] = ()
    """command: prints the log."""
    stop_within: float = 60.0
    """Seconds it gets to let its requests end, before it is ended."""
    ready_within: float = 1800.0
    """Seconds until it must serve (weights may have to be downloaded)."""
    protected: bool = False
    kept: Path | None = None
    """The file that it stands in, where that is not the fleet's own; no key."""


@dataclass(frozen=True, slots=True)
class PriceSpec:
    """One ``[[price]]``: US dollars per 1M tokens, or per hour of all the endpoint's GPUs."""

    endpoint: str = "*"
    model: str = "*"
    input: float | None = None
    cached_input: float | None = None
    output: float | None = None
    gpu_hour: float | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class AlertSpec:
    """One ``[[alert]]``; what is ``None`` is as the built-in rule of this name has it. Limits in the measure's unit, seconds."""

    name: str
    measure: str | None = None
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    for_: float | None = None
    """The key is ``for``."""
    calm: float | None = None
    severity: str | None = None
    """"warning" or "critical"."""
    endpoints: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    engine: str | None = None


@dataclass(frozen=True, slots=True)
class SecretUrl:
    """Where a URL that is itself a secret is found; exactly one is set."""

    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SinkSpec:
    """One ``[[sink]]``: exactly one of ``webhook``, ``webhook_from``, ``command``, ``bell`` and ``desktop`` is set. Seconds."""

    name: str
    webhook: str | None = None
    webhook_from: SecretUrl | None = None
    auth: Auth | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS, hash=False)
    tls: Tls = field(default_factory=Tls)
    proxy: str | None = None
    command: tuple[str, ...] = ()
    bell: bool = False
    desktop: bool = False
    severity: str = "warning"
    """The least that it is told: "warning" or "critical"."""
    rules: tuple[str, ...] = ()
    """Globs of ids, as the next of names; () = all."""
    subjects: tuple[str, ...] = ()
    resolved: bool = True
    repeat: float | None = None
    timeout: float = 10.0
    retry_for: float = 3600.0
