"""From a ``[[host]]`` to the host that reads it. Imports neither psutil nor pynvml nor httpx."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import Host

if TYPE_CHECKING:
    from quarterdeck.hosts.ssh.pool import SshPool


def open_host(spec: HostSpec, monotonic: Callable[[], float] = time.monotonic, pool: SshPool | None = None) -> Host:
    """The host for ``spec.gpus``: "local", "none" (nothing is read), "ssh" or an exporter's URL. Reads nothing yet.

    ``pool``: the ssh connections to share; a new one where there is none.
    """
    if spec.gpus == "local":
        from quarterdeck.hosts.local import LocalHost
        from quarterdeck.hosts.nvml.thread import NvmlThread
        from quarterdeck.hosts.other_gpus import OtherGpus
        from quarterdeck.hosts.this_machine import ThisMachine

        return ThisMachine(LocalHost(spec, monotonic, NvmlThread(monotonic)), OtherGpus(monotonic), monotonic)
    if spec.gpus == "none":
        from quarterdeck.hosts.unread import UnreadHost

        return UnreadHost(spec, monotonic)
    if spec.gpus == "ssh":
        from quarterdeck.hosts.ssh.host import SshHost
        from quarterdeck.hosts.ssh.pool import SshPool

        return SshHost(spec, monotonic, pool or SshPool(monotonic))
    from quarterdeck.hosts.exporters.host import ExporterHost

    return ExporterHost(spec, monotonic)
