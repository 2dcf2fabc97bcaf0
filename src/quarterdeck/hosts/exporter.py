"""A machine read from one metrics page: dcgm-exporter, nvidia_gpu_exporter or node_exporter, told by metric names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from quarterdeck.config.fleet import HostSpec
from quarterdeck.format import printable
from quarterdeck.hosts import dcgm, node, nvidia_smi
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.cpu import BusyShare
from quarterdeck.hosts.page import Samples
from quarterdeck.model.gpu import GpuView
from quarterdeck.wire.failure import Failure, foreign, timed_out
from quarterdeck.wire.http import Fetch, Target
from quarterdeck.wire.prometheus import PageReader

_LONGEST_SOURCE = 200


class ExporterHost:
    """Reads one exporter, here or elsewhere."""

    def __init__(self, spec: HostSpec, monotonic: Callable[[], float]) -> None:
        """``spec.gpus`` is the page's URL; without a path it is /metrics. Opens nothing yet."""
        self._spec = spec
        self._monotonic = monotonic
        self._source = shown_url(spec.gpus)
        self._fetch = Fetch(Target(page_url(spec.gpus), spec.timeout))
        self._pages = PageReader((*dcgm.WANTED, *nvidia_smi.WANTED, *node.WANTED))
        self._share = BusyShare()

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
        gpus, reason = _gpus(samples)
        used, total = node.node_memory(samples)
        return HostReading(
            self._monotonic(),
            self._source,
            cpu=self._share.update(node.node_counters(samples)),
            memory_used_bytes=used,
            memory_total_bytes=total,
            gpus=gpus,
            reason=reason,
        )


def _gpus(samples: Samples) -> tuple[tuple[GpuView, ...], str]:
    """The page's GPUs, and why there are none on a page that should have some."""
    if not samples.has(dcgm.PREFIX, nvidia_smi.PREFIX, node.PREFIX):
        raise foreign("a GPU or node exporter")
    gpus = dcgm.dcgm_gpus(samples) or nvidia_smi.nvidia_smi_gpus(samples)
    trouble = nvidia_smi.nvidia_smi_trouble(samples)
    if not gpus and not trouble and samples.has(dcgm.PREFIX, nvidia_smi.PREFIX):
        trouble = "the exporter tells of no GPU"
    return gpus, trouble


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
