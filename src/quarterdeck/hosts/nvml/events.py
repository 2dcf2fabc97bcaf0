"""Driver events ("Xid") of GPUs as they happen, waited for in a daemon thread of their own.

NVML has no way to ask for the last one, and a wait can't be broken off: it is a short one, again and again.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterable
from typing import Any

from quarterdeck.hosts.nvml.ask import DRIVER_GONE, Problem
from quarterdeck.hosts.nvml.words import TIMEOUT, code_of, getter_words
from quarterdeck.hosts.xid import xid_words
from quarterdeck.model.gpu import Xid
from quarterdeck.wire.body import whole

WAIT_MS = 1000
MOST_KEPT = 8
_XID = 0x8
_WHAT = "driver events"
_PAUSE_S = 1.0


class XidListener:
    """Hears the Xids of all GPUs between one start of NVML and its end."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Listens to nothing yet."""
        self._monotonic = monotonic
        self._heard: dict[str, tuple[Xid, ...]] = {}
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def heard(self, key: str) -> tuple[Xid, ...]:
        """The last ones of a GPU, newest first. They outlive a new start of NVML."""
        return self._heard.get(key, ())

    def problems(self, key: str) -> tuple[Problem, ...]:
        """Why a GPU's can't be heard, if so."""
        return self._problems.get(key, ())

    def start(self, nvml: Any, gpus: Iterable[tuple[str, Any]]) -> None:
        """Listen to ``gpus``, pairs of key and NVML handle. Never raises."""
        self._problems = {}
        names: dict[int, str] = {}
        self._stop = threading.Event()
        events = None
        for key, handle in gpus:
            try:
                events = nvml.nvmlEventSetCreate() if events is None else events
                nvml.nvmlDeviceRegisterEvents(handle, _XID, events)
            except Exception as error:  # noqa: BLE001  (a failure is a reading, whatever a driver answers)
                self._problems[key] = (Problem(_WHAT, getter_words(error)),)
            else:
                names[address(handle) or 0] = key
        if not names:
            return
        arguments = (nvml, events, names, self._stop)
        try:
            self._thread = threading.Thread(target=self._listen, args=arguments, name="nvml-events", daemon=True)
            self._thread.start()
        except RuntimeError:
            self._thread = None
            self._problems = dict.fromkeys(
                names.values(), (Problem(_WHAT, "no thread can be started to wait for them"),)
            )

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stop.is_set()

    def stop(self) -> bool:
        """Have it end; whether it has. It takes up to ``WAIT_MS``, and longer with a driver that hangs."""
        self._stop.set()
        return self._thread is None or not self._thread.is_alive()

    def ended(self, within_s: float) -> bool:
        """Have it end, and wait for that at most ``within_s`` seconds; whether it has."""
        if not self.stop() and self._thread is not None:
            self._thread.join(within_s)
        return self.stop()

    def _listen(self, nvml: Any, events: Any, names: dict[int, str], stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                event = nvml.nvmlEventSetWait_v2(events, WAIT_MS)
            except Exception as error:  # noqa: BLE001
                code = code_of(error)
                if code in DRIVER_GONE:
                    break  # the next reading meets it too, and starts NVML again
                if code is None:
                    self._problems = dict.fromkeys(names.values(), (Problem(_WHAT, getter_words(error)),))
                    break
                if code != TIMEOUT:  # a GPU that was lost makes every wait fail at once
                    stop.wait(_PAUSE_S)
            else:
                self._note(event, names)
        with contextlib.suppress(Exception):
            nvml.nvmlEventSetFree(events)

    def _note(self, event: Any, names: dict[int, str]) -> None:
        number = whole(getattr(event, "eventData", None))
        where = address(getattr(event, "device", None))
        key = names.get(where) if where is not None else None
        if number is None or key is None or getattr(event, "eventType", None) != _XID:
            return
        xid = Xid(number, self._monotonic(), xid_words(number))
        self._heard[key] = (xid, *self.heard(key)[: MOST_KEPT - 1])


def address(handle: Any) -> int | None:
    """What tells NVML handles apart (two pointers to the same GPU are not equal); ``None`` for what is no handle."""
    if isinstance(handle, int):
        return handle
    try:
        return ctypes.cast(handle, ctypes.c_void_p).value
    except (ctypes.ArgumentError, TypeError):
        return None
