"""Whatever a driver answers, it is a reading that a screen may rely on."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from fake_nvml import ANSWERS, FakeNvml
from quarterdeck.hosts.nvml.session import NvmlSession
from quarterdeck.model.gpu import GpuView

MAY_LACK = {
    "name": "name",
    "uuid": "UUID",
    "power_limit_w": "power limit",
    "utilization": "utilization",
    "memory_used_bytes": "memory",
    "power_w": "power",
    "temperature_c": "temperature",
    "processes": "processes",
    "slowdown_c": "slowdown temperature",
    "fan": "fan",
    "throttle": "throttle reasons",
    "performance_state": "performance state",
    "encoder": "encoder",
    "decoder": "decoder",
    "nvlinks": "NVLink",
    "memory_temperature_c": "memory temperature",
    "sm_mhz": "SM clock",
    "memory_max_mhz": "memory clock possible",
}
"""Field → how a problem names it."""


def _structure(a: object, b: object) -> SimpleNamespace:
    """All of NVML's in one."""
    value = SimpleNamespace(uiVal=b, ullVal=a, dVal=b)
    return SimpleNamespace(
        gpu=a, memory=b, used=a, total=b, reserved=a, pid=a, usedGpuMemory=b, nvmlReturn=a, valueType=b, value=value
    )


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.builds(_structure, inner, inner),
    max_leaves=8,
)


def checked(view: GpuView) -> None:
    """Everything a screen may rely on."""
    for share in (view.utilization, view.memory_utilization, view.fan, view.encoder, view.decoder):
        assert share is None or 0 <= share <= 1
    for number, most in (
        (view.power_w, 1e5),
        (view.power_limit_w, 1e5),
        (view.sm_mhz, 1e5),
        (view.memory_max_mhz, 1e5),
        (view.performance_state, 15),
        (view.temperature_c, 300),
        (view.memory_temperature_c, 300),
        (view.slowdown_c, 300),
    ):
        assert number is None or -100 <= number <= most
    if view.memory_used_bytes is not None and not view.unified:
        assert 0 <= view.memory_used_bytes + (view.memory_reserved_bytes or 0) <= (view.memory_total_bytes or 0)
    for process in view.processes or ():
        assert process.pid >= 0
        assert process.memory_bytes is None or process.memory_bytes >= 0
    for link in view.nvlinks or ():
        assert link.active in (True, False, None)
        assert link.errors is None or link.errors >= 0
    for text in (view.name or "x", view.uuid or "x", *view.problems, *(view.throttle or ())):
        assert text.isprintable()


FUNCTIONS = sorted(
    name for name in ANSWERS if name.startswith("nvmlDevice") and name[10:] not in ("GetCount", "GetHandleByIndex")
)


@given(st.dictionaries(st.sampled_from(FUNCTIONS), _anything))
def test_whatever_a_driver_answers_is_a_reading(answers: dict[str, object]) -> None:
    driver = FakeNvml()
    driver.spoil = {name: (lambda value=value: value) for name, value in answers.items()}
    session = NvmlSession(lambda: 0.0, driver)
    for table in (session.read(), session.read()):
        assert len(table.gpus) == 2
        for view in table.gpus:
            checked(view)
            told = " ".join(view.problems)
            assert all(what in told for name, what in MAY_LACK.items() if getattr(view, name) is None)
