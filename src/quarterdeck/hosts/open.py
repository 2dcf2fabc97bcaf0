"""From a ``[[host]]`` to the host that reads it. Imports neither psutil nor pynvml nor httpx."""

from __future__ import annotations

import time
from collections.abc import Callable

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import Host


def open_host(spec: HostSpec, monotonic: Callable[[], float] = time.monotonic) -> Host:
    """The host for ``spec.gpus``: "local" (NVML), "none" (nothing is read) or an exporter's URL. Reads nothing yet."""
    if spec.gpus == "local":
        from quarterdeck.hosts.local import LocalHost
        from quarterdeck.hosts.nvml import NvmlThread

        return LocalHost(spec, monotonic, NvmlThread(monotonic))
    if spec.gpus == "none":
        from quarterdeck.hosts.unread import UnreadHost

        return UnreadHost(spec, monotonic)
    from quarterdeck.hosts.exporter import ExporterHost

    return ExporterHost(spec, monotonic)
