"""Eight simulated GPUs under a real pynvml: our values are those of the bare calls, and each fault leaves the rest right."""

from __future__ import annotations

from typing import Any

import pytest

from simulated_gpus import Simulated

MIB = 2**20
EVERYTHING = """
* proc 4242 20000 C
3 proc 4243 512 G
0 util 97
1 util 0
1 throttle 1
2 throttle 36
2 sm_clock 1200
4 temp 91
4 throttle 8
5 mem_temp 95
6 nvlink_down 6
6 nvlink_errors 4
6 pcie_gen 3
6 pcie_width 8
6 pcie_sent 12345
6 pcie_received 67890
7 ecc_cor 12
7 ecc_unc 2
7 remapped 3
7 remap_pending 1
7 remap_failed 1
7 pstate 8
7 encoder 33
7 decoder 44
7 fan 100
"""


def shown(gpu: dict[str, Any]) -> dict[str, Any]:
    """A row of ours as `gpu_probe.bare` has it."""
    assert (gpu["problems"], gpu["lost"], gpu["unified"], gpu["xids"], gpu["at"]) == ([], False, False, [], None)
    held = [[process["pid"], process["memory_bytes"]] for process in gpu["processes"]]
    rest = {name: value for name, value in gpu.items() if name not in ("problems", "lost", "unified", "xids", "at")}
    return {**rest, "processes": held}


def same(ours: dict[str, Any], bare: dict[str, Any], but: tuple[int, ...] = ()) -> None:
    """Every value of every GPU but some is what the bare calls give."""
    assert (ours["driver"], ours["cuda"]) == (bare["driver"], bare["cuda"])
    assert len(ours["gpus"]) == len(bare["gpus"]) == 8
    for mine, theirs in zip(ours["gpus"], bare["gpus"], strict=True):
        if mine["index"] not in but:
            assert shown(mine) == theirs


@pytest.mark.parametrize("control", ["", EVERYTHING], ids=["usual", "troubled"])
def test_every_value_is_pynvmls(simulated: Simulated, control: str) -> None:
    simulated.control.write_text(control)
    found = simulated.read("--bare")
    assert found["ours"]["reason"] == ""
    same(found["ours"], found["bare"])


def test_values_of_a_known_state(simulated: Simulated) -> None:
    """What the bare calls give is what was asked for: the oracle itself is no echo."""
    simulated.control.write_text(EVERYTHING)
    gpus = simulated.read()["ours"]["gpus"]
    assert [gpu["throttle"] for gpu in gpus[:5]] == [
        [],
        [],
        ["software thermal slowdown", "power cap"],
        [],
        ["hardware slowdown"],
    ]
    assert (gpus[0]["utilization"], gpus[4]["temperature_c"], gpus[5]["memory_temperature_c"]) == (0.97, 91.0, 95.0)
    assert gpus[6]["pcie"] == {
        "generation": 3,
        "generation_max": 5,
        "width": 8,
        "width_max": 16,
        "sent_bytes_ps": 12345 * 1024,
        "received_bytes_ps": 67890 * 1024,
    }
    assert [link["active"] for link in gpus[6]["nvlinks"]] == [True, False, False, *[True] * 15]
    assert [link["errors"] for link in gpus[6]["nvlinks"]][:3] == [0, 12, 0]
    assert gpus[7]["ecc"] == {
        "corrected": 12,
        "uncorrected": 2,
        "remapped_rows": 3,
        "remap_pending": True,
        "remap_failed": True,
    }
    assert (gpus[7]["performance_state"], gpus[7]["encoder"], gpus[7]["decoder"], gpus[7]["fan"]) == (8, 0.33, 0.44, 1)
    assert [(each["pid"], each["memory_bytes"]) for each in gpus[3]["processes"]] == [
        (4242, 20000 * MIB),
        (4243, 512 * MIB),
    ]


def test_mig_instances_are_pynvmls(simulated: Simulated) -> None:
    simulated.control.write_text("1 mig 3g.40gb 40448 12000\n1 mig 1g.10gb 9984 300\n")
    found = simulated.read("--bare", FAKE_NVML_GPUS="1")
    assert found["ours"]["gpus"][0]["mig"] == []
    code = """
import json, gpu_probe, pynvml
ours = gpu_probe.ours()["gpus"][1]
pynvml.nvmlInit()
print(json.dumps([ours, gpu_probe._mig(pynvml.nvmlDeviceGetHandleByIndex(1))]))
"""
    ours, bare = simulated.python(code)
    assert ours["mig"] == bare
    assert [(each["name"], each["memory_used_bytes"], each["memory_total_bytes"]) for each in bare] == [
        ("3g.40gb", 12000 * MIB, 40448 * MIB),
        ("1g.10gb", 300 * MIB, 9984 * MIB),
    ]
    assert (ours["utilization"], ours["problems"]) == (None, ["utilization: not supported by this GPU"])


def test_a_lost_gpu_leaves_the_rest_right(simulated: Simulated) -> None:
    bare = simulated.read("--bare")["bare"]
    simulated.control.write_text("2 lost\n")
    found = simulated.read()["ours"]
    same(found, bare, but=(2,))
    words = "lost (fell off the bus); reset it or reboot"
    assert found["reason"] == f"GPU 2: {words}"
    assert (found["gpus"][2]["lost"], found["gpus"][2]["problems"]) == (True, [words])


GETTERS = {
    "nvmlDeviceGetUtilizationRates": ("utilization", "memory_utilization"),
    "nvmlDeviceGetPowerUsage": ("power_w",),
    "nvmlDeviceGetEnforcedPowerLimit": (),
    "nvmlDeviceGetClockInfo": ("sm_mhz", "memory_mhz"),
    "nvmlDeviceGetMaxClockInfo": ("sm_max_mhz", "memory_max_mhz"),
    "nvmlDeviceGetTemperatureThreshold": ("slowdown_c",),
    "nvmlDeviceGetFanSpeed": ("fan",),
    "nvmlDeviceGetName": ("name",),
    "nvmlDeviceGetComputeRunningProcesses_v3": (),
    "nvmlDeviceGetEncoderUtilization": ("encoder",),
    "nvmlDeviceGetDecoderUtilization": ("decoder",),
    "nvmlDeviceGetPerformanceState": ("performance_state",),
    "nvmlDeviceGetFieldValues": ("memory_temperature_c", "nvlinks"),
    "nvmlDeviceGetMemoryInfo_v2": ("memory_reserved_bytes",),
    "nvmlDeviceGetTotalEccErrors": (),
}


@pytest.mark.parametrize("function", GETTERS)
def test_a_getter_that_fails_leaves_the_rest_right(simulated: Simulated, function: str) -> None:
    bare = simulated.read("--bare")["bare"]
    simulated.control.write_text(f"5 fail {function} 4\n")
    found = simulated.read()["ours"]
    same(found, bare, but=(5,))
    assert found["reason"] == ""
    lacking = GETTERS[function]
    mine = {**found["gpus"][5], "problems": []}
    assert bool(found["gpus"][5]["problems"]) == any(
        mine[name] is None for name in lacking if name != "memory_reserved_bytes"
    )
    expected = {**bare["gpus"][5], **dict.fromkeys(lacking)}
    if function == "nvmlDeviceGetMemoryInfo_v2":  # the older call counts what is reserved as used
        expected["memory_used_bytes"] += 600 * MIB
    assert shown(mine) == expected


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (9, "NVIDIA driver not loaded"),
        (12, "no NVIDIA driver on this machine"),
        (18, "NVIDIA driver and library versions differ: reboot or reload the driver"),
    ],
)
def test_a_driver_that_cannot_be_started_is_said_in_words(simulated: Simulated, code: int, words: str) -> None:
    simulated.control.write_text(f"* init_error {code}\n")
    found = simulated.read()["ours"]
    assert (found["gpus"], found["reason"]) == ([], words)


def test_no_driver_at_all(simulated: Simulated) -> None:
    found = simulated.read(LD_LIBRARY_PATH="/nowhere")["ours"]
    if found["gpus"]:
        pytest.skip("this machine has a real driver")
    assert found["reason"] == "no NVIDIA driver on this machine"


COMES_BACK = """
import json, os, pathlib, gpu_probe
from quarterdeck.hosts.nvml.session import NvmlSession
control, clock = pathlib.Path(os.environ["FAKE_NVML_FILE"]), [0.0]
session = NvmlSession(lambda: clock[0])
before = session.read()
control.write_text(SPOILT)
clock[0] += 5
lost = session.read()
control.write_text("")
back = session.read()
while back.reason:  # until the driver is started again, which waits for whoever listens to events
    clock[0] += 2
    back = session.read()
session.end()
print(json.dumps([gpu_probe.plain(table) for table in (before, lost, back)]))
"""


def test_a_gpu_that_was_lost_keeps_its_values_dated_and_comes_back(simulated: Simulated) -> None:
    before, lost, back = simulated.python(COMES_BACK.replace("SPOILT", repr("2 lost\n")))
    words = "lost (fell off the bus); reset it or reboot"
    expected = [*before["gpus"]]
    expected[2] = {**expected[2], "lost": True, "at": 0.0, "problems": [words]}
    assert lost == {**before, "gpus": expected, "reason": f"GPU 2: {words}"}
    assert back == before


def test_a_driver_that_was_unloaded_comes_back(simulated: Simulated) -> None:
    spoilt = "* init_error 9\n* fail nvmlDeviceGetUtilizationRates 1\n"
    before, gone, back = simulated.python(COMES_BACK.replace("SPOILT", repr(spoilt)))
    assert gone["reason"] == "NVIDIA driver not loaded"
    assert [(gpu["lost"], gpu["at"], gpu["power_w"]) for gpu in gone["gpus"]] == [
        (True, 0.0, gpu["power_w"]) for gpu in before["gpus"]
    ]
    assert back == before


HANGS = """
import asyncio, json, os, pathlib, time, gpu_probe
from dataclasses import asdict
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.open import open_host

async def main():
    host = open_host(HostSpec("here", timeout=30), lambda: 7.0)
    good = await host.read()
    host._spec = HostSpec("here", timeout=0.05)
    pathlib.Path(os.environ["FAKE_NVML_FILE"]).write_text("3 delay_ms 5000")
    hung = await host.read()
    await host.close()
    print(json.dumps([asdict(good), asdict(hung)]))

asyncio.run(main())
"""


def test_a_driver_that_hangs_keeps_the_last_values_and_nobody_waiting(simulated: Simulated) -> None:
    """A whole reading would take 45 s and more: the process ends long before."""
    good, hung = simulated.python(HANGS)
    assert good["reason"] == ""
    assert hung["reason"] == "the NVIDIA driver does not answer (0 s)"
    assert [gpu["at"] for gpu in hung["gpus"]] == [7.0] * 8
    dated = [{**gpu, "at": 7.0} for gpu in good["gpus"]]
    assert hung["gpus"] == dated
    assert hung["memory_total_bytes"] == good["memory_total_bytes"]
    assert hung["memory_used_bytes"] is not None


HEARS = """
import json, os, pathlib, gpu_probe
from quarterdeck.hosts.nvml.session import NvmlSession
control = pathlib.Path(os.environ["FAKE_NVML_FILE"])
control.write_text("0 xid 13\\n")
session = NvmlSession(lambda: 7.0)
table = session.read()
control.write_text("0 xid 13\\n3 xid 48\\n3 xid 79\\n")
while len(table.gpus[3].xids) < 2:
    table = session.read()
session.end()
print(json.dumps(gpu_probe.plain(table)["gpus"]))
"""


def test_events_are_heard_as_they_happen(simulated: Simulated) -> None:
    gpus = simulated.python(HEARS)
    assert gpus[3]["xids"] == [
        {"number": 79, "at": 7.0, "words": "fell off the bus; reset the GPU or reboot"},
        {"number": 48, "at": 7.0, "words": "double-bit memory error"},
    ]
    assert all(gpu["xids"] == [] for gpu in gpus if gpu["index"] != 3)  # the one from before is no news


def test_a_machine_with_memory_of_one_kind(simulated: Simulated) -> None:
    spoilt = (
        "* fail nvmlDeviceGetMemoryInfo 3\n* fail nvmlDeviceGetMemoryInfo_v2 3\n* proc 4242 3000 C\n* proc 4243 500 G\n"
    )
    simulated.control.write_text(spoilt)
    gpu = simulated.read()["ours"]["gpus"][0]
    assert (gpu["unified"], gpu["memory_used_bytes"], gpu["memory_total_bytes"]) == (True, 3500 * MIB, None)
