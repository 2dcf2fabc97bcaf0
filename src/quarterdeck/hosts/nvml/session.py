"""NVML from start to shutdown; started again when the driver was reloaded or a GPU was lost. Blocking calls."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from quarterdeck.hosts.nvml.ask import DRIVER_GONE, Gone
from quarterdeck.hosts.nvml.events import WAIT_MS, XidListener
from quarterdeck.hosts.nvml.gpu import GpuReader
from quarterdeck.hosts.nvml.rows import Rows, by_index
from quarterdeck.hosts.nvml.values import cuda_version, text
from quarterdeck.hosts.nvml.words import NONSENSE, code_of, getter_words, starting_words
from quarterdeck.model.gpu import GpuView
from quarterdeck.wire.body import whole

IDENTIFY_EVERY_S = 60.0
FIRST_RETRY_S = 2.0
LAST_RETRY_S = 60.0
_MOST_GPUS = 256
_MOST_NAMED = 4
_UNNAMED = "the driver fails for a reason it doesn't name"
_VANISHED = "lost; the driver doesn't list it any more"


@dataclass(frozen=True, slots=True)
class GpuTable:
    """The GPUs of this machine at one moment, and why some or all are missing ("" when none is)."""

    gpus: tuple[GpuView, ...] = ()
    reason: str = ""
    driver: str | None = None
    """Version of the driver …"""
    cuda: str | None = None
    """… and the newest CUDA that it can run."""


class NvmlSession:
    """Belongs to one thread: every call may block for as long as the driver likes."""

    def __init__(self, monotonic: Callable[[], float], nvml: Any = None) -> None:
        """``nvml`` stands in for pynvml, which is imported at the first ``read``."""
        self._monotonic = monotonic
        self._nvml = nvml
        self._started = False
        self._readers: dict[int, GpuReader] = {}
        self._missing: dict[int, str] = {}
        self._rows = Rows()
        self._events = XidListener(monotonic)
        self._driver: str | None = None
        self._cuda: str | None = None
        self._reason = ""
        self._start_at = -math.inf
        self._retry_s = FIRST_RETRY_S
        self._identify_at = -math.inf
        self._tidy_at = -math.inf

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
        return GpuTable(self._rows.all_lost(self._reason), self._reason)

    def tidy(self, go_on: Callable[[], bool]) -> None:
        """Ask for what is slow and due, GPU by GPU, while ``go_on``. Meant for the time between two readings."""
        now = self._monotonic()
        if now < self._tidy_at:
            return
        for reader in self._readers.values():
            if reader.slow.due(now) and go_on():
                with contextlib.suppress(Exception):  # the next reading will say it
                    reader.slow.refresh(now)
        for reader in sorted(self._readers.values(), key=lambda reader: reader.slow.pcie.measured_at):
            if not go_on():
                break
            with contextlib.suppress(Exception):
                reader.slow.measure(now, go_on)
        self._tidy_at = min((reader.slow.due_at for reader in self._readers.values()), default=math.inf)

    def end(self) -> None:
        """Shut NVML down. Waits a little for whoever listens to events."""
        if self._started:
            self._started = False
            self._start_at = -math.inf
            self._readers = {}
            self._events.ended(2 * WAIT_MS / 1000)
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
        if self._started and not self._events.stop():
            return True  # it must not be shut down under who listens; the next reading will find that it has ended
        self.end()
        try:
            self._start(now)
        except Exception as error:  # noqa: BLE001  (a failure is a reading, whatever a driver answers)
            self._reason = starting_words(_cause(error))
            self.end()
            self._start_at = now + self._retry_delay()
            return False
        self._start_at = math.inf
        self._identify_at = now + IDENTIFY_EVERY_S
        return True

    def _start(self, now: float) -> None:
        if self._nvml is None:
            import pynvml

            self._nvml = pynvml
        self._nvml.nvmlInit()
        self._started = True
        self._list(now)
        self._events.start(self._nvml, [(reader.key, reader.handle) for reader in self._readers.values()])

    def _list(self, now: float) -> None:
        """Find the GPUs and ask for what hardly ever changes. Raises what NVML raises where that concerns all of them."""
        count = whole(self._nvml.nvmlDeviceGetCount())
        if count is None or count > _MOST_GPUS:
            raise ValueError(NONSENSE)
        self._driver = self._ask(text, "nvmlSystemGetDriverVersion")
        self._cuda = self._ask(cuda_version, "nvmlSystemGetCudaDriverVersion_v2")
        before, self._readers, self._missing = self._readers, {}, {}
        self._tidy_at = -math.inf
        for index in range(count):
            try:
                self._readers[index] = self._reader(index, before.get(index), now)
            except Exception as error:
                cause = _cause(error)
                if code_of(cause) in DRIVER_GONE:
                    raise
                self._missing[index] = getter_words(cause)

    def _reader(self, index: int, before: GpuReader | None, now: float) -> GpuReader:
        """The reader of the GPU at ``index``: the one from before, with what it remembers, if it is the same GPU."""
        reader = GpuReader(self._nvml, index, self._nvml.nvmlDeviceGetHandleByIndex(index))
        reader.identify(now)
        if before is None or before.uuid is None or before.uuid != reader.uuid:
            return reader
        before.identify(now)
        return before

    def _ask(self, check: Callable[[object], str | None], function: str) -> str | None:
        """A value of the driver itself; ``None`` where it won't tell. Raises where the driver is gone."""
        try:
            return check(getattr(self._nvml, function)())
        except Exception as error:
            if code_of(error) in DRIVER_GONE:
                raise
            return None

    def _table(self) -> GpuTable:
        now = self._monotonic()
        if now >= self._identify_at:
            self._identify_at = now + IDENTIFY_EVERY_S
            self._list(now)
        troubles: list[tuple[int, str]] = []
        views = [self._row(reader, now, troubles) for reader in self._readers.values()]
        if self._missing or self._rows.some_lost:
            views = self._with_absent(views, troubles)
        self._heed(bool(troubles), now)
        self._rows.keep_only({view.key for view in views})
        reason = _summary(sorted(troubles)) if views else "driver loaded, no GPU"
        return GpuTable(tuple(views), reason, self._driver, self._cuda)

    def _row(self, reader: GpuReader, now: float, troubles: list[tuple[int, str]]) -> GpuView:
        """One GPU now, or its last values. Raises Gone where the driver is."""
        key = reader.key
        try:
            view = reader.read(now, self._events.heard(key), self._events.problems(key))
        except Gone as gone:
            if gone.code in DRIVER_GONE:
                raise
            words = getter_words(gone.error)
            troubles.append((reader.index, words))
            return self._rows.lost(key, reader.index, words)
        if reader.failing:
            troubles.append((reader.index, _UNNAMED))
        return self._rows.good(view, now)

    def _with_absent(self, views: list[GpuView], troubles: list[tuple[int, str]]) -> list[GpuView]:
        """``views`` and the last rows of GPUs that the driver doesn't show or doesn't count any more."""
        shown = {view.key for view in views}
        for index, words in self._missing.items():
            views.append(self._rows.lost_at(index, words, shown))
            troubles.append((index, words))
        for view in self._rows.vanished({view.key for view in views}, _VANISHED):
            views.append(view)
            troubles.append((view.index, _VANISHED))
        return sorted((self._with_events(view) if view.lost else view for view in views), key=by_index)

    def _with_events(self, view: GpuView) -> GpuView:
        heard = self._events.heard(view.key)
        return view if heard == view.xids else replace(view, xids=heard)

    def _heed(self, trouble: bool, now: float) -> None:
        """A GPU that is gone comes back only when NVML is started again; not too often, that can take seconds."""
        if not trouble and not self._events.stopping:
            self._retry_s = FIRST_RETRY_S
            self._start_at = math.inf
        elif self._start_at == math.inf:
            self._start_at = now + self._retry_delay()


def _cause(error: Exception) -> Exception:
    return error.error if isinstance(error, Gone) else error


def _summary(troubles: list[tuple[int, str]]) -> str:
    named = "; ".join(f"GPU {index}: {words}" for index, words in troubles[:_MOST_NAMED])
    return named + (f"; and {len(troubles) - _MOST_NAMED} more" if len(troubles) > _MOST_NAMED else "")
