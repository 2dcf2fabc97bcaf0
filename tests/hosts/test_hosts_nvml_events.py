"""Driver events: heard as they happen, kept by GPU, never waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from fake_nvml import FakeNvml
from quarterdeck.hosts.nvml.events import MOST_KEPT, XidListener
from quarterdeck.hosts.nvml.session import NvmlSession
from quarterdeck.hosts.xid import xid_words
from quarterdeck.model.gpu import Xid

END = pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
NOTHING_YET = pynvml.NVMLError(pynvml.NVML_ERROR_TIMEOUT)
GPUS = (("GPU-0", 0), ("GPU-1", 1))


def event(gpu: object, number: object, kind: int = 8) -> SimpleNamespace:
    return SimpleNamespace(device=gpu, eventType=kind, eventData=number)


@pytest.fixture
def hear(nvml: FakeNvml, clock: Any) -> Callable[..., XidListener]:
    """Gives events to a listener one by one and waits until it has ended."""

    def given(*events: object) -> XidListener:
        nvml.events = SimpleQueue()
        for each in (*events, END):
            nvml.events.put(each)
        nvml.running = True
        listener = XidListener(clock)
        listener.start(nvml, GPUS)
        assert listener._thread is not None
        listener._thread.join(60)
        return listener

    return given


def test_events_are_kept_by_gpu_newest_first(hear: Callable[..., XidListener]) -> None:
    listener = hear(event(1, 31), NOTHING_YET, event(0, 79), event(1, 94))
    assert listener.heard("GPU-0") == (Xid(79, 1000.0, "fell off the bus; reset the GPU or reboot"),)
    assert [xid.number for xid in listener.heard("GPU-1")] == [94, 31]
    assert listener.heard("GPU-2") == ()


def test_the_last_ones_are_kept(hear: Callable[..., XidListener]) -> None:
    listener = hear(*(event(0, number) for number in range(100)))
    assert [xid.number for xid in listener.heard("GPU-0")] == list(range(99, 99 - MOST_KEPT, -1))


@pytest.mark.parametrize(
    "nonsense",
    [
        event(7, 13),
        event(None, 13),
        event("x", 13),
        event(0, -1),
        event(0, "13"),
        event(0, 2**70),
        event(0, 13, 4),
        None,
    ],
)
def test_nonsense_is_no_event(hear: Callable[..., XidListener], nonsense: object) -> None:
    listener = hear(nonsense, event(1, 13))
    assert listener.heard("GPU-0") == ()
    assert len(listener.heard("GPU-1")) == 1


def test_a_number_that_is_not_well_known_has_no_words(hear: Callable[..., XidListener]) -> None:
    assert hear(event(0, 4242)).heard("GPU-0") == (Xid(4242, 1000.0, ""),)
    assert "NVLink" in xid_words(74)


def test_a_session_shows_what_was_heard(nvml: FakeNvml, clock: Any) -> None:
    nvml.events = SimpleQueue()
    session = NvmlSession(clock, nvml)
    assert session.read().gpus[1].xids == ()
    for each in (event(1, 48), END):
        nvml.events.put(each)
    _joined(session)
    assert session.read().gpus[1].xids == (Xid(48, 1000.0, "double-bit memory error"),)
    nvml.spoil["*", 1] = 15
    lost = session.read().gpus[1]
    assert (lost.lost, lost.xids) == (True, (Xid(48, 1000.0, "double-bit memory error"),))


def test_what_was_heard_of_a_lost_gpu_comes_to_its_row(nvml: FakeNvml, clock: Any) -> None:
    nvml.events = SimpleQueue()
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 0] = 15
    assert session.read().gpus[0].xids == ()
    for each in (event(0, 79), END):
        nvml.events.put(each)
    _joined(session)
    assert [xid.number for xid in session.read().gpus[0].xids] == [79]


def test_nvml_is_not_shut_down_under_who_listens(nvml: FakeNvml, clock: Any) -> None:
    nvml.events = SimpleQueue()
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 1] = 15
    session.read()
    clock.now += 2
    session.read()  # due, but somebody is waiting for events: he is told to end
    assert nvml.calls.count("nvmlShutdown") == 0
    nvml.spoil.clear()
    session.read()  # all is well again; what was begun is finished, or nobody would listen any more
    nvml.events.put(NOTHING_YET)
    _joined(session)
    nvml.events = SimpleQueue()
    assert session.read().gpus[1].lost is False
    assert nvml.calls.count("nvmlShutdown") == 1
    assert nvml.calls.count("nvmlEventSetCreate") == 2
    assert session._events.stopping is False
    nvml.events.put(END)


def _joined(session: NvmlSession) -> None:
    assert session._events._thread is not None
    session._events._thread.join(60)
    assert not session._events._thread.is_alive()


@pytest.mark.parametrize(("code", "words"), [(3, "not supported by this GPU"), (4, "no permission")])
def test_events_that_cannot_be_heard_are_a_problem(nvml: FakeNvml, clock: Any, code: int, words: str) -> None:
    nvml.spoil["nvmlDeviceRegisterEvents", 1] = code
    first, second = NvmlSession(clock, nvml).read().gpus
    assert first.problems == ()
    assert second.problems == (f"driver events: {words}",)


def test_a_driver_without_events(nvml: FakeNvml, clock: Any) -> None:
    nvml.spoil["nvmlEventSetCreate"] = 3
    session = NvmlSession(clock, nvml)
    for gpu in session.read().gpus:
        assert gpu.problems == ("driver events: not supported by this GPU",)
    assert session._events._thread is None


def test_an_older_binding_cannot_wait(hear: Callable[..., XidListener]) -> None:
    listener = hear(AttributeError("nvmlEventSetWait_v2"))
    assert listener.problems("GPU-1")[0].words == "not known to this version of nvidia-ml-py"


def test_no_thread_left(nvml: FakeNvml, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    gpu = NvmlSession(clock, nvml).read().gpus[0]
    assert gpu.problems == ("driver events: no thread can be started to wait for them",)
    assert gpu.utilization == 0.5


def test_the_set_is_given_back(hear: Callable[..., XidListener], nvml: FakeNvml) -> None:
    hear()
    assert nvml.calls[-1] == "nvmlEventSetFree"


def test_a_wait_that_fails_is_tried_again_but_not_at_once(
    nvml: FakeNvml, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml.events = SimpleQueue()
    for each in (pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST), event(1, 79), END):
        nvml.events.put(each)
    nvml.running = True
    pauses: list[float | None] = []
    monkeypatch.setattr(threading.Event, "wait", lambda _, timeout=None: pauses.append(timeout))
    listener = XidListener(clock)
    listener._listen(nvml, "set", {1: "GPU-1"}, threading.Event())
    assert pauses == [1.0]
    assert [xid.number for xid in listener.heard("GPU-1")] == [79]
