"""Whether a model fits the memory that is free: pure findings from hand-made machines."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fakes import GIB, endpoint_view, gpu, host_view, model
from quarterdeck.engine.preflight.check import Check, told
from quarterdeck.engine.preflight.facts import ModelFacts
from quarterdeck.engine.preflight.freeing import deleting, stopping, unloading
from quarterdeck.engine.preflight.loading import loading
from quarterdeck.engine.preflight.machine import Machine, is_loopback, machine
from quarterdeck.model.estimate import Architecture, Kind, Layer, Unknown
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.gpu import MigInstance
from quarterdeck.model.models import ModelReading, ModelState

LLAMA_8B = Architecture(
    "llama",
    (Layer(Kind.FULL, 8, 128, 128),) * 32,
    heads=32,
    vocab_size=128_256,
    max_context=131_072,
    parameters=8_030_261_248,
)
FACTS = ModelFacts(LLAMA_8B, 4_920_000_000, "Q4_K_M")
NOTHING_TOLD = ModelFacts(Unknown(("its layers and heads",)), 4_920_000_000)


def ollama(*models: ModelReading, **known: Any) -> EndpointView:
    return endpoint_view("mac", **({"engine": "ollama", "models": models} | known))


def box(*free: float, total: float = 24.0, **known: Any) -> Machine:
    return machine(host_view("box", *(gpu(place, used=total - each, total=total) for place, each in enumerate(free)), **known))  # fmt: skip


def load(
    there: Machine,
    context: int | None = 8192,
    facts: ModelFacts = FACTS,
    view: EndpointView | None = None,
    of: ModelReading | None = None,
) -> list[Check]:
    return told(loading(view or ollama(), of, facts, there, context))


def test_what_fits_says_numbers_bounds_and_method() -> None:
    [found] = load(box(20))
    assert found.level == "ok"
    assert "needs ~6.3 GiB (" in found.text
    assert "by file size + KV cache in f16, 1 × 8192 tokens" in found.text
    assert "20.0 GiB are free on box's GPU: it fits" in found.text
    # (20 GiB − 0.69 − 4.58) / 128 KiB
    assert "would with up to 120576 tokens" in found.text


def test_what_spills_says_how_much_and_which_context_would_fit() -> None:
    [found] = load(box(8), 65_536)
    assert found.level == "warn"
    assert "of it stays in RAM (" in found.text
    assert found.text.endswith("try a context of 22272")


def test_what_neither_memory_holds_is_bad() -> None:
    [found] = load(box(8, memory_used_bytes=127 * GIB), 65_536)
    assert found.level == "bad"
    assert "would stay in RAM, 1.0 GiB are free there" in found.text


def test_a_close_call_is_no_promise() -> None:
    [found] = load(box(6.4))
    assert found.level == "warn"
    assert "just fits, or just doesn't" in found.text


def test_several_gpus_are_added_up() -> None:
    [found] = load(box(6, 6))
    assert found.level == "ok"
    assert "12.0 GiB are free on box's 2 GPUs" in found.text


def test_an_unknown_shape_is_named_and_the_weights_are_told() -> None:
    [enough] = load(box(20), facts=NOTHING_TOLD)
    assert enough.level == "unknown"
    assert "its weights need ~4.6 GiB (4.4 GiB – 4.7 GiB) (by file size)" in enough.text
    assert "not known: its layers and heads" in enough.text
    [short] = load(box(4), facts=NOTHING_TOLD)
    assert short.level == "warn"


def test_an_unknown_machine_is_named() -> None:
    elsewhere = Machine("its machine", unknown=("which machine mac runs on: its [[endpoint]] names no host",))
    first, second = load(elsewhere)
    assert {first.level, second.level} == {"unknown"}
    assert "which machine mac runs on" in first.text
    assert second.text.endswith("whether that is free is not known")


def test_nothing_known_at_all_is_one_unknown_more() -> None:
    found = load(Machine("x", unknown=("the memory of x",)), facts=ModelFacts(Unknown(("everything",))))
    assert [each.level for each in found] == ["unknown", "unknown"]
    assert "everything" in found[1].text


def test_without_gpus_it_is_system_memory() -> None:
    [found] = load(machine(host_view("box", reason="no NVIDIA driver on this machine")))
    assert found.level == "ok"
    assert "no GPU is seen on box, so all of it is in system memory: 73.0 GiB are free there" in found.text
    [bad] = load(machine(host_view("box", memory_used_bytes=126 * GIB)))
    assert bad.level == "bad"
    [unknown] = load(machine(host_view("box", memory_used_bytes=None)))
    assert unknown.level == "unknown"


def test_a_driver_that_hangs_is_not_the_same_as_no_gpu() -> None:
    found = load(machine(host_view("box", reason="the NVIDIA driver does not answer")))
    assert "the memory of box: the NVIDIA driver does not answer" in found[0].text
    assert {each.level for each in found} == {"unknown"}


# ---- context


@pytest.mark.parametrize(
    ("view", "facts", "there", "words"),
    [
        (ollama(), FACTS, box(24), "with 32768 tokens of context (Ollama's default for 24.0 GiB of GPU memory"),
        (ollama(), FACTS, box(24, 24), "with 131072 tokens of context (all that it was made for"),
        (ollama(), FACTS, box(8, total=8.0), "with 4096 tokens of context (Ollama's default for 8.0 GiB"),
        (ollama(), ModelFacts(LLAMA_8B, 10**9, context=2048), box(24), "with 2048 tokens of context (by its own settings"),
        (
            ollama(model("other", context_length=12_288, vram_bytes=GIB)),
            FACTS,
            box(20),
            "with 12288 tokens of context (as the server gave another model",
        ),
        (ollama(engine="llamacpp"), FACTS, box(24), "with 4096 tokens of context (assumed"),
    ],
)  # fmt: skip
def test_the_context_is_the_servers_where_nobody_chose(
    view: EndpointView, facts: ModelFacts, there: Machine, words: str
) -> None:
    assert any(words in each.text for each in load(there, None, facts, view))


def test_what_is_loaded_with_that_context_stays() -> None:
    here = model("a", context_length=8192, vram_bytes=6 * GIB, size_bytes=6 * GIB)
    [found] = load(box(1), 8192, view=ollama(here), of=here)
    assert (found.level, found.text[:20]) == ("ok", "is in memory already")


def test_another_context_loads_it_again_in_its_own_place() -> None:
    here = model("a", context_length=4096, vram_bytes=6 * GIB, size_bytes=6 * GIB)
    [found] = load(box(4), 8192, view=ollama(here), of=here)
    assert "10.0 GiB are or become free" in found.text
    assert found.level == "ok"


# ---- what goes for it


def test_an_ollama_evicts_those_whose_time_is_up_soonest() -> None:
    soon = model("soon", vram_bytes=5 * GIB, expires_at=100.0)
    late = model("late", vram_bytes=9 * GIB, expires_at=900.0)
    pinned = model("pinned", vram_bytes=3 * GIB, expires_at=math.inf)
    first, second = load(box(4), view=ollama(pinned, late, soon))
    assert first.level == "warn"
    assert "would probably evict soon from mac, 5.0 GiB of GPU memory" in first.text
    assert "9.0 GiB are or become free" in second.text
    assert second.level == "ok"
    all_of_them = load(box(1), 65_536, view=ollama(pinned, late, soon))
    assert any("evict soon, late, pinned (pinned: pinned)" in each.text for each in all_of_them)


def test_an_ollama_with_room_evicts_nobody() -> None:
    assert [each.level for each in load(box(20), view=ollama(model("other", vram_bytes=GIB)))] == ["ok"]


def test_the_router_keeps_so_many() -> None:
    router = endpoint_view(
        "r", engine="llamacpp", models=(model("a"), model("b")), identity=(("most models at once", "2"),)
    )
    found = load(box(20), view=router, facts=NOTHING_TOLD)
    assert any("would evict the one of a, b that was used longest ago" in each.text for each in found)
    roomy = endpoint_view("r", engine="llamacpp", models=(model("a"),), identity=(("most models at once", "2"),))
    assert not any("evict" in each.text for each in load(box(20), view=roomy, facts=NOTHING_TOLD))


def test_a_llama_swap_takes_turns() -> None:
    found = load(box(20), view=endpoint_view("s", engine="llama-swap", models=(model("a"),)), facts=NOTHING_TOLD)
    assert any("may stop a" in each.text for each in found)


def test_cloud_models_take_nothing() -> None:
    [found] = load(box(1), facts=ModelFacts(Unknown(("x",)), elsewhere=True))
    assert found.level == "ok"


# ---- machines


def test_reserved_memory_is_not_free() -> None:
    [card] = machine(host_view("box", gpu(0, used=10, total=24, memory_reserved_bytes=GIB))).cards
    assert (card.free, card.total) == (13 * GIB, 24 * GIB)


def test_a_split_gpu_is_its_largest_free_slice() -> None:
    slices = (
        MigInstance(0, memory_used_bytes=GIB, memory_total_bytes=10 * GIB),
        MigInstance(1, memory_used_bytes=0, memory_total_bytes=20 * GIB),
        MigInstance(2),
    )
    [card] = machine(host_view("box", gpu(0, mig=slices))).cards
    assert (card.free, card.total) == (20 * GIB, 20 * GIB)


def test_unified_memory_is_the_machines() -> None:
    apple = machine(host_view("mac", gpu(0, used=10, total=96, unified=True), memory_used_bytes=100 * GIB))
    assert apple.free == [28 * GIB]
    assert apple.memory == "of mac's unified memory"
    spark = machine(host_view("spark", gpu(0, memory_used_bytes=None, memory_total_bytes=None, unified=True)))
    assert (spark.free, spark.totals) == ([73 * GIB], [128 * GIB])


def test_lost_and_untold_gpus_are_named() -> None:
    found = machine(host_view("box", gpu(0, lost=True), gpu(1, memory_used_bytes=None), gpu(2)))
    assert [card.index for card in found.cards] == [2]
    assert found.unknown == ("the free memory of box's GPU 0 (it is lost)", "the free memory of box's GPU 1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost", True),
        ("http://[::1]:2", True),
        ("http://10.0.0.1", False),
        ("http://[", False),
    ],
)
def test_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


# ---- what is given back


def test_unloading_frees_gpu_and_system_memory() -> None:
    spilled = model("a", vram_bytes=10 * GIB, size_bytes=12 * GIB)
    assert unloading([spilled, model("b", ModelState.INSTALLED)]) == [
        Check("ok", "frees 10.0 GiB of GPU memory and 2.0 GiB of system memory")
    ]
    assert unloading([model("b", ModelState.INSTALLED)]) == []
    assert unloading([model("c")]) == [Check("unknown", "not known: how much memory c would free")]


def test_deleting_frees_disk() -> None:
    assert deleting(None, None)[0].level == "unknown"
    assert "frees up to 4.6 GiB on disk" in deleting(model("a", ModelState.INSTALLED), 4_920_000_000)[0].text


def test_stopping_frees_what_its_processes_hold() -> None:
    assert stopping(10 * GIB, "v", "stop") == [Check("ok", "frees 10.0 GiB of GPU memory, which its processes hold")]
    assert "are discarded" in stopping(GIB, "v", "sleep", "2")[0].text
    assert "move to system memory" in stopping(GIB, "v", "sleep", "1")[0].text
    assert stopping(None, "v", "stop")[0].level == "unknown"


def test_the_gravest_is_told_first_and_without_control_characters() -> None:
    found = told([Check("ok", "a"), Check("unknown", "b"), Check("bad", "c\x1b[31m"), Check("warn", "d"), Check("ok", "a")])  # fmt: skip
    assert found == [Check("bad", "c"), Check("warn", "d"), Check("unknown", "b"), Check("ok", "a")]
