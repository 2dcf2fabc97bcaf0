"""Pages of vLLM 0.6 to 0.32, each read as `prometheus_client.parser` reads it.

0.32 was recorded; 0.6 to 0.12 were written with Python's client library under the names and help texts of those versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from urllib.parse import parse_qs

import pytest

from fake_servers import Asked
from polling import facts_of, poll_once, watching
from quarterdeck.demo.job import Profile
from quarterdeck.demo.vllm import VllmServer, VllmSpec
from quarterdeck.endpoints.vllm import NO_STATS
from quarterdeck.model.reading import EngineReading, Facts, Histogram, Outcome
from recorded import Sample, recorded, samples

WHOLE = ("running", "waiting")
V0_6 = {
    "running": "vllm:num_requests_running",
    "waiting": "vllm:num_requests_waiting",
    "kv_used": "vllm:gpu_cache_usage_perc",
    "generation_tokens": "vllm:generation_tokens_total",
    "prompt_tokens": "vllm:prompt_tokens_total",
    "finished": "vllm:request_success_total",
    "preemptions": "vllm:num_preemptions_total",
    "reported_hit_rate": "vllm:gpu_prefix_cache_hit_rate",
    "draft_tokens": "vllm:spec_decode_num_draft_tokens_total",
    "accepted_tokens": "vllm:spec_decode_num_accepted_tokens_total",
    "reported_acceptance": "vllm:spec_decode_draft_acceptance_rate",
    "ttft": "vllm:time_to_first_token_seconds_bucket",
    "itl": "vllm:time_per_output_token_seconds_bucket",
    "e2e": "vllm:e2e_request_latency_seconds_bucket",
    "queue": "vllm:time_in_queue_requests_bucket",
    "kv_capacity_tokens": "vllm:cache_config_info",
}
V0_8 = {
    **{name: V0_6[name] for name in V0_6 if not name.startswith(("reported", "draft", "accepted"))},
    "cache_queries": "vllm:gpu_prefix_cache_queries_total",
    "cache_hits": "vllm:gpu_prefix_cache_hits_total",
    "queue": "vllm:request_queue_time_seconds_bucket",
    "steps": "vllm:iteration_tokens_total_count",
    "started": "vllm:generation_tokens_created",
}
V0_10 = V0_8 | {
    "kv_used": "vllm:kv_cache_usage_perc",
    "cache_queries": "vllm:prefix_cache_queries_total",
    "cache_hits": "vllm:prefix_cache_hits_total",
}
V0_12 = V0_10 | {
    "itl": "vllm:inter_token_latency_seconds_bucket",
    "draft_tokens": "vllm:spec_decode_num_draft_tokens_total",
    "accepted_tokens": "vllm:spec_decode_num_accepted_tokens_total",
}
V0_32 = {
    **{name: V0_12[name] for name in V0_12 if not name.startswith(("draft", "accepted"))},
    "waiting_by_reason": "vllm:num_requests_waiting_by_reason",
    "cached_tokens": "vllm:prompt_tokens_cached_total",
}
IN_PROCESSES = {name: V0_32[name] for name in V0_32 if name != "started"}


def data_parallel(ranks: int, *, api_servers: bool) -> bytes:
    """A page of the simulated vLLM under load, with the names of 0.32."""
    spec = VllmSpec("qwen3-32b", "/models/q", Profile(arrivals=9.0, max_seqs=4), ranks, multiprocess=api_servers)
    server = VllmServer(spec, "ranks", lambda: 0.0, lambda: 1.7953704e9, -200.0)
    return server.metrics()


def without_total(page: bytes) -> bytes:
    """As a client library writes it that leaves the suffix of counters out."""
    return re.sub(rb"_total(\{| counter| [A-Z])", rb"\1", page)


PAGES: dict[str, tuple[bytes, Mapping[str, str]]] = {
    "0.6": (recorded("vllm/0.6.txt"), V0_6),
    "0.8": (recorded("vllm/0.8.txt"), V0_8),
    "0.10": (recorded("vllm/0.10.txt"), V0_10),
    "0.12": (recorded("vllm/0.12.txt"), V0_12),
    **{
        f"0.32 {name}": (recorded(f"vllm/0.32/{name}.txt"), V0_32)
        for name in ("load", "kvpressure", "kvpressure_end", "lora_load", "lora_sleeping")
    },
    "0.8, without _total": (without_total(recorded("vllm/0.8.txt")), V0_8),
    "--disable-log-stats": (recorded("vllm/no_log_stats.txt"), {}),
    "8 ranks": (data_parallel(8, api_servers=False), V0_32),
    "8 ranks, several API servers": (data_parallel(8, api_servers=True), IN_PROCESSES),
}


def of_engine(found: list[Sample], name: str, rank: str) -> list[tuple[dict[str, str], float]]:
    """Samples of one engine, whichever way the full parser names counters without ``_total``."""
    return [
        (dict(labels), number)
        for sample, labels, number in found
        if sample in (name, f"{name}_total") and dict(labels).get("engine", "0") == rank
    ]


def field_by_oracle(field: str, rows: list[tuple[dict[str, str], float]]) -> object:
    """What the field must be; every page here has one label set an engine."""
    if field in ("ttft", "itl", "e2e", "queue"):
        ordered = sorted((float(labels["le"]), number) for labels, number in rows)
        return Histogram(tuple(bound for bound, _ in ordered), tuple(number for _, number in ordered))
    if field == "kv_capacity_tokens":
        ((labels, _),) = rows
        said = labels.get("kv_cache_size_tokens")
        return int(said) if said else int(labels["num_gpu_blocks"]) * int(labels["block_size"])
    if field == "finished":
        return tuple(sorted((labels["finished_reason"], number) for labels, number in rows))
    if field == "waiting_by_reason":
        return tuple(sorted((labels["reason"], int(number)) for labels, number in rows))
    ((_, number),) = rows
    return int(number) if field in WHOLE else number


def by_oracle(page: bytes, names: Mapping[str, str]) -> tuple[EngineReading, ...]:
    """The readings, by `prometheus_client.parser` and the names of that version."""
    found = samples(page.decode())
    running = [dict(labels) for sample, labels, _ in found if sample == "vllm:num_requests_running"]
    readings = []
    for rank in sorted({labels.get("engine", "0") for labels in running}, key=int):
        known = {field: field_by_oracle(field, of_engine(found, name, rank)) for field, name in names.items()}
        readings.append(EngineReading(rank, **known))  # type: ignore[arg-type]
    refused = [number for sample, _, number in found if sample == "vllm:admission_rejections_total"]
    if refused:
        readings[0] = replace(readings[0], finished=tuple(sorted((*readings[0].finished, ("rejected", sum(refused))))))
    return tuple(readings)


def in_order(engines: tuple[EngineReading, ...]) -> tuple[EngineReading, ...]:
    return tuple(
        replace(e, finished=tuple(sorted(e.finished)), waiting_by_reason=tuple(sorted(e.waiting_by_reason)))
        for e in engines
    )


async def facts_from(page: bytes) -> Facts:
    reading = await poll_once({"/metrics": page, "/v1/models": recorded("vllm/models.json")}, "vllm")
    assert (reading.outcome, reading.reason) == (Outcome.ANSWERED, "")
    return facts_of(reading)


@pytest.mark.parametrize("version", PAGES)
async def test_the_page_of_every_version_is_read_as_the_full_parser_reads_it(version: str) -> None:
    page, names = PAGES[version]
    expected = by_oracle(page, names)
    facts = await facts_from(page)
    assert in_order(facts.engines) == expected
    assert [engine.label for engine in facts.engines] == [engine.label for engine in expected]
    assert [note for note in facts.notes if not note.startswith("asleep")] == ([] if expected else [NO_STATS])
    assert facts.sleeping == any(note.startswith("asleep") for note in facts.notes) == version.endswith("sleeping")
    assert not any(engine.cached_apart for engine in facts.engines)


@pytest.mark.parametrize("version", PAGES)
async def test_every_field_says_which_series_it_came_from(version: str) -> None:
    page, names = PAGES[version]
    facts = await facts_from(page)
    on_page = {sample for sample, _, _ in samples(page.decode())} | {
        line.partition(" ")[0].partition("{")[0] for line in page.decode().split("\n")
    }
    of_fields = {
        field: origin for field, origin in facts.origins.items() if field in {f.name for f in fields(EngineReading)}
    }
    assert set(of_fields) == set(names)
    for field, origin in of_fields.items():
        path, name = origin.split(" ")[:2]
        assert (path, name in (names[field], names[field].removesuffix("_total"))) == ("/metrics", True)
        assert name in on_page
    assert facts.origins["version"] == "/version"
    assert ("kv_capacity_tokens" in facts.estimates) == (version[:3] in ("0.6", "0.8", "0.1"))


def narrowed(page: bytes, asked: Asked, *, api_servers: bool) -> bytes:
    """What `?name[]=` brings from Python's client: these samples, or nothing where several processes serve."""
    wanted = set(parse_qs(asked.target.partition("?")[2]).get("name[]", []))
    if not wanted:
        return page
    lines = [] if api_servers else page.split(b"\n")
    return b"\n".join(line for line in lines if line.partition(b"{")[0].decode() in wanted) + b"\n"


@pytest.mark.parametrize("version", PAGES)
async def test_the_narrowed_page_tells_the_same(version: str) -> None:
    page, names = PAGES[version]
    several = version.endswith("API servers")
    listing = {"/v1/models": recorded("vllm/models.json")}

    def serve(asked: Asked) -> object:
        return narrowed(page, asked, api_servers=several) if asked.path == "/metrics" else listing.get(asked.path)

    async with watching(serve, "vllm") as watch:
        whole = facts_of(await watch.poll())
        for _ in range(4):
            facts = facts_of(await watch.poll())
            assert replace(facts, measured_at=whole.measured_at) == whole
        asked = [target for target in watch.server.targets if target.startswith("/metrics")]
    queries = ["?" in target for target in asked]
    if several:
        assert queries == [False, True, False, False, False, False]
    else:
        assert queries == [False, *([bool(names)] * 4)]


@pytest.mark.parametrize("version", [name for name in PAGES if name != "--disable-log-stats"])
def test_the_pages_hold_numbers_worth_reading(version: str) -> None:
    """So that no test here compares nothing with nothing."""
    page, names = PAGES[version]
    readings = by_oracle(page, names)
    for engine in readings:
        for field in names:
            assert getattr(engine, field) not in (None, ()), field
        assert engine.generation_tokens
        assert engine.ttft is not None
        assert len(engine.ttft.bounds) > 10
        assert engine.kv_capacity_tokens
    if "end" not in version and "sleeping" not in version:
        assert sum(engine.running or 0 for engine in readings) > 0
        assert any(engine.itl.counts[-1] > 0 for engine in readings if engine.itl is not None)


async def test_the_newest_name_counts_where_a_page_has_both() -> None:
    page = recorded("vllm/0.12.txt").decode()
    both = page + "\n".join(
        line.replace("inter_token_latency", "time_per_output_token").rpartition(" ")[0] + " 99"
        for line in page.split("\n")
        if line.startswith("vllm:inter_token_latency_seconds_bucket")
    )
    both += '\nvllm:gpu_cache_usage_perc{engine="0",model_name="qwen3-8b"} 0.99\n'
    assert in_order((await facts_from(both.encode())).engines) == by_oracle(page.encode(), V0_12)


async def test_cached_tokens_by_source_are_all_that_was_not_computed_here() -> None:
    whole = recorded("vllm/0.32/load.txt").decode()
    page = "\n".join(line for line in whole.split("\n") if "vllm:prompt_tokens_cached" not in line)
    sources = {"local_compute": 70, "local_cache_hit": 40, "external_kv_transfer": 3}
    lines = [
        f'vllm:prompt_tokens_by_source_total{{engine="0",model_name="m",source="{source}"}} {count}'
        for source, count in sources.items()
    ]
    kept = [line for line in page.split("\n") if "vllm:prompt_tokens_by_source_total" not in line]
    facts = await facts_from("\n".join([*kept, *lines, ""]).encode())
    assert facts.engines[0].cached_tokens == sources["local_cache_hit"] + sources["external_kv_transfer"]
    assert facts.origins["cached_tokens"] == "/metrics vllm:prompt_tokens_by_source_total"
