"""The filtered reader against `prometheus_client.parser`, on recorded and on generated pages."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.format import printable
from quarterdeck.wire.prometheus import MOST_SERIES, Page, PageReader, Series
from recorded import recorded, samples

VLLM = (
    "vllm:num_requests_running",
    "vllm:kv_cache_usage_perc",
    "vllm:generation_tokens_total",
    "vllm:generation_tokens_created",
    "vllm:time_to_first_token_seconds_bucket",
    "vllm:engine_sleep_state",
    "vllm:cache_config_info",
    "vllm:lora_requests_info",
    "python_info",
)
LLAMA = ("llamacpp:requests_processing", "llamacpp:tokens_predicted_total", "llamacpp:n_busy_slots_per_decode")
Rows = list[tuple[str, tuple[tuple[str, str], ...], str]]


def rows_of(page: Page) -> Rows:
    """The page's samples, comparable (nan included), in any order."""
    rows = [
        (series.name, tuple(sorted(series.labels.items())), repr(value))
        for series, value in zip(page.layout.series, page.values, strict=True)
    ]
    return sorted(rows)


def by_oracle(text: str, wanted: tuple[str, ...]) -> Rows:
    return sorted(
        (name, tuple((key, printable(label)) for key, label in labels), repr(value))
        for name, labels, value in samples(text)
        if name in wanted
    )


PAGES = [
    *(f"vllm/{name}.txt" for name in ("idle", "load_1", "load_2", "after", "kvpressure_1", "lora", "sleeping")),
    *(f"llamacpp/{name}.txt" for name in ("metrics", "metrics_load_1", "metrics_after", "router_metrics_b")),
]


@pytest.mark.parametrize("page", PAGES)
def test_recorded_pages_read_as_the_full_parser_reads_them(page: str) -> None:
    wanted = VLLM if page.startswith("vllm") else LLAMA
    expected = by_oracle(recorded(page).decode(), wanted)
    assert expected
    assert rows_of(PageReader(wanted).read(recorded(page))) == expected


def test_remembered_slots_read_one_recorded_page_after_another() -> None:
    reader = PageReader(VLLM)
    for name in ("idle", "load_1", "load_2", "load_3", "after", "sleeping", "lora", "idle"):
        page = recorded(f"vllm/{name}.txt")
        assert rows_of(reader.read(page)) == by_oracle(page.decode(), VLLM), name


def test_the_layout_is_the_same_object_while_the_page_keeps_its_lines() -> None:
    reader = PageReader(VLLM)
    first, second = reader.read(recorded("vllm/load_2.txt")), reader.read(recorded("vllm/load_3.txt"))
    assert second.layout is first.layout
    assert second.values != first.values


def test_looking_at_the_whole_page_again_keeps_the_layout() -> None:
    reader = PageReader(VLLM)
    pages = [recorded("vllm/load_2.txt"), recorded("vllm/load_3.txt")]
    layouts = {id(reader.read(pages[turn % 2]).layout) for turn in range(100)}
    assert len(layouts) == 1


@pytest.mark.parametrize("after", [b"b 3\na 4\n", b"z 3\na 4\n", b'a{x="1"} 4\nb 3\n', b"z 4\nz 3\n"])
def test_lines_that_changed_places_are_not_read_at_the_old_ones(after: bytes) -> None:
    reader = PageReader(["a", "b"])
    for before in (b"a 1\nb 2\n", b"a 1\nz 2\n"):
        reader.read(before)
        assert rows_of(reader.read(after)) == rows_of(PageReader(["a", "b"]).read(after))


@pytest.mark.parametrize("known", [b'm{x="1"} 5', b"m 5", b"m  5"])
@pytest.mark.parametrize("now", [b"6", b"6 1700000000000", b"6\t17", b"6 x", b"x", b"", b"6 ", b"6}", b"-Inf"])
def test_a_line_whose_head_is_known_is_read_as_by_a_fresh_reader(known: bytes, now: bytes) -> None:
    reader = PageReader(["m"])
    reader.read(known)
    line = known[: known.rindex(b" ") + 1] + now
    for body in (line, b"z 1\n" + line, b"z 1\ny 2\n" + line + b"\nm 7"):
        assert rows_of(reader.read(body)) == rows_of(PageReader(["m"]).read(body))


def test_labels_are_cut() -> None:
    line = b'm{a="' + b"x" * 500 + b'"} 1'
    assert [len(PageReader(["m"]).read(line).layout.series[0].labels["a"])] == [200]
    assert len(PageReader(["m"], longest_label=400).read(line).layout.series[0].labels["a"]) == 400


WANTED = ("a", "b:c_total", "h_bucket")
names = st.sampled_from([*WANTED, "aa", "b", "h_count", "z"])
label_texts = st.text(st.characters(codec="utf-8"), max_size=12)
labels = st.dictionaries(st.sampled_from(["le", "x", "engine", "model_name"]), label_texts, max_size=3)
numbers = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["NaN", "+Inf", "-Inf", "0", "1e3", "1E-9", "00012"]),
)


@st.composite
def heads(draw: st.DrawFn) -> str:
    """A sample line up to its value."""
    name, pairs = draw(names), draw(labels)
    escaped = (
        f'{key}="{text.replace(chr(92), chr(92) * 2).replace(chr(10), chr(92) + "n").replace(chr(34), chr(92) + chr(34))}"'
        for key, text in pairs.items()
    )
    return f"{name}{{{draw(st.sampled_from([',', ', ']).map(lambda sep: sep)).join(escaped)}}}" if pairs else name


@st.composite
def pages(draw: st.DrawFn) -> list[str]:
    """Lines of a page."""
    lines = []
    for head in draw(st.lists(heads(), max_size=8)):
        if draw(st.booleans()):
            lines.append(f"# HELP {head.partition('{')[0]} Some words, braces {{ and }} and \\n")
        stamp = draw(st.sampled_from(["", "", "", " 1700000000000"]))
        lines.append(f"{head}{draw(st.sampled_from([' ', '  ']))}{draw(numbers)}{stamp}")
    return lines


@given(pages(), st.sampled_from(["\n", "\n\n"]), st.booleans())
def test_generated_pages_read_as_the_full_parser_reads_them(lines: list[str], end: str, ended: bool) -> None:
    text = end.join(lines) + (end if ended else "")
    assert rows_of(PageReader(WANTED).read(text.encode())) == by_oracle(text, WANTED)


@given(pages(), st.data())
def test_remembered_slots_give_what_a_fresh_reader_gives(lines: list[str], data: st.DataObject) -> None:
    reader = PageReader(WANTED)
    for _ in range(data.draw(st.integers(1, 8))):
        match data.draw(st.sampled_from(["values", "drop", "add", "shuffle", "other"])):
            case "values":
                lines = [
                    line if line[:1] == "#" else f"{line.rpartition(' ')[0]} {data.draw(numbers)}" for line in lines
                ]
            case "drop" if lines:
                del lines[data.draw(st.integers(0, len(lines) - 1))]
            case "add":
                lines.insert(data.draw(st.integers(0, len(lines))), f"{data.draw(heads())} {data.draw(numbers)}")
            case "shuffle":
                lines = data.draw(st.permutations(lines))
            case "other":
                lines = data.draw(pages())
        body = "\n".join(lines).encode()
        fresh = rows_of(PageReader(WANTED).read(body))
        read = reader.read(body)
        if rows_of(read) != fresh:  # a wanted line that replaced an unwanted one: seen within 32 reads
            assert {row[:2] for row in rows_of(read)} < {row[:2] for row in fresh}
            for _ in range(32):
                read = reader.read(body)
        assert rows_of(read) == fresh


def test_a_wanted_line_in_the_place_of_another_is_seen_soon() -> None:
    reader = PageReader(["a", "b"])
    reader.read(b"a 1\nz 2\n")
    pages = [reader.read(b"a 1\nb 2\n") for _ in range(32)]
    assert rows_of(pages[-1]) == [("a", (), "1.0"), ("b", (), "2.0")]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'm{engine="0"} 5\r', 5.0),
        (b"m 5", 5.0),
        (b"m\t5", 5.0),
        (b"  m 5", 5.0),
        (b"m {} 5", 5.0),
        (b'm{engine="0",} 5', 5.0),
        (b'm{engine="0"}5', 5.0),
        (b'm{x="}"} 5', 5.0),
        (b'm{x="{"} 5', 5.0),
        (b'm{x="\\"} 7"} 5', 5.0),
        (b"m 5 1700000000000", 5.0),
        (b"m +Inf", math.inf),
        (b'm{x="\xff\xfe"} 5', 5.0),
    ],
)
def test_unusual_lines_are_read(line: bytes, value: float) -> None:
    page = PageReader(["m"]).read(b"# TYPE m gauge\n" + line)
    assert page.values == (value,)


@pytest.mark.parametrize(
    "line",
    [
        b"m",
        b"m ",
        b"m five",
        b"m 5 six",
        b"m 5 6 7",
        b"m{ 5",
        b"m} 5",
        b'm{engine="0 5',
        b"m{engine=0} 5",
        b"m 5 {",
        b"m x{} 5",
        b"mm 5",
        b"#m 5",
        b"",
        b"{} 5",
    ],
)
def test_malformed_lines_are_passed_over(line: bytes) -> None:
    page = PageReader(["m"]).read(b"m 1\n" + line + b"\nm 2\n")
    assert page.values == (1.0, 2.0)


def test_labels_never_carry_what_a_terminal_would_obey() -> None:
    page = PageReader(["m"]).read(b'm{a="\x1b[31mred\\n\x07two",b="\xc2\x9b2J"} 1')
    assert dict(page.layout.series[0].labels) == {"a": "red two", "b": ""}


@given(st.binary(max_size=400))
def test_any_bytes_are_survived(body: bytes) -> None:
    reader = PageReader(["a", "b"])
    for page in (body, b"a 1\n" + body, body + b"\nb 2", body):
        read = reader.read(page)
        assert len(read.values) == len(read.layout.series)


def test_html_and_json_hold_no_samples() -> None:
    reader = PageReader(VLLM)
    for body in (
        b"<!doctype html><html><body>vllm:num_requests_running 5</body></html>",
        b'{"detail":"Not Found"}',
        b"",
    ):
        assert reader.read(body).values == ()


@pytest.mark.parametrize(
    "body",
    [
        b"m 1\n" * 2_000_000,
        b"\n" * 8_000_000,
        b'm{a="' + b"x" * 8_000_000 + b'"} 1',
        b"m{" + b'a="1",' * 1_000_000 + b"} 1",
        b"m" * 8_000_000,
        b"m{" * 4_000_000,
        b'm{a="' + b"\\" * 8_000_000,
        b"m " + b"1" * 8_000_000,
        b"\n".join(b'm{a="' + b"x\\" * 30_000 + b" 1" for _ in range(100)),
    ],
    ids=["samples", "blank", "label", "labels", "name", "braces", "backslashes", "digits", "unclosed"],
)
def test_a_huge_hostile_page_is_read_in_bounded_time(body: bytes) -> None:
    started = time.process_time()
    page = PageReader(["m"]).read(body)
    assert len(page.values) <= MOST_SERIES
    assert time.process_time() - started < 3.0  # processor time, and generous: these take 10 to 300 ms


@pytest.mark.parametrize("limit", ["MOST_SERIES", "MOST_LINES"])
def test_a_name_with_more_series_than_are_read_has_none(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"quarterdeck.wire.prometheus.{limit}", 10)
    page = "\n".join(["running 3", *(f'tokens{{model="{i}"}} 1' for i in range(30)), "late 4"]).encode()
    reader = PageReader(("running", "tokens", "late"))
    for _ in range(2):
        assert [(series.name, value) for series, value in _pairs(reader.read(page))] == [("running", 3.0)]


def _pairs(page: Page) -> list[tuple[Series, float]]:
    return list(zip(page.layout.series, page.values, strict=True))
