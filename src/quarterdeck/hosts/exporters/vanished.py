"""GPUs that an exporter told of and tells of no longer: one that fell off the bus leaves its page without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quarterdeck.hosts.exporters.page import MOST_GPUS
from quarterdeck.model.gpu import GpuView

GRACE_S = 30.0
"""An exporter that was just started tells of its GPUs one after another; until then a GPU only grows old."""
KEPT_S = 3600.0
"""After that the exporter, or the machine, was changed on purpose."""
WORDS = "its exporter no longer tells of it"


class Vanished:
    """What the last page told of each GPU, and when that was."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[GpuView, float]] = {}

    def completed(self, gpus: Sequence[GpuView], now: float) -> tuple[GpuView, ...]:
        """The GPUs of a page that came ``now`` (monotonic seconds), and those that are missing on it, by index."""
        present = {gpu.key: (gpu, now) for gpu in gpus}
        missing = {key: seen for key, seen in self._known.items() if key not in present and now - seen[1] < KEPT_S}
        missing = dict(sorted(missing.items(), key=lambda each: -each[1][1])[: max(0, MOST_GPUS - len(present))])
        self._known = {**present, **missing}
        if not missing:
            return tuple(gpus)
        gone = [_gone(gpu, at, now) for gpu, at in missing.values()]
        return tuple(sorted((*gpus, *gone), key=lambda gpu: gpu.index))


def _gone(gpu: GpuView, at: float, now: float) -> GpuView:
    lost = now - at >= GRACE_S
    return replace(gpu, lost=lost, at=at, problems=(WORDS, *gpu.problems) if lost else gpu.problems)
