"""Any bytes and any labels on a vLLM page: nothing raises, nothing absurd comes out, and what is remembered changes nothing."""

from __future__ import annotations

import math
from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.endpoints.vllm_identity import cache_rows, model_rows
from quarterdeck.endpoints.vllm_page import CONFIG, LORA, METRICS, SLEEP, WANTED, Told, VllmPages, narrowed_query
from quarterdeck.format import printable
from quarterdeck.model.reading import EngineReading, Histogram
from recorded import recorded

RELEARNT_WITHIN = 32
texts = st.one_of(
    st.sampled_from(
        ["0", "1", "7", "0.1", "+Inf", "-Inf", "NaN", "awake", "discard_all", "local_compute", "stop", "None", "16"]
    ),
    st.text(max_size=8),
)
LABELS = (
    "engine", "le", "reason", "finished_reason", "source", "sleep_state", "model_name", "pid", "max_lora",
    "running_lora_adapters", "waiting_lora_adapters", "num_gpu_blocks", "block_size", "kv_cache_size_tokens", "cache_dtype",
)  # fmt: skip
numbers = st.one_of(
    st.integers(0, 10**6).map(str),
    st.floats().map(repr),
    st.sampled_from(["NaN", "+Inf", "-Inf", "-1", "1e300", "1.7e9", "3.4e9", "x", ""]),
)
plain = st.one_of(st.integers(0, 10**6).map(str), st.floats().map(repr))
names = st.one_of(st.sampled_from(sorted(WANTED)), st.sampled_from([SLEEP, CONFIG, LORA, "vllm:other"]))


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


@st.composite
def heads(draw: st.DrawFn) -> str:
    pairs = draw(st.dictionaries(st.sampled_from(LABELS), texts, max_size=4))
    return draw(names) + "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in pairs.items()) + "}"


def check_sane(told: Told) -> None:
    for engine in told.engines:
        assert printable(engine.label) == engine.label
        for field in fields(EngineReading):
            check_value(getattr(engine, field.name))
        assert engine.kv_used is None or 0 <= engine.kv_used <= 1
        assert isinstance(engine.running, int | None)
    assert len({engine.label for engine in told.engines}) == len(told.engines)
    for text in (*told.asleep.values(), *(a.name for a in told.adapters), *(value for _, value in told.identity)):
        assert printable(text) == text
    assert told.all_asleep <= bool(told.asleep)


def check_value(value: object) -> None:
    if isinstance(value, Histogram):
        assert list(value.bounds) == sorted(set(value.bounds))
        assert value.bounds[-1] == math.inf
        assert len(value.counts) == len(value.bounds)
        assert all(0 <= count < 1e20 for count in value.counts)
    elif isinstance(value, tuple):
        for part, count in value:
            assert printable(part) == part
            check_value(count)
    elif isinstance(value, int | float):
        assert 0 <= value <= 1e25


@given(st.lists(st.tuples(heads(), numbers), max_size=12))
@settings(max_examples=300)
def test_any_labels_and_numbers_are_survived(rows: list[tuple[str, str]]) -> None:
    body = "\n".join(f"{head} {number}" for head, number in rows).encode("utf-8", "surrogatepass")
    pages = VllmPages()
    told, layout = pages.read(body)
    check_sane(told)
    assert pages.read(body)[0] == told
    query = narrowed_query(layout)
    assert all(f"={name.replace(':', '%3A')}" in query for name in (SLEEP, CONFIG, LORA))


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(body: bytes) -> None:
    pages = VllmPages()
    page = recorded("vllm/idle.txt")
    for mixed in (body, page[:5000] + body, body + page, page.replace(b"1.0", body), body):
        check_sane(pages.read(mixed)[0])
    model_rows(body)
    cache_rows([{"cache_dtype": body.decode("latin-1"), "kv_cache_max_concurrency": body.decode("latin-1")}])


@given(st.lists(heads(), min_size=1, max_size=10), st.data())
def test_remembered_slots_tell_what_a_fresh_reader_tells(lines: list[str], data: st.DataObject) -> None:
    pages = VllmPages()
    for _ in range(data.draw(st.integers(2, 6))):
        changed = False
        match data.draw(st.sampled_from(["values", "values", "drop", "add", "swap"])):
            case "drop" if lines:
                lines, changed = lines[:-1], True
            case "add":
                lines, changed = [*lines, data.draw(heads())], True
            case "swap":
                lines, changed = data.draw(st.permutations(lines)), True
        body = "\n".join(f"{line} {data.draw(plain)}" for line in lines).encode("utf-8", "surrogatepass")
        fresh = VllmPages().read(body)[0]
        told = pages.read(body)[0]
        if changed and told != fresh:  # a wanted line in the place of an unwanted one shows in time
            told = [pages.read(body)[0] for _ in range(RELEARNT_WITHIN)][-1]
        assert told == fresh


def test_every_field_of_the_map_is_one_of_a_reading() -> None:
    known = {field.name for field in fields(EngineReading)}
    assert set(METRICS.names) - set(METRICS.part_of) <= known
    assert set(METRICS.part_of.values()) <= known
    assert set(METRICS.parts) <= known
