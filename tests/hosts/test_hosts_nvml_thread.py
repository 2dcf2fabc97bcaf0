"""The driver's own thread: hung calls cost nobody anything."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from quarterdeck.hosts.nvml.session import GpuTable
from quarterdeck.hosts.nvml.thread import NvmlThread, _Request, _serve

FOR_EVER = 3600.0
AT_ONCE = 0.01
"""How long a test waits for what never comes."""


async def until_answered(thread: NvmlThread) -> None:
    """Wait for the late answer to the question under way, without asking."""
    assert thread._pending is not None
    await thread._pending.future


async def test_one_thread_asks_every_question(nvml: Any, clock: Any) -> None:
    thread = NvmlThread(clock, nvml)
    assert nvml.calls == []
    for _ in range(3):
        table = await thread.read(FOR_EVER)
        assert len(table.gpus) == 2
        assert table.reason == ""
    assert len(nvml.threads) == 1
    assert threading.get_ident() not in nvml.threads
    assert nvml.calls.count("nvmlInit") == 1
    thread.close()


async def test_the_thread_is_a_daemon(nvml: Any, clock: Any) -> None:
    thread = NvmlThread(clock, nvml)
    await thread.read(FOR_EVER)
    assert thread._thread is not None
    assert thread._thread.daemon
    thread.close()


async def test_a_hung_driver_keeps_the_last_gpus_and_says_for_how_long(nvml: Any, clock: Any) -> None:
    thread = NvmlThread(clock, nvml)
    good = await thread.read(FOR_EVER)
    release = threading.Event()
    nvml.spoil["nvmlDeviceGetPowerUsage", 1] = release
    clock.now += 1
    hung = await thread.read(AT_ONCE)
    dated = tuple(replace(gpu, at=1000.0) for gpu in good.gpus)
    assert hung == replace(good, gpus=dated, reason="the NVIDIA driver does not answer (0 s)")
    calls = len(nvml.calls)
    clock.now += 12.4
    # The question under way is late already: nothing is waited for, and nothing else is asked.
    later = await thread.read(FOR_EVER)
    assert later == replace(hung, reason="the NVIDIA driver does not answer (12 s)")
    assert later.gpus is hung.gpus
    assert len(nvml.calls) == calls
    nvml.spoil.clear()
    release.set()
    await until_answered(thread)
    assert await thread.read(FOR_EVER) == good
    thread.close()


async def test_a_driver_that_hangs_at_the_start_has_no_gpus(nvml: Any, clock: Any) -> None:
    release = threading.Event()
    nvml.spoil["nvmlInit"] = release
    thread = NvmlThread(clock, nvml)
    table = await thread.read(AT_ONCE)
    assert table.gpus == ()
    assert table.reason == "the NVIDIA driver does not answer (0 s)"
    thread.close()
    release.set()


async def test_a_late_answer_still_counts(nvml: Any, clock: Any) -> None:
    """A driver that always takes longer than the deadline isn't one that is never heard."""
    thread = NvmlThread(clock, nvml)
    first, second = threading.Event(), threading.Event()
    nvml.spoil["nvmlInit"] = first
    assert (await thread.read(AT_ONCE)).gpus == ()
    first.set()
    await until_answered(thread)
    nvml.spoil["nvmlDeviceGetUtilizationRates", 0] = second
    table = await thread.read(AT_ONCE)
    assert len(table.gpus) == 2
    assert table.reason == "the NVIDIA driver does not answer (0 s)"
    second.set()
    thread.close()


async def test_a_cancelled_reading_leaves_one_question(nvml: Any, clock: Any) -> None:
    release = threading.Event()
    nvml.spoil["nvmlInit"] = release
    thread = NvmlThread(clock, nvml)
    task = asyncio.create_task(thread.read(FOR_EVER))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert len((await thread.read(FOR_EVER)).gpus) == 2
    assert nvml.calls.count("nvmlDeviceGetPowerUsage") == 2
    thread.close()


def test_what_is_slow_is_asked_for_in_the_first_half_of_the_time_until_the_next_question(clock: Any) -> None:
    queue: SimpleQueue[Any] = SimpleQueue()
    allowed: list[tuple[float, bool]] = []

    class Session:
        def read(self) -> GpuTable:
            return GpuTable()

        def tidy(self, go_on: Callable[[], bool]) -> None:
            started = clock.now
            for later in (0.0, 0.9, 1.1):
                clock.now = started + later
                allowed.append((clock.now, go_on()))
            clock.now = started
            queue.put(_asked_at(clock.now + 2) if len(allowed) < 6 else None)
            allowed.append((clock.now, go_on()))
            clock.now = started + 2

        def end(self) -> None:
            allowed.append((clock.now, False))

    queue.put(_asked_at(clock.now))
    _serve(queue, Session(), clock)  # type: ignore[arg-type]
    first = [
        (1000.0, False),
        (1000.9, False),
        (1001.1, False),
        (1000.0, False),
    ]  # how soon the next comes isn't known yet
    second = [(1002.0, True), (1002.9, True), (1003.1, False), (1002.0, False)]  # in the end a question has come
    assert allowed == [*first, *second, (1004.0, False)]


def _asked_at(at: float) -> _Request:
    answers = SimpleNamespace(call_soon_threadsafe=lambda *_: None)
    return _Request(answers, None, at)  # type: ignore[arg-type]


async def test_closing_shuts_nvml_down(nvml: Any, clock: Any) -> None:
    thread = NvmlThread(clock, nvml)
    await thread.read(FOR_EVER)
    thread.close()
    thread.close()
    assert thread._thread is not None
    await asyncio.to_thread(thread._thread.join)
    assert nvml.calls[-1] == "nvmlShutdown"
    assert nvml.calls.count("nvmlShutdown") == 1
    assert (await thread.read(FOR_EVER)).reason == "closed"


async def test_closing_does_not_wait_for_a_hung_driver(nvml: Any, clock: Any) -> None:
    thread = NvmlThread(clock, nvml)
    release = threading.Event()
    nvml.spoil["nvmlInit"] = release
    await thread.read(AT_ONCE)
    thread.close()
    assert thread._thread is not None
    assert thread._thread.is_alive()
    release.set()
    await asyncio.to_thread(thread._thread.join)


async def test_a_machine_without_threads_left_is_a_reading(
    nvml: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    thread = NvmlThread(clock, nvml)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        table = await thread.read(FOR_EVER)
    assert table.reason == "no thread can be started to ask the NVIDIA driver"
    assert len((await thread.read(FOR_EVER)).gpus) == 2
    thread.close()


def test_an_event_loop_that_is_gone_does_not_end_the_thread(nvml: Any, clock: Any) -> None:
    thread = NvmlThread(clock, nvml)
    release = threading.Event()
    nvml.spoil["nvmlInit"] = release
    asyncio.run(thread.read(AT_ONCE))
    release.set()
    assert len(asyncio.run(thread.read(FOR_EVER)).gpus) == 2
    thread.close()


QUITS = """
import asyncio, ctypes, sys
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.local import LocalHost
from quarterdeck.hosts.nvml.thread import NvmlThread, _Request, _serve
from quarterdeck.hosts.nvml.session import GpuTable
import time

class Hung:
    def nvmlInit(self):
        print("hangs", flush=True)
        ctypes.CDLL(None).sleep(3600)  # a blocking C call, as in a driver: nothing can interrupt it

async def main():
    host = LocalHost(HostSpec("here", timeout=0.05), time.monotonic, NvmlThread(time.monotonic, Hung()))
    print((await host.read()).reason, flush=True)
    await host.close()

asyncio.run(main())
print("quits", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the C library's sleep")
def test_the_program_quits_while_the_driver_hangs() -> None:
    done = subprocess.run([sys.executable, "-c", QUITS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["hangs", "the NVIDIA driver does not answer (0 s)", "quits"]
    assert done.stderr == ""
