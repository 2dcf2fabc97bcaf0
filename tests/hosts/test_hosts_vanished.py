"""A GPU that leaves its exporter's page grows old, then is lost, and comes back as if nothing was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.exporters.host import ExporterHost
from quarterdeck.hosts.exporters.page import MOST_GPUS
from quarterdeck.hosts.exporters.vanished import GRACE_S, KEPT_S, WORDS, Vanished
from quarterdeck.model.gpu import GpuView

ONE, TWO = GpuView(0, "GPU-a", utilization=0.5), GpuView(1, "GPU-b", utilization=0.7)


def test_a_gpu_that_is_missing_grows_old_and_is_lost() -> None:
    seen = Vanished()
    assert seen.completed([ONE, TWO], 100.0) == (ONE, TWO)
    waiting = seen.completed([ONE], 102.0)[1]
    assert (waiting.lost, waiting.at, waiting.utilization) == (False, 100.0, 0.7)
    lost = seen.completed([ONE], 100.0 + GRACE_S)[1]
    assert (lost.lost, lost.at, lost.problems) == (True, 100.0, (WORDS,))


def test_it_comes_back() -> None:
    seen = Vanished()
    seen.completed([ONE, TWO], 100.0)
    seen.completed([ONE], 200.0)
    assert seen.completed([ONE, TWO], 202.0) == (ONE, TWO)
    assert seen.completed([TWO], 204.0)[0].at == 202.0


def test_after_an_hour_it_was_taken_away_on_purpose() -> None:
    seen = Vanished()
    seen.completed([ONE, TWO], 100.0)
    assert len(seen.completed([ONE], 99.0 + KEPT_S)) == 2
    assert seen.completed([ONE], 100.0 + KEPT_S) == (ONE,)


@given(st.lists(st.sets(st.integers(0, 4 * MOST_GPUS), max_size=MOST_GPUS), max_size=8))
def test_an_exporter_that_invents_gpus_fills_nothing(pages: list[set[int]]) -> None:
    seen = Vanished()
    for turn, page in enumerate(pages):
        gpus = [GpuView(index, f"GPU-{index}") for index in sorted(page)]
        found = seen.completed(gpus, float(turn))
        assert len(found) <= max(MOST_GPUS, len(gpus))
        assert set(gpus) <= set(found)
        assert len({gpu.key for gpu in found}) == len(found)


def test_of_a_real_page(page: Callable[[str], bytes]) -> None:
    """dcgm-exporter's page without the lines of one GPU."""
    now = [1000.0]
    clock: Any = lambda: now[0]  # noqa: E731
    host = ExporterHost(HostSpec("gpu-1", gpus="http://127.0.0.1:1"), clock)
    whole = page("dcgm")
    before = host.reading(whole).gpus
    gone = before[1]
    assert gone.uuid is not None
    less = b"\n".join(line for line in whole.split(b"\n") if gone.uuid.encode() not in line)
    now[0] += GRACE_S
    after = host.reading(less).gpus
    assert [(gpu.index, gpu.lost) for gpu in after] == [(gpu.index, gpu is gone) for gpu in before]
    assert after[1].at == 1000.0
