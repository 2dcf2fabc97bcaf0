"""From a filled-in launch to a running job: where it is saved, what stands in its way, and its start.

A launch that isn't saved in a fleet file gets a small one of its own in the state folder: the job and a later stop have to name it.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.config.load import FILE_NAME, load
from quarterdeck.config.save import save_deployment
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.jobs.carrying import state_path
from quarterdeck.engine.operate import submit
from quarterdeck.engine.safety import Asking, asks, check
from quarterdeck.errors import ConfigError, UsageError
from quarterdeck.format import printable
from quarterdeck.hosts.drivers.base import DriverError, Running
from quarterdeck.hosts.drivers.open import driver_for
from quarterdeck.hosts.drivers.record import file_stem
from quarterdeck.model.commandlines import read as read_command
from quarterdeck.model.job import Job, Order
from quarterdeck.model.launch import Launch

FOLDER = "launched"
"""In the state folder: the fleet files of launches that were not saved in one."""


class Launched(NamedTuple):
    """What came of a launch."""

    job: Job
    deployment: DeploymentSpec
    endpoint: EndpointSpec
    file: Path
    """The fleet file that names both."""


def default_file(fleet: FleetConfig) -> Path:
    """Where a launch is saved unless somebody says otherwise: the fleet file in use, else that of the config folder."""
    if fleet.source is not None:
        return fleet.source.absolute()
    from platformdirs import user_config_path

    return user_config_path("quarterdeck") / FILE_NAME


def file_of(launch: Launch, save_to: str) -> Path:
    """The fleet file for what was typed; of its own where nothing was. Raises UsageError."""
    text = save_to.strip()
    if not text:
        return state_path() / FOLDER / f"{file_stem(launch.called)}.toml"
    if not text.isprintable():
        raise UsageError("expected the path of a fleet file")
    path = Path(os.path.expanduser(text)).absolute()  # noqa: PTH111  Path.expanduser raises where there is no such user
    if path.suffix != ".toml":
        raise UsageError(f"{path} isn't called .toml; a launch is saved in a fleet file")
    return path


def planned(launch: Launch, fleet: FleetConfig) -> tuple[DeploymentSpec, EndpointSpec]:
    """What it becomes in ``fleet``: on the machine that is this one there, so that its GPUs and protection count."""
    local = [host.name for host in fleet.hosts if host.gpus == "local" and host.ssh is None]
    host = local[0] if len(local) == 1 else None
    endpoint = EndpointSpec(launch.called, launch.url, "vllm", host, default_boundary(launch.url))
    cwd = Path.cwd() if _is_relative(launch) else None
    return DeploymentSpec(launch.called, launch.called, run=launch.command, cwd=cwd, env=launch.env), endpoint


def _is_relative(launch: Launch) -> bool:
    """Whether it means something by where it is typed: a server's own folder is its user's home."""
    paths = (launch.model, *(each.partition("=")[2] for each in launch.lora))
    try:
        found = any(not os.path.isabs(path) and Path(path).exists() for path in paths)  # noqa: PTH117
    except (OSError, ValueError):
        found = False
    return found or (os.sep in launch.program and not os.path.isabs(launch.program))  # noqa: PTH117


def collisions(launch: Launch, fleet: FleetConfig) -> dict[str, str]:
    """What in ``fleet`` stands in its way, in words by field. Pure."""
    found: dict[str, str] = {}
    name = launch.called
    if any(spec.name == name for spec in fleet.deployments):
        found["name"] = f"there is a deployment {name} already: start that, or choose another name"
    elif any(spec.name == name for spec in fleet.endpoints):
        found["name"] = f"there is an endpoint {name} already: choose another name"
    for spec in fleet.endpoints:
        if spec.via is None and _port_here(spec.url) == launch.port:
            found["port"] = f"port {launch.port} is that of {spec.name}: choose another"
    for deployment in fleet.deployments:
        if deployment.driver == "process" and read_command(deployment.run).port == launch.port:
            found.setdefault("port", f"port {launch.port} is that of the deployment {deployment.name}: choose another")
    return found


def _port_here(url: str) -> int | None:
    """The port of this machine that a URL leads to."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return port if host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.") else None  # noqa: S104


def asking(launch: Launch, fleet: FleetConfig, *, read_only: bool) -> Asking:
    """What has to be asked first. Pure, but for the folder that it is asked in."""
    deployment, endpoint = planned(launch, fleet)
    return asks(fleet.with_more((endpoint,), (), (deployment,)), _order(launch), view=None, read_only=read_only)


def _order(launch: Launch) -> Order:
    return Order("start", launch.called)


async def begin(
    launch: Launch, fleet: FleetConfig, save_to: str, *, confirmed: str = "", read_only: bool = False
) -> Launched:
    """Save it and start it. ``save_to``: the fleet file, "" = one of its own.

    Raises Refused, UsageError and ConfigError, then nothing was saved; QuarterdeckError where no job can be made of what was.
    """
    file = file_of(launch, save_to)
    deployment, endpoint = planned(launch, fleet)
    check(fleet.with_more((endpoint,), (), (deployment,)), _order(launch), confirmed, read_only=read_only)
    _refuse(collisions(launch, fleet))
    saved = await asyncio.to_thread(_saved, launch, file, confirmed, own=not save_to.strip())
    job = await submit(saved, _order(launch), confirmed=confirmed, read_only=read_only)
    beside = None if fleet.source is not None and fleet.source.absolute() == file else file
    return Launched(job, replace(deployment, kept=beside), endpoint, file)


def _refuse(problems: dict[str, str]) -> None:
    if problems:
        raise UsageError("; ".join(problems.values()))


def _saved(launch: Launch, file: Path, confirmed: str, *, own: bool) -> FleetConfig:
    """Write it, and give the file as it is then. Raises Refused, UsageError, ConfigError; nothing was written then."""
    if own:
        _new_file(launch, file)
    known = load(file).config if file.exists() else FleetConfig()
    deployment, endpoint = planned(launch, known)
    check(known.with_more((endpoint,), (), (deployment,)), _order(launch), confirmed)
    _refuse(collisions(launch, known))
    save_deployment(file, deployment, endpoint)
    loaded = load(file)
    if loaded.problems:
        raise ConfigError(tuple(map(str, loaded.problems)))
    return loaded.config


def _new_file(launch: Launch, file: Path) -> None:
    """An empty fleet file in the state folder, in place of that of a launch of its name that has ended."""
    deployment, _ = planned(launch, FleetConfig())
    try:
        status = driver_for(deployment, state=state_path()).status()
        if status.running is not Running.STOPPED and (status.pid is not None or status.running is Running.RUNNING):
            words = "runs already" if status.running is Running.RUNNING else status.words
            raise UsageError(f"{launch.called}: {words}", hint=f"{stop_with(file, launch.called)} stops it.")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(f"# Launched without being saved in a fleet file.\n# {stop_with(file, launch.called)}\n")
    except DriverError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror or 'unknown reason'}") from None


def stop_with(file: Path, name: str) -> str:
    """What stops a launch from a shell."""
    import shlex

    return printable(shlex.join(["quarterdeck", "--fleet", str(file), "stop", name]), 500)
