"""NVML from start to shutdown; started again when the driver was reloaded or a GPU was lost. Blocking calls."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quarterdeck.hosts.nvml_gpu import DRIVER_GONE, Gone, GpuReader, lost
from quarterdeck.hosts.nvml_words import NONSENSE, code_of, getter_words, starting_words
from quarterdeck.model.gpu import GpuView
from quarterdeck.wire.body import whole

IDENTIFY_EVERY_S = 60.0
FIRST_RETRY_S = 2.0
LAST_RETRY_S = 60.0
_MOST_GPUS = 256
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class GpuTable:
    """The GPUs of this machine at one moment, and why some or all are missing ("" when none is)."""

    gpus: tuple[GpuView, ...] = ()
    reason: str = ""


class NvmlSession:
    """Belongs to one thread: every call may block for as long as the driver likes."""

    def __init__(self, monotonic: Callable[[], float], nvml: Any = None) -> None:
        """``nvml`` stands in for pynvml, which is imported at the first ``read``."""
        self._monotonic = monotonic
        self._nvml = nvml
        self._started = False
        self._readers: list[GpuReader] = []
        self._missing: list[tuple[GpuView, str]] = []
        self._identities: dict[int, GpuView] = {}
        self._reason = ""
        self._start_at = -math.inf
        self._retry_s = FIRST_RETRY_S
        self._identify_at = -math.inf

    def read(self) -> GpuTable:
        """Every GPU now. Raises nothing that NVML answers."""
        for _ in range(2):  # a driver that was reloaded answers once NVML is started again
            if not self._ready():
                break
            try:
                return self._table()
            except Exception as error:  # noqa: BLE001  (a failure is a reading, whatever a driver answers)
                self._reason = starting_words(_cause(error))
                self.end()
        else:
            self._start_at = self._monotonic() + self._retry_delay()
        return GpuTable((), self._reason)

    def end(self) -> None:
        """Shut NVML down."""
        if self._started:
            self._started = False
            self._start_at = -math.inf
            with contextlib.suppress(Exception):
                self._nvml.nvmlShutdown()

    def _retry_delay(self) -> float:
        delay, self._retry_s = self._retry_s, min(self._retry_s * 2, LAST_RETRY_S)
        return delay

    def _ready(self) -> bool:
        """Start NVML if it isn't running, or is due to be started again for the sake of a lost GPU."""
        now = self._monotonic()
        if now < self._start_at:
            return self._started
        self.end()
        try:
            if self._nvml is None:
                import pynvml

                self._nvml = pynvml
            self._nvml.nvmlInit()
            self._started = True
            self._list()
        except Exception as error:  # noqa: BLE001  (a failure is a reading, whatever a driver answers)
            self._reason = starting_words(_cause(error))
            self.end()
            self._start_at = now + self._retry_delay()
            return False
        self._start_at = math.inf
        self._identify_at = now + IDENTIFY_EVERY_S
        return True

    def _list(self) -> None:
        """Find the GPUs and ask for what rarely changes. Raises what NVML raises where that concerns all of them."""
        count = whole(self._nvml.nvmlDeviceGetCount())
        self._readers, self._missing = [], []
        if count is None or count > _MOST_GPUS:
            raise ValueError(NONSENSE)
        for index in range(count):
            try:
                reader = GpuReader(self._nvml, index, self._nvml.nvmlDeviceGetHandleByIndex(index))
                reader.identify()
            except Exception as error:  # noqa: BLE001
                self._miss(index, error)
            else:
                self._readers.append(reader)
        self._identities |= {reader.identity.index: reader.identity for reader in self._readers}

    def _miss(self, index: int, error: Exception) -> None:
        """Note a GPU that doesn't answer from the start; it keeps the name it had at this index."""
        cause = _cause(error)
        if code_of(cause) in DRIVER_GONE:
            raise error
        self._missing.append((lost(self._identities.get(index, GpuView(index)), cause), getter_words(cause)))

    def _table(self) -> GpuTable:
        now = self._monotonic()
        if now >= self._identify_at:
            self._identify_at = now + IDENTIFY_EVERY_S
            self._list()
        views = [view for view, _ in self._missing]
        troubles = [(view.index, words) for view, words in self._missing]
        for reader in self._readers:
            try:
                view = reader.read()
            except Gone as gone:
                if gone.code in DRIVER_GONE:
                    raise
                view = lost(reader.identity, gone.error)
                troubles.append((view.index, getter_words(gone.error)))
            else:
                if reader.failing:
                    troubles.append((view.index, "the driver fails for a reason it doesn't name"))
            views.append(view)
        self._heed(bool(troubles), now)
        views.sort(key=lambda view: view.index)
        return GpuTable(tuple(views), _summary(sorted(troubles)) if views else "driver loaded, no GPU")

    def _heed(self, trouble: bool, now: float) -> None:
        """A GPU that is gone comes back only when NVML is started again; not too often, that can take seconds."""
        if not trouble:
            self._retry_s = FIRST_RETRY_S
            self._start_at = math.inf
        elif self._start_at == math.inf:
            self._start_at = now + self._retry_delay()


def _cause(error: Exception) -> Exception:
    return error.error if isinstance(error, Gone) else error


def _summary(troubles: list[tuple[int, str]]) -> str:
    named = "; ".join(f"GPU {index}: {words}" for index, words in troubles[:_MOST_NAMED])
    return named + (f"; and {len(troubles) - _MOST_NAMED} more" if len(troubles) > _MOST_NAMED else "")
