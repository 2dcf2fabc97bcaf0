"""What the entries of a fleet file say of one another: endpoints on hosts, tunnels through them, deployments of endpoints. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.config.problem import Finding, KeyPath, shown
from quarterdeck.config.reach import is_ssh_destination
from quarterdeck.model.fleet import Boundary

if TYPE_CHECKING:
    from quarterdeck.config.specs import DeploymentSpec


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


class Machines(NamedTuple):
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


class Servers(NamedTuple):
    """The [[endpoint]] entries: what they are called, and those without a problem."""

    declared: set[str]
    usable: Mapping[str, EndpointSpec]


def hosts_of(entries: list[Entry], findings: list[Finding]) -> tuple[HostSpec, ...]:
    """The hosts that can be used; appends what is wrong to ``findings``, as the next two."""
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


def names_of(entries: Sequence[Entry]) -> set[str]:
    """What they are called, as far as that can be read."""
    return {entry.name for entry in entries if entry.name is not None}


def endpoints_of(entries: list[Entry], machines: Machines, findings: list[Finding]) -> tuple[EndpointSpec, ...]:
    """The endpoints that can be used, with what their host and tunnel say of them."""
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


def deployments_of(
    entries: list[Entry], machines: Machines, servers: Servers, base: Path, findings: list[Finding]
) -> tuple[DeploymentSpec, ...]:
    """The deployments that can be used, with what their endpoint and host say of them."""
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


def _deployment(values: dict[str, Any], machines: Machines, endpoint: EndpointSpec, base: Path) -> DeploymentSpec:
    """Paths of a process start from the file; those of another machine stay as they are."""
    from quarterdeck.config.specs import DeploymentSpec

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
