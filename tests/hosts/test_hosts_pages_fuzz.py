"""Whatever an exporter says is a reading, and a DCGM page is read as prometheus_client's own parser reads it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.exporters import dcgm
from quarterdeck.hosts.exporters.host import WANTED, ExporterHost
from quarterdeck.wire.failure import Failure

MIB = 2**20
_names = st.sampled_from(sorted(set(WANTED)))
_label_names = st.sampled_from(
    [
        "gpu",
        "UUID",
        "uuid",
        "Hostname",
        "hostname",
        "modelName",
        "name",
        "index",
        "GPU_I_ID",
        "pid",
        "cpu",
        "mode",
        "gpu_index",
        "gpu_uuid",
        "device_uuid",
        "xid",
        "mig_instance",
        "gpu_instance_id",
        "mountpoint",
        "mount_point",
    ]
)
_texts = st.sampled_from(
    ["", "0", "1", "0:1", "/", "007", "99999999999", "idle", "GPU-1", "²", "\x1b[2J", 'a\\"b', "x" * 300]
)
_numbers = st.floats().map(repr) | st.integers(-(2**70), 2**70).map(str) | st.sampled_from(["", "x", "1 2", "1_0"])
_rows = st.tuples(_names, st.dictionaries(_label_names, _texts, max_size=5), _numbers)


def checked(reading: HostReading) -> None:
    """Everything a screen may rely on."""
    assert reading.cpu is None or 0 <= reading.cpu <= 1
    for gpu in reading.gpus:
        assert 0 <= gpu.index < 10_000
        assert gpu.utilization is None or 0 <= gpu.utilization <= 1
        assert gpu.power_w is None or 0 <= gpu.power_w < 1e5
        assert gpu.temperature_c is None or -100 <= gpu.temperature_c <= 300
        for fraction in (gpu.memory_utilization, gpu.encoder, gpu.decoder, gpu.fan):
            assert fraction is None or 0 <= fraction <= 1
        for whole in (gpu.memory_used_bytes, gpu.memory_total_bytes, gpu.memory_reserved_bytes):
            assert whole is None or 0 <= whole <= 1e19
        for text in (gpu.name or "x", gpu.uuid or "x", *gpu.problems):
            assert text.isprintable()
            assert len(text) < 300


def read_or_foreign(host: ExporterHost, body: bytes) -> None:
    """A reading that makes sense, or none at all for the one reason that a page can give."""
    try:
        reading = host.reading(body)
    except Failure as failure:
        assert str(failure) == "answers, but not as a GPU or node exporter"  # noqa: PT017
    else:
        checked(reading)


@given(st.lists(st.lists(_rows, max_size=12), min_size=1, max_size=3))
def test_whatever_an_exporter_says_is_a_reading(pages: list[list[tuple[str, dict[str, str], str]]]) -> None:
    host = ExporterHost(HostSpec("node", gpus="http://node/metrics"), lambda: 7.0)
    for rows in pages:
        lines = []
        for name, labels, value in rows:
            inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
            lines.append(f"{name}{{{inside}}} {value}")
        read_or_foreign(host, "\n".join(lines).encode())


@given(st.binary(max_size=300))
def test_whatever_bytes_come_are_a_reading_or_foreign(body: bytes) -> None:
    host = ExporterHost(HostSpec("node", gpus="http://node/metrics"), lambda: 7.0)
    for prefix in (b"", b"DCGM_FI_DEV_GPU_UTIL", b"nvidia_smi_index{", b'node_cpu_seconds_total{cpu="0",mode="'):
        read_or_foreign(host, prefix + body)


_mib = st.integers(0, 200_000)
_card = st.tuples(st.integers(0, 100), _mib, _mib, _mib, st.integers(0, 1000), st.integers(0, 110))


@given(st.lists(_card, min_size=1, max_size=9))
def test_dcgm_pages_are_read_as_the_oracle_reads_them(cards: list[tuple[int, ...]]) -> None:
    fields = (dcgm._UTIL, dcgm._USED, dcgm._FREE, dcgm._RESERVED, dcgm._POWER, dcgm._TEMPERATURE)
    body = "".join(
        f'{name}{{gpu="{gpu}",UUID="GPU-{gpu}",modelName="X"}} {card[column]}\n'
        for column, name in enumerate(fields)
        for gpu, card in enumerate(cards)
    ).encode()
    said = {
        (sample.name, sample.labels["gpu"]): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    gpus = ExporterHost(HostSpec("node", gpus="http://node/metrics"), lambda: 7.0).reading(body).gpus
    assert [gpu.uuid for gpu in gpus] == [f"GPU-{i}" for i in range(len(cards))]
    for gpu in gpus:
        values = [said[name, str(gpu.index)] for name in fields]
        assert gpu.utilization == values[0] / 100
        assert gpu.memory_used_bytes == values[1] * MIB
        assert gpu.memory_total_bytes == sum(values[1:4]) * MIB
        assert (gpu.power_w, gpu.temperature_c) == (values[4], values[5] or None)
