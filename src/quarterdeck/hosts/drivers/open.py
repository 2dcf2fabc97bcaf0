"""The driver of a deployment. What a driver needs is imported when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.hosts.drivers.base import DriverError

if TYPE_CHECKING:
    from pathlib import Path

    from quarterdeck.config.specs import DeploymentSpec
    from quarterdeck.hosts.drivers.base import Driver


def driver_for(spec: DeploymentSpec, *, state: Path) -> Driver:
    """What starts and stops ``spec``; asks and opens nothing yet. Raises DriverError where there is no such driver.

    ``state``: the folder where this program keeps what it must remember ("deployments" in it is the drivers').
    """
    if spec.driver == "process":
        from quarterdeck.hosts.drivers.process import ProcessDriver

        return ProcessDriver(spec, state)
    if spec.driver == "ssh":
        from quarterdeck.hosts.drivers.ssh import SshDriver

        return SshDriver(spec)
    return _of_a_tool(spec, state)


def _of_a_tool(spec: DeploymentSpec, state: Path) -> Driver:
    """The drivers that have another program do it."""
    if spec.driver == "systemd":
        from quarterdeck.hosts.drivers.systemd import SystemdDriver

        return SystemdDriver(spec)
    if spec.driver == "docker":
        from quarterdeck.hosts.drivers.docker import DockerDriver

        return DockerDriver(spec)
    if spec.driver == "kubernetes":
        from quarterdeck.hosts.drivers.kubernetes import KubernetesDriver

        return KubernetesDriver(spec)
    if spec.driver == "command":
        from quarterdeck.hosts.drivers.command import CommandDriver

        return CommandDriver(spec, state)
    raise DriverError(f'there is no driver "{spec.driver}"')
