"""Owners are filled in, and what didn't change stays the same object."""

from __future__ import annotations

from dataclasses import replace

from fakes import GIB, endpoint_view, gpu, host_view, model
from quarterdeck.engine.ownership import Ownership
from quarterdeck.model.gpu import GpuProcess, Holder

QWEN = endpoint_view("qwen", url="http://127.0.0.1:8000", models=(model("qwen3-32b"),))
CORE = GpuProcess(11, 40 * GIB, name="VLLM::EngineCore", engine="vllm", ports=(8000,))
HERE = host_view("here", gpu(0, processes=(CORE,)))
BARE = host_view("bare", gpu(0), source="http://bare:9400/metrics")


def test_owners_are_filled_in() -> None:
    here, bare = Ownership().owned((HERE, BARE), (QWEN,))
    (process,) = here.gpus[0].processes or ()
    assert (process.holder, process.endpoint, process.model) == (Holder.MODEL, "qwen", "qwen3-32b")
    assert bare is BARE


def test_hosts_without_processes_pass_through() -> None:
    hosts = (BARE, host_view("other"))
    assert Ownership().owned(hosts, (QWEN,)) is hosts


def test_what_did_not_change_stays_the_same_object() -> None:
    ownership = Ownership()
    hosts = (HERE, BARE)
    first = ownership.owned(hosts, (QWEN,))
    assert ownership.owned(hosts, (QWEN,)) is first
    busier = replace(QWEN, running=9)
    assert ownership.owned(hosts, (busier,)) is first, "its load doesn't matter to whose memory it is"
    assert ownership.owned((HERE, BARE), (busier,)) is first


def test_a_new_reading_makes_only_that_host_anew() -> None:
    ownership = Ownership()
    twin = replace(HERE, name="twin", source="ssh")
    first = ownership.owned((HERE, twin), (QWEN,))
    again = ownership.owned((replace(HERE, cpu=0.5), twin), (QWEN,))
    assert again[0] is not first[0]
    assert again[1] is first[1]


def test_an_endpoint_that_comes_or_goes_changes_the_owner() -> None:
    ownership = Ownership()
    ownership.owned((HERE,), (QWEN,))
    (here,) = ownership.owned((HERE,), ())
    (process,) = here.gpus[0].processes or ()
    assert process.holder is Holder.OTHER
    (here,) = ownership.owned((HERE,), (replace(QWEN, models=(model("other"),)),))
    assert (here.gpus[0].processes or ())[0].model == "other"
