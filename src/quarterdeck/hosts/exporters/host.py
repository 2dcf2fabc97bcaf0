"""A machine read from one metrics page: dcgm-exporter, nvidia_gpu_exporter, nvitop-exporter, all-smi, node_exporter.

Which of them it is (or several behind one address) is told by the names of the metrics.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlsplit

from quarterdeck.config.fleet import HostSpec
from quarterdeck.format import printable
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.cpu import BusyShare
from quarterdeck.hosts.exporters import all_smi, dcgm, node, nvidia_smi, nvitop
from quarterdeck.hosts.exporters.page import MOST_GPUS, Samples, Told
from quarterdeck.hosts.exporters.vanished import Vanished
from quarterdeck.model.gpu import GpuView
from quarterdeck.wire.failure import Failure, foreign, timed_out
from quarterdeck.wire.http import Fetch, Target
from quarterdeck.wire.prometheus import PageReader

_LONGEST_SOURCE = 200
_KINDS = (dcgm, nvidia_smi, nvitop, all_smi, node)
"""The first that tells a value is believed: those nearest to the driver first."""
_GPUS_EXPECTED = (dcgm.PREFIX, nvidia_smi.PREFIX, nvitop.PREFIX)
WANTED = tuple(name for kind in _KINDS for name in kind.WANTED)


class ExporterHost:
    """Reads one exporter, here or elsewhere."""

    def __init__(self, spec: HostSpec, monotonic: Callable[[], float]) -> None:
        """``spec.gpus`` is the page's URL; without a path it is /metrics. Opens nothing yet."""
        self._spec = spec
        self._monotonic = monotonic
        self._source = shown_url(spec.gpus)
        self._fetch = Fetch(Target(page_url(spec.gpus), spec.timeout))
        self._pages = PageReader(WANTED)
        self._share = BusyShare()
        self._vanished = Vanished()

    @property
    def spec(self) -> HostSpec:
        """What it was opened for."""
        return self._spec

    async def read(self) -> HostReading:
        """Fetch and read the page once, within ``spec.timeout`` seconds. Never raises, cancellation excepted."""
        try:
            async with asyncio.timeout(self._spec.timeout):
                answer = await self._fetch.get("")
            return self.reading(answer.body)
        except Failure as failure:
            reason = failure.reason
        except TimeoutError:
            reason = timed_out(self._spec.timeout).reason
        except Exception as error:  # noqa: BLE001  (one exporter's surprise must not stop the fleet)
            reason = f"the answer can't be read ({type(error).__name__})"
        return HostReading(self._monotonic(), self._source, reason=reason)

    async def close(self) -> None:
        """Close its connections."""
        await self._fetch.close()

    def reading(self, body: bytes) -> HostReading:
        """What a page says. Raises Failure where it is no exporter's."""
        samples = Samples(self._pages.read(body))
        told = _told(samples)
        busy = self._share.update(node.node_counters(samples))
        now = self._monotonic()
        return HostReading(
            now,
            self._source,
            cpu=busy if busy is not None else told.cpu,
            memory_used_bytes=told.memory_used_bytes,
            memory_total_bytes=told.memory_total_bytes,
            gpus=self._vanished.completed(told.gpus, now),
            reason=told.reason,
            driver=told.driver,
            cuda=told.cuda,
            disk_used_bytes=told.disk_used_bytes,
            disk_total_bytes=told.disk_total_bytes,
        )


def _told(samples: Samples) -> Told:
    """What the page tells, whoever made it, and why there are no GPUs on one that should have some."""
    parts = [told for kind in _KINDS if (told := kind.told(samples)) is not None]
    if not parts:
        raise foreign("a GPU or node exporter")
    found = Told(*(_first(parts, field.name, field.default) for field in fields(Told)))
    if len(found.gpus) > MOST_GPUS:
        more = f"the exporter tells of more than {MOST_GPUS} GPUs; the others are left out"
        found = replace(found, gpus=found.gpus[:MOST_GPUS], reason="; ".join(filter(None, (found.reason, more))))
    if len(parts) > 1:
        found = replace(found, gpus=tuple(_completed(gpu, parts) for gpu in found.gpus))
    if not found.gpus and not found.reason and samples.has(*_GPUS_EXPECTED):
        return replace(found, reason="the exporter tells of no GPU")
    return found


def _completed(gpu: GpuView, parts: list[Told]) -> GpuView:
    """A GPU whose processes only another exporter on the page tells (dcgm-exporter tells none)."""
    same = (other for told in parts for other in told.gpus if gpu.uuid is not None and other.uuid == gpu.uuid)
    processes = next((other.processes for other in same if other.processes is not None), None)
    return gpu if gpu.processes is not None or processes is None else replace(gpu, processes=processes)


def _first(parts: list[Told], name: str, unknown: object) -> Any:
    """The value of the first part that knows it."""
    return next((value for told in parts if (value := getattr(told, name)) != unknown), unknown)


def shown_url(url: str) -> str:
    """``url`` fit to be shown: without credentials, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "exporter"
    where = parts.netloc.rpartition("@")[2]
    return printable(f"{parts.scheme}://{where}{parts.path}".rstrip("/"), _LONGEST_SOURCE)


def page_url(url: str) -> str:
    """``url`` with /metrics behind a bare host name."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url  # the request will say what is wrong with it
    return parts._replace(path="/metrics").geturl() if parts.path in ("", "/") else url
