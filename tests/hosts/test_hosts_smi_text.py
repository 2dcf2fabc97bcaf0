"""What nvidia-smi says in prose and tables only: MIG devices with their memory, where newer cards slow down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.hosts.ssh import smi_csv, smi_text
from quarterdeck.hosts.ssh.gpus import SmiMemory
from quarterdeck.hosts.ssh.script import Answer, Section
from quarterdeck.hosts.throttling import BY_MARGIN
from quarterdeck.model.gpu import MigInstance

MIB = 2**20
OLDER = """
+-----------------------------------------------------------------------------+
| MIG devices:                                                                |
+------------------+----------------------+-----------+-----------------------+
| GPU  GI  CI  MIG |         Memory-Usage |        Vol|         Shared        |
|      ID  ID  Dev |           BAR1-Usage | SM     Unc| CE  ENC  DEC  OFA  JPG|
|                  |                      |        ECC|                       |
|==================+======================+===========+=======================|
|  0    2   0   0  |     11MiB / 20096MiB | 42      0 |  3   0    2    0    0 |
|                  |      0MiB / 32767MiB |           |                       |
+------------------+----------------------+-----------+-----------------------+
|  1   10   0   3  |      0MiB / 81251MiB | 98      0 |  7   0    5    1    1 |
|                  |      1MiB / 13107... |           |                       |
+------------------+----------------------+-----------+-----------------------+
"""
NEWER = """
| GPU  GI  CI  MIG |                     Memory-Usage |        Vol|      Shared           |
|      ID  ID  Dev |                       BAR1-Usage | SM     Unc| CE ENC DEC OFA JPG    |
|==================+==================================+===========+=======================|
|  0    1   0   0  |              26MiB / 11968MiB    | 28      0 |  2   0    2    0    0 |
|                  |                 0MiB / 16383MiB  |           |                       |
|  0    5   0   1  |              13MiB /  5952MiB    | 14      0 |  1   0    1    0    0 |
"""
WHOLE = """
|   0  NVIDIA H200                    Off |   00000000:2A:00.0 Off |                   On |
| N/A   30C    P0             76W /  700W |     51MiB /  24576MiB  |     N/A      Default |
|  No MIG devices found                                                       |
|    0    1    0     4242      C   python                                     26MiB |
"""


def test_the_table_of_mig_devices() -> None:
    assert smi_text.mig_table(OLDER.splitlines()) == {
        (0, 0): (2, 0, 11 * MIB, 20096 * MIB),
        (1, 3): (10, 0, 0, 81251 * MIB),
    }
    assert smi_text.mig_table(NEWER.splitlines()) == {
        (0, 0): (1, 0, 26 * MIB, 11968 * MIB),
        (0, 1): (5, 0, 13 * MIB, 5952 * MIB),
    }
    assert smi_text.mig_table(WHOLE.splitlines()) == {}


MARGINS = """
GPU 00000000:19:00.0
    Temperature
        GPU Current Temp                  : 33 C
        GPU T.Limit Temp                  : 54 C
        GPU Shutdown T.Limit Temp         : -8 C
        GPU Slowdown T.Limit Temp         : -2 C
        GPU Max Operating T.Limit Temp    : 0 C
        GPU Target Temperature            : N/A
GPU 00000000:1A:00.0
    Temperature
        GPU Current Temp                  : 33 C
        GPU T.Limit Temp                  : N/A
        GPU Slowdown T.Limit Temp         : -2 C
"""


def test_where_only_margins_are_told() -> None:
    assert smi_text.slowdown_temperatures(MARGINS.splitlines()) == {"00000000:19:00.0": (89.0, True)}


FIELDS = ("index", "uuid", "pci.bus_id", "name", "utilization.gpu", "memory.total", "memory.used", "mig.mode.current")
ROWS = (
    "0, GPU-a, 00000000:19:00.0, NVIDIA H200, [N/A], [N/A], [N/A], Enabled",
    "1, GPU-b, 00000000:1A:00.0, NVIDIA H200, 5, 143771, 10, Disabled",
)
LISTING = (
    "GPU 0: NVIDIA H200 (UUID: GPU-a)",
    "  MIG 3g.71gb     Device  0: (UUID: MIG-x)",
    "  MIG 1g.18gb+me  Device  1: (UUID: MIG-y)",
    "GPU 1: NVIDIA H200 (UUID: GPU-b)",
)


def split_machine() -> SmiMemory:
    memory = SmiMemory()
    memory.fields = FIELDS
    sections = {
        "gpus": Section(0, ROWS),
        "apps": Section(0, ("77, GPU-a, 20, python", "78, MIG-y, 30, vllm", "77, MIG-x, 20, python")),
        "instances": Section(0, tuple(NEWER.splitlines())),
        "version": Section(0, ()),
        "temperatures": Section(0, tuple(MARGINS.splitlines())),
        "devices": Section(0, LISTING),
    }
    assert not memory.take(Answer(1, sections), 10.0)
    return memory


def test_mig_devices_have_their_memory_and_their_processes() -> None:
    memory = split_machine()
    first, second = memory.views(0.0, 512 * 2**30)
    assert memory.split
    assert first.mig == (
        MigInstance(0, "MIG-x", "3g.71gb", 1, 0, 26 * MIB, 11968 * MIB),
        MigInstance(1, "MIG-y", "1g.18gb+me", 5, 0, 13 * MIB, 5952 * MIB),
    )
    assert second.mig == ()
    assert [(p.pid, p.memory_bytes) for p in first.processes or ()] == [(77, 20 * MIB), (78, 30 * MIB)]
    assert second.processes == ()


def test_a_split_gpu_that_does_not_tell_its_memory_has_not_the_machines() -> None:
    first, _ = split_machine().views(0.0, 512 * 2**30)
    assert (first.unified, first.memory_total_bytes) == (False, None)


def test_a_slowdown_that_was_worked_out_says_so() -> None:
    first, second = split_machine().views(0.0, None)
    assert (first.slowdown_c, second.slowdown_c) == (89.0, None)
    assert f"slowdown temperature: {BY_MARGIN}" in first.problems
    assert all("slowdown" not in problem for problem in second.problems)


@pytest.mark.parametrize("text", ["| 0 1 0 0 | 9999999999MiB / 1MiB |", "|0|1MiB / 1MiB|", "| a b c d | 1MiB / 1MiB |"])
def test_what_is_no_row_of_the_table(text: str) -> None:
    assert smi_text.mig_table([text]) == {}


@given(st.lists(st.from_regex(r"[|]( {1,3}\d{1,5}){1,5} {0,2}[|] *\d{1,12}MiB / *\d{1,12}MiB *[|]", fullmatch=True)))
def test_whatever_is_in_the_table(lines: list[str]) -> None:
    for row in smi_text.mig_table(lines).values():
        assert row.total_bytes is None or row.total_bytes >= 0
    smi_text.mig_devices(lines)


def test_a_driver_without_mig_is_not_asked_for_it() -> None:
    refusal = ['Field "mig.mode.current" is not a valid field to query.']
    assert "mig.mode.current" not in (smi_csv.fields_after(smi_csv.FIELDS, refusal) or ("mig.mode.current",))
