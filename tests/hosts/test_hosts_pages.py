"""Exporters' pages: what they say, checked against prometheus_client's own parser, and what nonsense does to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts import dcgm, node, nvidia_smi
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.exporter import ExporterHost
from quarterdeck.model.gpu import GpuProcess, GpuView
from quarterdeck.wire.failure import Failure

MIB = 2**20
Oracle = dict[tuple[str, str], float]
Page = Callable[[str], bytes]


def read(body: bytes) -> HostReading:
    """One page, read for the first time."""
    return ExporterHost(HostSpec("node", gpus="http://node:9400/metrics"), lambda: 7.0).reading(body)


def oracle(body: bytes, label: str) -> Oracle:
    """(sample name, label's value) → value, by prometheus_client; the first row of each."""
    found: Oracle = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if not sample.labels.get("GPU_I_ID"):
                found.setdefault((sample.name, sample.labels.get(label, "")), sample.value)
    return found


def test_dcgm_exporter(page: Page) -> None:
    reading = read(page("dcgm"))
    assert (reading.at, reading.source, reading.reason, reading.cpu) == (7.0, "http://node:9400/metrics", "", None)
    assert [gpu.index for gpu in reading.gpus] == [0, 1, 2, 10]
    assert reading.gpus[0] == GpuView(
        0,
        "GPU-5c1a0f3e-1111-4222-8333-000000000000",
        "NVIDIA H100 80GB HBM3",
        utilization=0.97,
        memory_used_bytes=74821 * MIB,
        memory_total_bytes=81559 * MIB,
        power_w=512.347,
        temperature_c=63.0,
        problems=("power limit, processes: not on the page",),
    )


def test_dcgm_values_are_the_oracles(page: Page) -> None:
    body = page("dcgm")
    said = oracle(body, "gpu")
    for gpu in read(body).gpus:
        which = str(gpu.index)
        if (percent := said.get((dcgm._UTIL, which), 1e19)) < 1e18:
            assert gpu.utilization == percent / 100
        assert gpu.memory_used_bytes == said[dcgm._USED, which] * MIB
        if said[dcgm._FREE, which] < 1e18:
            parts = [said.get((name, which), 0.0) for name in (dcgm._USED, dcgm._FREE, dcgm._RESERVED)]
            assert gpu.memory_total_bytes == sum(parts) * MIB
        if gpu.power_w is not None:
            assert gpu.power_w == said[dcgm._POWER, which]
            assert gpu.temperature_c == said[dcgm._TEMPERATURE, which]


def test_dcgm_sentinels_are_unknown(page: Page) -> None:
    gpu = read(page("dcgm")).gpus[2]
    assert (gpu.utilization, gpu.power_w, gpu.temperature_c, gpu.memory_total_bytes) == (None, None, None, None)
    assert gpu.memory_used_bytes == 12 * MIB
    assert gpu.problems == ("utilization, memory total, power, power limit, temperature, processes: not on the page",)


@pytest.mark.parametrize(
    "sentinel", ["9223372036854775794", "9.223372036854776e+18", "2147483632", "NaN", "+Inf", "-1"]
)
def test_every_kind_of_sentinel_is_unknown(sentinel: str) -> None:
    row = 'gpu="0",UUID="GPU-0"'
    body = "\n".join(f"{name}{{{row}}} {sentinel}" for name in dcgm.WANTED).encode()
    (gpu,) = read(body).gpus
    temperature = -1.0 if sentinel == "-1" else None  # a GPU can be that cold, but draw no less than nothing
    lacks = "utilization, memory used, memory total, power, power limit, temperature, processes"
    lacks = lacks.replace(" temperature,", "") if temperature else lacks
    assert gpu == GpuView(0, "GPU-0", temperature_c=temperature, problems=(f"{lacks}: not on the page",))


def test_dcgm_without_a_utilisation_field_gives_the_engines(page: Page) -> None:
    gpu = read(page("dcgm")).gpus[3]
    assert gpu.utilization == 0.25
    assert gpu.memory_total_bytes == 80942 * MIB  # nothing is said of what is reserved


def test_dcgm_mig_instances_add_nothing_to_their_gpu(page: Page) -> None:
    first, second = read(page("dcgm_mig")).gpus
    assert (first.memory_used_bytes, first.memory_total_bytes) == (10942 * MIB, 81559 * MIB)
    assert first.utilization is None
    assert second.uuid == "GPU-5c1a0f3e-1111-4222-8333-000000000001"
    assert second.problems == (
        "utilization, memory used, memory total, power, power limit, temperature, processes: "
        "the page tells only of its MIG instances (1)",
    )


def test_dcgm_pages_of_several_machines_are_kept_apart() -> None:
    rows = "".join(
        f'DCGM_FI_DEV_GPU_TEMP{{gpu="{gpu}",{label}="{host}"}} {temperature}\n'
        for gpu, label, host, temperature in (
            (0, "Hostname", "c", 60),
            (0, "hostname", "b", 50),
            (1, "hostname", "a", 41),
            (0, "hostname", "a", 40),
        )
    )
    assert [gpu.temperature_c for gpu in read(rows.encode()).gpus] == [40.0, 41.0, 50.0, 60.0]


def test_a_gpu_shared_by_pods_is_one_gpu() -> None:
    body = b'DCGM_FI_DEV_GPU_TEMP{gpu="0",pod="a"} 40\nDCGM_FI_DEV_GPU_TEMP{gpu="0",pod="b"} 41\n'
    assert [gpu.temperature_c for gpu in read(body).gpus] == [40.0]


@pytest.mark.parametrize(("used", "total"), [("FB_TOTAL", 5000), ("FB_OTHER", 30)])
def test_dcgm_total_is_taken_where_it_is_exported(used: str, total: int) -> None:
    rows = (("FB_USED", 10), ("FB_FREE", 20), (used, 5000))
    body = "".join(f'DCGM_FI_DEV_{name}{{gpu="0"}} {value}\n' for name, value in rows)
    assert read(body.encode()).gpus[0].memory_total_bytes == total * MIB


def test_nvidia_gpu_exporter(page: Page) -> None:
    first, second = read(page("nvidia_gpu_exporter")).gpus
    assert first == GpuView(
        0,
        "GPU-0a1b2c3d-7314-46f8-abc4-b88b36dcf3ab",
        "NVIDIA GeForce RTX 3090",
        utilization=1.0,
        memory_used_bytes=12885950464,
        memory_total_bytes=25769803776,
        power_limit_w=350.0,
        temperature_c=71.0,
        processes=(),
        problems=("power: not on the page",),
    )
    assert (second.index, second.power_w) == (1, 28.07)
    assert second.processes == (GpuProcess(17, 1048576), GpuProcess(4242, 12884901888))
    assert second.problems == ()


def test_nvidia_gpu_exporter_values_are_the_oracles(page: Page) -> None:
    body = page("nvidia_gpu_exporter")
    said = oracle(body, "uuid")
    for gpu in read(body).gpus:
        uuid = (gpu.uuid or "").removeprefix("GPU-")
        assert gpu.utilization == said[nvidia_smi._UTIL, uuid]
        assert gpu.memory_used_bytes == said[nvidia_smi._USED, uuid]
        assert gpu.memory_total_bytes == said[nvidia_smi._TOTAL, uuid]
        assert gpu.temperature_c == said[nvidia_smi._TEMPERATURE, uuid]
        assert gpu.power_w == said.get((nvidia_smi._POWERS[0], uuid))
        assert gpu.power_limit_w == said[nvidia_smi._LIMITS[0], uuid]


def test_nvidia_gpu_exporter_without_process_rows_leaves_processes_unknown(page: Page) -> None:
    body = b"\n".join(line for line in page("nvidia_gpu_exporter").split(b"\n") if b"compute_app" not in line)
    assert [gpu.processes for gpu in read(body).gpus] == [None, None]


def test_nvidia_gpu_exporter_whose_last_run_failed() -> None:
    body = b"nvidia_smi_failed_scrapes_total 3\nnvidia_smi_last_collect_success 0\n"
    reading = read(body)
    assert (reading.gpus, reading.reason) == ((), "the exporter can't read its GPUs (nvidia-smi fails there)")


def test_an_exporter_without_gpus_says_so() -> None:
    assert read(b"nvidia_smi_last_collect_success 1\n").reason == "the exporter tells of no GPU"


def test_node_exporter_memory(page: Page) -> None:
    body = page("node_exporter")
    said = oracle(body, "")
    reading = read(body)
    assert reading.memory_total_bytes == said["node_memory_MemTotal_bytes", ""]
    available = said["node_memory_MemAvailable_bytes", ""]
    assert reading.memory_used_bytes == said["node_memory_MemTotal_bytes", ""] - available
    assert (reading.gpus, reading.reason, reading.cpu) == ((), "", None)


def test_node_exporter_cpu_is_the_share_between_two_pages(page: Page) -> None:
    host = ExporterHost(HostSpec("node", gpus="http://node:9100/metrics"), lambda: 7.0)
    body = page("node_exporter")
    assert host.reading(body).cpu is None
    later = body.replace(b'{cpu="0",mode="user"} 1289.5', b'{cpu="0",mode="user"} 1290.5')
    later = later.replace(b'{cpu="1",mode="idle"} 2138.1', b'{cpu="1",mode="idle"} 2140.1')
    later = later.replace(b'{cpu="2",mode="iowait"} 4.35', b'{cpu="2",mode="iowait"} 5.35')
    assert host.reading(later).cpu == pytest.approx(0.25)


def test_node_exporter_counters_are_the_oracles(page: Page) -> None:
    body = page("node_exporter")
    host = ExporterHost(HostSpec("node", gpus="http://node:9100/metrics"), lambda: 7.0)
    host.reading(body)
    expected: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if sample.name == node._CPU:
                busy_idle = expected.setdefault(sample.labels["cpu"], [0.0, 0.0])
                busy_idle[sample.labels["mode"] in ("idle", "iowait")] += sample.value
    assert len(expected) == 4
    assert {cpu: list(seconds) for cpu, seconds in host._share._before.items()} == expected


def test_a_counter_that_is_no_number_is_left_out() -> None:
    host = ExporterHost(HostSpec("node", gpus="http://node:9100/metrics"), lambda: 7.0)
    host.reading(
        b'node_cpu_seconds_total{cpu="0",mode="idle"} 9\nnode_cpu_seconds_total{cpu="0",mode="user"} NaN\n'
        b'node_cpu_seconds_total{cpu="0",mode="nice"} 9223372036854775794\n'
    )
    assert host._share._before == {"0": (0.0, 9.0)}


def test_node_exporter_on_a_mac() -> None:
    body = (
        b"node_memory_total_bytes 1000\nnode_memory_free_bytes 100\nnode_memory_inactive_bytes 250\n"
        b"node_memory_active_bytes 300\n"
    )
    reading = read(body)
    assert (reading.memory_used_bytes, reading.memory_total_bytes) == (650, 1000)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"node_memory_MemTotal_bytes 10\n", (None, 10)),
        (b"node_memory_MemTotal_bytes 10\nnode_memory_MemAvailable_bytes 11\n", (None, 10)),
        (b"node_memory_MemTotal_bytes NaN\nnode_memory_MemAvailable_bytes 11\n", (None, None)),
        (b"node_memory_MemTotal_bytes -4\nnode_memory_MemAvailable_bytes 1\n", (None, None)),
        (b"node_exporter_build_info 1\n", (None, None)),
    ],
)
def test_half_a_node_exporter(body: bytes, expected: tuple[object, object]) -> None:
    reading = read(body)
    assert (reading.memory_used_bytes, reading.memory_total_bytes, reading.reason) == (*expected, "")


def test_one_page_may_be_of_a_node_and_its_gpus(page: Page) -> None:
    reading = read(page("node_exporter") + page("dcgm"))
    assert len(reading.gpus) == 4
    assert reading.memory_total_bytes is not None


@pytest.mark.parametrize("body", [b"", b"<html>DCGM_FI_DEV_GPU_UTIL</html>", b"vllm:num_requests_running 1\n", b"\x00"])
def test_another_page_is_foreign(body: bytes) -> None:
    with pytest.raises(Failure, match="answers, but not as a GPU or node exporter"):
        read(body)


def test_hostile_labels_are_cleaned() -> None:
    body = b'DCGM_FI_DEV_GPU_TEMP{gpu="\x1b]0;x\x07",UUID="GPU\\n\x1b[2J1",modelName="\x1b[31mH100\xff"} 50\n'
    (gpu,) = read(body).gpus
    assert gpu.index == 0
    assert (gpu.name or "").isprintable()
    assert (gpu.uuid or "").isprintable()
    assert "\x1b" not in f"{gpu}"
