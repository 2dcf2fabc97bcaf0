"""Exporters' pages: what they say, checked against prometheus_client's own parser, and what nonsense does to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.exporters import dcgm, node, nvidia_smi
from quarterdeck.hosts.exporters.host import ExporterHost
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, MigInstance, PcieLink, Xid
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
        memory_reserved_bytes=617 * MIB,
        sm_mhz=1980.0,
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
    lacks = "utilization, memory used, memory total, power, power limit, temperature, processes"
    assert gpu == GpuView(0, "GPU-0", problems=(f"{lacks}: not on the page",))


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
    assert second.processes == (
        GpuProcess(17, 1048576, "ollama", engine="ollama"),
        GpuProcess(4242, 12884901888, "python3"),
    )
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


def test_everything_of_dcgms_default_set(page: Page) -> None:
    reading = read(page("dcgm_default_set"))
    first, second = reading.gpus
    assert (reading.driver, reading.cuda) == ("580.95.05", None)
    assert first == GpuView(
        0,
        "GPU-5c1a0f3e-1111-4222-8333-000000000000",
        "NVIDIA H100 80GB HBM3",
        utilization=0.98,
        memory_utilization=0.57,
        memory_used_bytes=74821 * MIB,
        memory_reserved_bytes=617 * MIB,
        memory_total_bytes=81559 * MIB,
        power_w=612.482,
        temperature_c=66.0,
        memory_temperature_c=74.0,
        sm_mhz=1980.0,
        memory_mhz=2619.0,
        encoder=0.0,
        decoder=0.11,
        pcie=PcieLink(sent_bytes_ps=78398480.0, received_bytes_ps=45987793.0),
        ecc=Ecc(remapped_rows=0, remap_failed=False),
        problems=("power limit, processes: not on the page",),
    )
    assert second.memory_temperature_c is None, "no sensor reads 0"
    assert second.xids == (Xid(79, words="GPU has fallen off the bus"),)
    assert second.ecc == Ecc(remapped_rows=3, remap_failed=True)
    assert "NVLink: 3 errors over all links since the driver was loaded" in second.problems
    assert second.mig == (
        MigInstance(1, name="3g.40gb", gpu_instance=1, memory_used_bytes=9512 * MIB, memory_total_bytes=39576 * MIB),
        MigInstance(9, name="1g.10gb", gpu_instance=9, memory_used_bytes=512 * MIB, memory_total_bytes=9528 * MIB),
    )
    assert (second.utilization, second.memory_total_bytes) == (None, 81559 * MIB)


def test_dcgm_fields_that_people_add() -> None:
    rows = {
        "CLOCK_THROTTLE_REASONS": 72,
        "FAN_SPEED": 35,
        "PSTATE": 2,
        "SLOWDOWN_TEMP": 89,
        "MAX_SM_CLOCK": 1980,
        "ECC_SBE_VOL_TOTAL": 4,
        "ECC_DBE_VOL_TOTAL": 1,
        "ROW_REMAP_PENDING": 1,
        "PCIE_LINK_GEN": 4,
    }
    body = "".join(f'DCGM_FI_DEV_{name}{{gpu="0"}} {value}\n' for name, value in rows.items())
    (gpu,) = read(body.encode()).gpus
    assert gpu.throttle == ("hardware slowdown", "hardware thermal slowdown")
    assert (gpu.fan, gpu.performance_state, gpu.slowdown_c, gpu.sm_max_mhz) == (0.35, 2, 89.0, 1980.0)
    assert gpu.ecc == Ecc(corrected=4, uncorrected=1, remap_pending=True)
    assert gpu.pcie == PcieLink(generation=4)


def test_rows_that_name_their_gpu_by_uuid_alone() -> None:
    body = b"""DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-a",Hostname="h"} 5
DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL{gpu_uuid="GPU-a",hostname="h",nvlink="1"} 2
"""
    (gpu,) = read(body).gpus
    assert (gpu.utilization, gpu.problems[-1]) == (0.05, "NVLink: 2 errors over all links since the driver was loaded")


def test_everything_of_nvidia_gpu_exporter(page: Page) -> None:
    reading = read(page("nvidia_gpu_exporter_nvml"))
    first, second = reading.gpus
    assert (reading.driver, reading.cuda, reading.reason) == ("590.48.01", "13.1", "")
    assert first == GpuView(
        0,
        "GPU-5ad1c2e3-7314-46f8-abc4-b88b36dcf3ac",
        "NVIDIA H200",
        utilization=0.98,
        memory_utilization=0.41,
        encoder=0.07,
        decoder=0.0,
        memory_used_bytes=17782800384,
        memory_reserved_bytes=643825664,
        memory_total_bytes=150754820096,
        power_w=295.01,
        power_limit_w=700.0,
        temperature_c=36.0,
        memory_temperature_c=39.0,
        sm_mhz=1980.0,
        sm_max_mhz=1980.0,
        memory_mhz=3201.0,
        memory_max_mhz=3201.0,
        performance_state=0,
        throttle=("hardware thermal slowdown", "power cap"),
        pcie=PcieLink(5, 5, 16, 16, 78398480.0, 45987793.0),
        ecc=Ecc(12, 1, remapped_rows=3, remap_pending=True, remap_failed=False),
        processes=(
            GpuProcess(12249, 14183038976, "VLLM::EngineCore", engine="vllm"),
            GpuProcess(12267, None, "gpu_burn"),
        ),
    )
    assert (second.fan, second.performance_state, second.throttle, second.processes) == (0.3, 8, (), ())
    assert [(xid.number, xid.words != "") for xid in second.xids] == [(79, True), (31, True)], "the newest first"
    assert [(m.name, m.gpu_instance, m.memory_used_bytes, m.memory_total_bytes) for m in second.mig] == [
        ("3g.71gb", 2, 75431936, 74648125440),
        ("1g.18gb", 9, None, None),
    ]


def test_nvitop_exporter_as_recorded(page: Page) -> None:
    body = page("nvitop_exporter")
    said = oracle(body, "index")
    reading = read(body)
    assert (reading.driver, reading.cuda, reading.reason) == ("570.133.20", "12.8", "")
    assert reading.cpu == pytest.approx(0.307)
    assert reading.memory_total_bytes == round(24105.13671875 * MIB)
    assert reading.memory_used_bytes == round(1191.9375 * MIB)
    assert (reading.disk_used_bytes, reading.disk_total_bytes) == (
        round(38291.9140625 * MIB),
        round(258019.61328125 * MIB),
    )
    assert [gpu.index for gpu in reading.gpus] == list(range(8))
    for gpu in reading.gpus:
        which = str(gpu.index)
        assert gpu.name == "NVIDIA H100 80GB HBM3"
        assert gpu.utilization == said["gpu_utilization_Percentage", which] / 100
        assert gpu.memory_utilization == said["gpu_memory_utilization_Percentage", which] / 100
        assert gpu.memory_used_bytes == said["gpu_memory_used_MiB", which] * MIB
        assert gpu.memory_total_bytes == said["gpu_memory_total_MiB", which] * MIB == 81559 * MIB
        assert (gpu.power_w, gpu.power_limit_w) == (said["gpu_power_usage_W", which], said["gpu_power_limit_W", which])
        assert gpu.temperature_c == said["gpu_temperature_C", which]
        assert gpu.fan == said["gpu_fan_speed_Percentage", which] / 100
        assert (gpu.sm_mhz, gpu.memory_mhz) == (said["gpu_clock_sm_MHz", which], 2619.0)
        assert gpu.decoder == said["gpu_decoder_utilization_Percentage", which] / 100
        assert gpu.pcie is not None
        assert gpu.pcie.sent_bytes_ps == said["gpu_pcie_tx_throughput_MiBps", which] * MIB
        assert gpu.processes is not None
        (process,) = gpu.processes
        assert (process.pid, process.name, process.user) == (9075, "bash /dev/fd/3", "root")
        assert process.memory_bytes == said["process_gpu_memory_MiB", which] * MIB
        assert gpu.problems == ()


def test_mig_devices_of_nvitop() -> None:
    body = b"""nvitop_info{driver_version="570",hostname="h"} 1
gpu_memory_total_MiB{index="0",uuid="GPU-a",devicename="A100",hostname="h"} 40960
gpu_memory_total_MiB{index="0:1",uuid="MIG-b",devicename="A100 MIG 1g.5gb",hostname="h"} 4864
gpu_memory_used_MiB{index="0:1",uuid="MIG-b",devicename="A100 MIG 1g.5gb",hostname="h"} 25
"""
    (gpu,) = read(body).gpus
    assert (gpu.uuid, gpu.memory_total_bytes, gpu.memory_used_bytes) == ("GPU-a", 40960 * MIB, None)
    assert gpu.mig == (
        MigInstance(1, "MIG-b", "A100 MIG 1g.5gb", memory_used_bytes=25 * MIB, memory_total_bytes=4864 * MIB),
    )


def test_all_smi(page: Page) -> None:
    reading = read(page("all_smi"))
    assert (reading.driver, reading.cuda, reading.cpu) == ("570.133.20", "12.8", 0.125)
    assert (reading.memory_used_bytes, reading.memory_total_bytes) == (400000000, 1000000000)
    assert (reading.disk_used_bytes, reading.disk_total_bytes) == (1500, 2000)
    first, second = reading.gpus
    assert first == GpuView(
        0,
        "GPU-6f0",
        "NVIDIA H200 141GB HBM3",
        utilization=0.255,
        memory_used_bytes=8589934592,
        memory_total_bytes=150754820096,
        power_w=400.5,
        power_limit_w=700.0,
        temperature_c=65.0,
        slowdown_c=89.0,
        sm_mhz=1980.0,
        sm_max_mhz=1980.0,
        memory_max_mhz=3201.0,
        performance_state=0,
        pcie=PcieLink(generation=5, width=16),
        processes=(GpuProcess(900, 8000000000, "vllm serve Qwen/Q --api-key [key]", "ml", engine="vllm"),),
    )
    assert (second.utilization, second.sm_mhz, second.processes) == (0.0, None, None)
    assert second.mig == (
        MigInstance(0, "MIG-aa", "1g.18gb", 7, None, memory_used_bytes=2**30, memory_total_bytes=19327352832),
    )


def test_all_smi_of_a_mac_and_with_its_older_labels() -> None:
    body = b"""all_smi_gpu_utilization{gpu="Apple M2 Max GPU", instance="mac", uuid="AppleSiliconGPU", index="0"} 12
all_smi_gpu_memory_total_bytes{gpu="Apple M2 Max GPU", instance="mac", uuid="AppleSiliconGPU", index="0"} 68719476736
"""
    (gpu,) = read(body).gpus
    assert (gpu.index, gpu.uuid, gpu.unified, gpu.utilization) == (0, "AppleSiliconGPU", True, 0.12)


def test_node_exporter_disk(page: Page) -> None:
    reading = read(page("node_exporter"))
    assert (reading.disk_total_bytes, reading.disk_used_bytes) == (270553174016, 270553174016 - 230400000000)


def test_the_gpus_and_the_machine_may_come_from_two_exporters(page: Page) -> None:
    reading = read(page("node_exporter") + page("nvitop_exporter"))
    assert len(reading.gpus) == 8
    assert reading.memory_total_bytes == round(24105.13671875 * MIB), "the first that tells it"
    assert reading.cpu == pytest.approx(0.307), "until node_exporter's counters have moved"


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
