"""What is demanded of a fleet, and what of it is not met."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import endpoint_view, gpu, host_view, model, snapshot
from quarterdeck.model.demands import Demands, Limit, matches, selected, unmet
from quarterdeck.model.fleet import State
from quarterdeck.model.limits import Limits
from quarterdeck.model.verdict import Level, judged

FLEET = snapshot(
    endpoint_view("prod-a", host="box", waiting=30, kv_used=0.96, ttft_p95_s=2.0, models=(model("qwen3-32b"),)),
    endpoint_view("prod-b", host="box", waiting=1, kv_used=0.2, models=(model("gemma3:27b"),)),
    endpoint_view("lab", state=State.DOWN, waiting=99, models=(model("phi4"),)),
    hosts=(host_view("box", gpu(0, used=78.0), gpu(1, used=10.0, temperature_c=91.0)), host_view("other", gpu(0))),
)


def said(demands: Demands) -> list[tuple[Level, str, str]]:
    return [(found.level, found.subject, found.text) for found in unmet(selected(FLEET, demands), demands)]


@pytest.mark.parametrize(
    ("demands", "found"),
    [
        (Demands(), []),
        (Demands(waiting=Limit(20, 50)), [(Level.WARNING, "prod-a", "30 requests waiting")]),
        (Demands(waiting=Limit(None, 29)), [(Level.CRITICAL, "prod-a", "30 requests waiting")]),
        (Demands(waiting=Limit(30, None)), []),
        (Demands(kv=Limit(0.9, 0.95)), [(Level.CRITICAL, "prod-a", "KV cache 96% full")]),
        (Demands(ttft_p95_s=Limit(1.0)), [(Level.WARNING, "prod-a", "TTFT p95 2.0 s")]),
        (Demands(vram_free=Limit(4 * 2**30, 1)), [(Level.WARNING, "box GPU 0", "2.0 GiB of memory free")]),
        (Demands(gpu_temperature=Limit(80, 90)), [(Level.CRITICAL, "box GPU 1", "91 °C")]),
        (Demands(endpoints_up=Limit(3, 1)), [(Level.WARNING, "fleet", "only 2 of 3 endpoints well")]),
        (Demands(expected=("QWEN*", "gemma3:27b")), []),
        (Demands(expected=("phi4",)), [(Level.CRITICAL, "fleet", "no endpoint that is well has a model phi4")]),
        (Demands(endpoints=("prod-b",), waiting=Limit(0)), [(Level.WARNING, "prod-b", "1 requests waiting")]),
        (Demands(models=("gemma*",), kv=Limit(0.1)), [(Level.WARNING, "prod-b", "KV cache 20% full")]),
        (Demands(hosts=("other",), gpu_temperature=Limit(50)), [(Level.WARNING, "other GPU 0", "54 °C")]),
    ],
)
def test_demands(demands: Demands, found: list[tuple[Level, str, str]]) -> None:
    assert said(demands) == found


def test_they_are_part_of_the_verdict() -> None:
    demands = Demands(endpoints=("prod-*",), waiting=Limit(5, 20))
    part = selected(FLEET, demands)
    verdict = judged(part, Limits(warn_waiting=1 << 30, warn_kv=2.0), unmet(part, demands))
    assert (verdict.level, verdict.summary) == (Level.CRITICAL, "prod-a 30 requests waiting; 2 of 2 endpoints well")


@given(st.floats(0, 1e9), st.floats(0, 1e9) | st.none(), st.floats(0, 1e9) | st.none())
def test_a_limit_is_never_milder_for_a_worse_value(value: float, warn: float | None, crit: float | None) -> None:
    limit = Limit(warn, crit)
    assert limit.above(value + 1) >= limit.above(value) or limit.above(value) is Level.CRITICAL
    assert limit.below(value - 1) >= limit.below(value) or limit.below(value) is Level.CRITICAL


def test_globs() -> None:
    assert matches("Prod-A", ("prod-?",))
    assert matches(None, ())
    assert not matches(None, ("*",))
