"""The metrics pages of the fleet over simulated hours: readable for Prometheus, consistent, repeatable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from quarterdeck.demo.exporter import ExporterServer
from quarterdeck.demo.page import Template, labels, number
from quarterdeck.demo.scenario import LOOP_S, SCRIPT, Scenario, Trouble
from quarterdeck.demo.world import World

NewWorld = Callable[..., World]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def pages(world: World) -> dict[str, bytes]:
    world.advance(world.clock())
    exporters = {node.member.name: node.server for node in world.nodes if isinstance(node.server, ExporterServer)}
    said = {"qwen": world.qwen.metrics(), "llama": world.llama.metrics(), "pilot": world.pilot.metrics()}
    return {**said, **{name: server.metrics() for name, server in exporters.items()}}


def samples(page: bytes) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def counters(found: Samples) -> Samples:
    kinds = ("_total", "_count", "_sum", "_bucket")
    return {key: value for key, value in found.items() if key[0].endswith(kinds)}


def total(found: Samples, name: str, **wanted: str) -> float:
    return sum(v for (n, pairs), v in found.items() if n == name and wanted.items() <= dict(pairs).items())


def check_vllm(found: Samples, engines: int) -> None:
    for engine in range(engines):
        check_engine(found, str(engine))
    series: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[float, float]]] = {}
    for (name, pairs), value in found.items():
        if name.endswith("_bucket"):
            rest = tuple(pair for pair in pairs if pair[0] != "le")
            series.setdefault((name.removesuffix("_bucket"), rest), []).append((float(dict(pairs)["le"]), value))
    for (name, rest), buckets in series.items():
        counts = [value for _, value in sorted(buckets)]
        assert counts == sorted(counts)
        assert counts[-1] == found[f"{name}_count", rest]
        assert counts[-1] > 0 or found[f"{name}_sum", rest] == 0


def check_engine(found: Samples, engine: str) -> None:
    def get(name: str) -> float:
        return total(found, f"vllm:{name}", engine=engine)

    assert 0 <= get("kv_cache_usage_perc") <= 1
    assert get("num_requests_waiting") == get("num_requests_waiting_by_reason") >= 0
    assert get("e2e_request_latency_seconds_count") == get("request_success_total")
    assert get("request_generation_tokens_count") == get("request_success_total")
    first, tokens = get("time_to_first_token_seconds_count"), get("generation_tokens_total")
    assert get("inter_token_latency_seconds_count") == tokens - first
    assert get("prompt_tokens_by_source_total") == get("prompt_tokens_total")


def check_host(found: Samples, memory_mib: dict[str, float]) -> None:
    for gpu, whole in memory_mib.items():
        parts = [total(found, f"DCGM_FI_DEV_FB_{part}", gpu=gpu) for part in ("FREE", "USED", "RESERVED")]
        assert sum(parts) == whole
        assert min(parts) >= 0
        assert 0 <= total(found, "DCGM_FI_DEV_GPU_UTIL", gpu=gpu) <= 100
        assert 20 <= total(found, "DCGM_FI_DEV_GPU_TEMP", gpu=gpu) <= 90
        watts = total(found, "DCGM_FI_DEV_POWER_USAGE", gpu=gpu)
        assert 0 < watts <= total(found, "DCGM_FI_DEV_POWER_MGMT_LIMIT", gpu=gpu)
    available = total(found, "node_memory_MemAvailable_bytes")
    assert 0 < available < total(found, "node_memory_MemTotal_bytes")


def fell(before: Samples, after: Samples) -> set[str]:
    return {key[0] for key, value in counters(before).items() if after[key] < value}


def test_an_hour_of_a_calm_fleet(new_world: NewWorld, hand: Any) -> None:
    world, before = new_world(), dict[str, Samples]()
    for _ in range(15):
        hand.now += 240
        now = {name: samples(page) for name, page in pages(world).items()}
        check_vllm(now["qwen"], 4)
        check_vllm(now["llama"], 1)
        check_host(now["rotterdam"], dict.fromkeys("0123", 81_559.0))
        check_host(now["antwerp"], dict.fromkeys("012", 46_068.0))
        check_host(now["piraeus"], {"0": 24_564.0})
        for name, was in before.items():
            assert fell(was, now[name]) == set()
        assert not any(node.server.down for node in world.nodes)
        assert not world.meridian.rotated
        assert not any(load.stalled for load in world.qwen.loads)
        assert total(now["llama"], "vllm:num_requests_waiting") < 20
        before = now
    assert total(before["llama"], "vllm:request_success_total") > 1500


def test_gpus_follow_the_load(new_world: NewWorld, hand: Any) -> None:
    world = new_world()
    for load in world.qwen.loads:
        load.boost = 0.0
    hand.now += 120
    idle = samples(pages(world)["rotterdam"])
    assert total(idle, "DCGM_FI_DEV_GPU_UTIL") == 0
    for load in world.qwen.loads:
        load.boost = 4.0
    hand.now += 120
    busy = samples(pages(world)["rotterdam"])
    for gpu in "0123":
        assert total(busy, "DCGM_FI_DEV_GPU_UTIL", gpu=gpu) > 80
        for name in ("POWER_USAGE", "GPU_TEMP"):
            assert total(busy, f"DCGM_FI_DEV_{name}", gpu=gpu) > total(idle, f"DCGM_FI_DEV_{name}", gpu=gpu) + 20
        memory = total(idle, "DCGM_FI_DEV_FB_USED", gpu=gpu)
        assert memory == total(busy, "DCGM_FI_DEV_FB_USED", gpu=gpu) == pytest.approx(0.92 * 81_559, rel=0.01)


def test_the_first_trouble_shows_within_twenty_seconds(new_world: NewWorld, hand: Any) -> None:
    world = new_world(calm=False)
    hand.now += 20
    found = samples(pages(world)["llama"])
    assert total(found, "vllm:num_requests_waiting") > 3
    assert total(found, "vllm:num_requests_running") > 20
    hand.now += 12
    assert total(samples(pages(world)["llama"]), "vllm:num_requests_waiting") > 20
    hand.now += 40
    assert total(samples(pages(world)["llama"]), "vllm:num_requests_waiting") < 5


def scene(trouble: Trouble) -> tuple[float, float]:
    return next((scene.start, scene.end) for scene in SCRIPT if scene.trouble is trouble)


def test_the_stall(new_world: NewWorld, hand: Any) -> None:
    world, start = new_world(calm=False), hand.now
    begin, end = scene(Trouble.STALL)
    hand.now = start + begin + 5
    was = samples(pages(world)["qwen"])
    hand.now = start + end - 1
    now = samples(pages(world)["qwen"])
    for name in ("vllm:generation_tokens_total", "vllm:prompt_tokens_total", "vllm:request_success_total"):
        assert total(now, name) == total(was, name)
    assert total(now, "vllm:num_requests_waiting") > total(was, "vllm:num_requests_waiting") > 0
    assert total(samples(pages(world)["rotterdam"]), "DCGM_FI_DEV_GPU_UTIL") == 400
    hand.now = start + end + 20
    after = samples(pages(world)["qwen"])
    check_vllm(after, 4)
    assert total(after, "vllm:generation_tokens_total") > total(now, "vllm:generation_tokens_total")


def test_the_restart(new_world: NewWorld, hand: Any) -> None:
    world, start = new_world(calm=False), hand.now
    begin, end = scene(Trouble.RESTART)
    hand.now = start + begin - 1
    was = samples(pages(world)["llama"])
    hand.now = start + begin + 1
    gone = samples(pages(world)["antwerp"])
    assert world.llama.down
    assert total(gone, "DCGM_FI_DEV_FB_USED", gpu="0") < 100
    assert total(gone, "DCGM_FI_DEV_GPU_UTIL", gpu="0") == 0
    hand.now = start + end + 8
    now = samples(pages(world)["llama"])
    assert not world.llama.down
    assert total(now, "vllm:generation_tokens_total") < total(was, "vllm:generation_tokens_total")
    for name in ("process_start_time_seconds", "vllm:generation_tokens_created"):
        assert total(now, name) == pytest.approx(total(was, name) + 1200 + end, abs=1)
    assert fell(gone, samples(pages(world)["antwerp"])) == set()
    check_vllm(now, 1)


def test_the_key_and_the_reload(new_world: NewWorld, hand: Any) -> None:
    world, start = new_world(calm=False), hand.now
    hand.now = start + scene(Trouble.KEY)[0] + 1
    world.advance(hand.now)
    assert world.meridian.rotated
    hand.now = start + scene(Trouble.KEY)[1] + 1
    world.advance(hand.now)
    assert not world.meridian.rotated
    hand.now = start + scene(Trouble.RELOAD)[1] + 1
    world.advance(hand.now)
    assert world.pilot.loading_left_s > 0
    assert b"llamacpp:tokens_predicted_total 0\n" in world.pilot.metrics()
    hand.now += 10
    assert world.pilot.loading_left_s == 0


def test_the_script_loops_and_hands_out_each_change_once() -> None:
    scenario = Scenario()
    first = scenario.due(LOOP_S)
    assert len(first) == 2 * len(SCRIPT)
    assert scenario.due(LOOP_S) == []
    second = scenario.due(2 * LOOP_S)
    assert [(c.at - LOOP_S, c.trouble, c.on) for c in second] == [(c.at, c.trouble, c.on) for c in first]
    assert [c.at for c in first] == sorted(c.at for c in first)
    assert Scenario(calm=True).due(1e9) == []
    assert min(scene.start for scene in SCRIPT) < 20 < LOOP_S


def test_the_seed_decides_every_page(new_world: NewWorld, hand: Any) -> None:
    start = hand.now
    said = []
    for seed in (1, 1, 2):
        hand.now = start
        world = new_world(seed=seed, calm=False)
        seen = []
        for elapsed in (10, 33, 90, 140, 260):
            hand.now = start + elapsed
            seen.append(pages(world))
        said.append(seen)
    assert said[0] == said[1]
    assert said[0][0]["llama"] != said[2][0]["llama"]


def test_names_narrow_the_page(new_world: NewWorld) -> None:
    world = new_world()
    names = ("vllm:num_requests_running", "vllm:time_to_first_token_seconds_count", "vllm:nope")
    found = samples(world.llama.metrics(names))
    assert {key[0] for key in found} == set(names[:2])
    assert world.qwen.metrics(names) == b""  # several API servers: the registry can't tell names


def test_several_api_servers_show_no_process(new_world: NewWorld) -> None:
    page = new_world().qwen.metrics()
    assert b"_created" not in page
    assert b"process_" not in page
    assert b'engine="3"' in page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.0"),
        (3, "3.0"),
        (0.25, "0.25"),
        (999_999, "999999.0"),
        (1_000_000, "1e+06"),
        (1_795_363_393.5147, "1.7953633935147e+09"),
        (10_000_001, "1.0000001e+07"),
        (float("inf"), "+Inf"),
    ],
)
def test_numbers_as_the_client_writes_them(value: float, text: str) -> None:
    assert number(value) == text
    assert float(number(value)) == value


def test_labels_are_sorted_and_escaped() -> None:
    assert labels() == ""
    assert labels(("b", 'q"\\\n'), ("a", "x")) == '{a="x",b="q\\"\\\\\\n"}'


def test_a_template_renders_values_in_the_order_of_its_slots() -> None:
    template = Template()
    template.family("a", "gauge", "A.")
    template.slot("a", '{x="1"}')
    template.constant("a", '{x="2"}', 5)
    template.family("b", "counter", "B.")
    template.slot("b_total")
    assert template.render([1, 2]) == (
        b'# HELP a A.\n# TYPE a gauge\na{x="1"} 1.0\na{x="2"} 5.0\n# HELP b B.\n# TYPE b counter\nb_total 2.0\n'
    )
    assert template.render([1, 2], ["b_total"]) == b"# HELP b B.\n# TYPE b counter\nb_total 2.0\n"
    assert template.render([1, 2], ["nope"]) == b""
