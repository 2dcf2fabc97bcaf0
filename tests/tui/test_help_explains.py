"""The help of each view explains every column, state, glyph, letter and figure that is declared for it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from rich.cells import cell_len

from console_driver import console
from fakes import GIB, endpoint_view, gpu, host_view
from quarterdeck.engine.chat.columns import Phase, Turn
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.cases.cells import COLUMN_MEANINGS, MARKS, MEANINGS
from quarterdeck.model.cases.cells import COLUMNS as OF_CASES
from quarterdeck.model.cases.verdict import Verdict
from quarterdeck.model.chat.answer import Answer, Circumstances, ServerTimings, Usage
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.gpu import Ecc, Holder, NvLink, PcieLink
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.holdings import Part, PartKind
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.model.models import ModelState
from quarterdeck.tui.alerts import lines as of_alerts
from quarterdeck.tui.alerts import timeline
from quarterdeck.tui.cells import ALARM, Moment
from quarterdeck.tui.chat import figures
from quarterdeck.tui.chat.matrix import TONES
from quarterdeck.tui.columns import COLUMNS
from quarterdeck.tui.commands import EVERYWHERE
from quarterdeck.tui.detail import latency, numbers, replicas
from quarterdeck.tui.detail.charts import CHARTS
from quarterdeck.tui.gpus import charts as of_gpus
from quarterdeck.tui.gpus.bars import _STROKES, letter
from quarterdeck.tui.gpus.page import _sections
from quarterdeck.tui.gpus.scene import Entry, marks
from quarterdeck.tui.help import help_lines
from quarterdeck.tui.helping.legend import Legend
from quarterdeck.tui.helping.places import legends
from quarterdeck.tui.jobs import lines as of_jobs
from quarterdeck.tui.lines import Line
from quarterdeck.tui.log.lines import tone_of
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.models.columns import COLUMNS as OF_MODELS
from quarterdeck.tui.screens import audit
from quarterdeck.tui.screens.help import HelpScreen
from quarterdeck.tui.states import LOOKS

PLACES = tuple(place for place in EVERYWHERE if place != "help")


def told(where: str, width: int = 120) -> str:
    return "\n".join(line.text for line in help_lines(width, where))


def signs(where: str, title: str = "") -> list[str]:
    """What is explained there, as it stands at the left."""
    found = [legend for legend in legends(where) if title in legend.title]
    assert found, title
    return [f"{one.sign} {one.word}".strip() for legend in found for one in legend.signs]


def words(where: str, title: str = "") -> set[str]:
    return {word.strip(",") for sign in signs(where, title) for word in (sign, *sign.split())}


def titles(line: Line) -> set[str]:
    return {word.strip(",") for run in line.runs for word in run.text.split()}


# ---- all views


@pytest.mark.parametrize("where", PLACES)
def test_every_view_explains_something_of_its_own_and_what_stands_everywhere(where: str) -> None:
    text = told(where)
    assert legends(where)
    assert "It never means zero." in text
    assert "A bound or an estimate" in text
    assert "The status line" in text
    for legend in legends(where):
        assert legend.title in text
        for one in legend.signs:
            assert one.sign in text
            assert one.meaning.split()[0] in text


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("width", [1, 20, 40, 80, 200])
def test_nothing_is_wider_than_the_screen(where: str, width: int) -> None:
    assert all(cell_len(line.text) <= width for line in help_lines(width, where))


@pytest.mark.parametrize("where", PLACES)
def test_meanings_are_sentences_and_nothing_is_told_twice_under_one_title(where: str) -> None:
    found: tuple[Legend, ...] = legends(where)
    assert len({legend.title for legend in found}) == len(found)
    for legend in found:
        shown = [(one.sign, one.word) for one in legend.signs]
        assert len(set(shown)) == len(shown) or legend.title == "Signs of what happened"
        assert all(one.meaning.rstrip().endswith((".", "…")) for one in legend.signs), legend


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 10)])
async def test_every_view_s_help_can_be_read_to_its_end(size: tuple[int, int]) -> None:
    async with console(size=size) as it:
        for where in PLACES:
            it.app.push_screen(HelpScreen(where))
            await it.pilot.pause()
            assert "Help" in it.text
            await it.press("G")
            assert "All commands" in it.text
            await it.press("escape")


# ---- the fleet, its pages, models


@pytest.mark.parametrize(("where", "columns"), [("fleet", COLUMNS), ("models", OF_MODELS)])
def test_every_column_of_a_table(where: str, columns: tuple[Any, ...]) -> None:
    assert {column.title for column in columns} <= set(signs(where, "Columns"))


def test_columns_of_a_table_stand_only_where_it_is() -> None:
    assert "prompt/s" not in told("jobs")
    assert "PROGRESS" not in told("fleet")


@pytest.mark.parametrize("where", ["fleet", "endpoint", "models", "alerts"])
def test_every_state_where_states_are_seen(where: str) -> None:
    for seen in LOOKS.values():
        assert f"{seen.glyph} {seen.word}" in signs(where, "States")


@pytest.mark.parametrize("where", ["fleet", "endpoint", "models", "model"])
def test_where_a_model_is(where: str) -> None:
    for state in ModelState:
        assert f"{model_look(state).glyph} {model_look(state).word}" in signs(where, "Where a model is")


def test_signs_of_the_fleet() -> None:
    assert {"▸", "▾", "▌", "✓", "├", "└", ALARM, "odd", "replica", "↑", "↓"} <= words("fleet", "Signs")
    assert {"KV", "VRAM", "TTFT", "ITL", "p95", "tok/s"} <= words("fleet", "Abbreviations")
    assert {"cpu", "mem", "W", "°C"} <= words("fleet", "Machines")


def test_every_number_of_an_endpoint_s_page() -> None:
    from quarterdeck.model.reading import Spend

    view = endpoint_view(
        cached_tps=1.0, cache_hit_rate=0.5, preemptions_ps=1.0, acceptance=0.5, active_at=1.0,
        spend=Spend(1.0, "x"),
    )  # fmt: skip
    moment = Moment(10_000.0, 1.0)
    labels = {number.label for number in (*numbers._load(view, ""), *numbers._extras(view, moment, ""))}
    assert len(labels) == 12
    assert labels | {"KV cache", "GPU memory"} <= words("endpoint", "Numbers")


def test_tables_and_charts_of_an_endpoint_s_page() -> None:
    assert set(latency._WORDS.values()) <= set(signs("endpoint", "Latency"))
    assert {column.title for column in latency._COLUMNS} <= words("endpoint", "Latency")
    for title in filter(None, (column.title for column in replicas._WIDE_COLUMNS)):
        assert title in {*words("endpoint"), "run", "wait", "tok/s", "prompt/s", "KV"}
    rows = next(one for one in legends("endpoint") if one.title.startswith("Other")).signs
    explained = next(one.meaning for one in rows if one.sign == "Replicas")
    assert all(word in explained for word in ("run", "wait", "KV"))
    assert {chart.title for chart in CHARTS} <= set(signs("endpoint", "charts"))


@pytest.mark.parametrize(
    "label", ["why", "evidence", "! odd", "! ails", "means", "try", "engine", "url", "host", "polled"]
)
def test_labels_of_an_endpoint_s_head(label: str) -> None:
    assert label in signs("endpoint", "What it is")


def test_the_view_of_an_endpoint_has_no_field_that_is_shown_without_a_word() -> None:
    """Whoever adds a number per second or a share to the view has to explain it."""
    explained = {
        "running", "waiting", "generation_tps", "prompt_tps", "cached_tps", "cache_hit_rate", "preemptions_ps",
        "acceptance", "ttft_p95_s", "itl_p95_s", "kv_used", "finished_ps", "waiting_by_reason", "latency_s",
    }  # fmt: skip
    ends = ("_tps", "_ps", "_rate", "_used", "_s")
    assert {one.name for one in fields(EndpointView) if one.name.endswith(ends)} <= explained


# ---- GPUs


@pytest.mark.parametrize("where", ["gpus", "gpu"])
def test_every_part_of_a_bar_has_its_letter_and_stroke(where: str) -> None:
    found = words(where, "Letters") | {"─", "A"}
    assert "─ is free" in told(where)
    for kind in set(PartKind) - {PartKind.FREE}:
        part = Part(kind, GIB, endpoint="e", model="m")
        assert letter(part, {("e", "m"): "A"}) in found
        assert _STROKES[kind] in found | {"━"}


@pytest.mark.parametrize("where", ["gpus", "gpu"])
def test_every_mark_of_a_gpu(where: str) -> None:
    from quarterdeck.model.gpu import GpuProcess, Xid

    one = gpu(0)
    process = GpuProcess(pid=1, holder=Holder.ORPHAN)
    sick = [
        replace(one, lost=True),
        replace(one, at=1.0),
        replace(one, xids=(Xid(number=79, words="x", at=9_999.0),)),
        replace(one, ecc=Ecc(corrected=0, uncorrected=3, remap_failed=True)),
        replace(one, ecc=Ecc(corrected=0, uncorrected=0, remap_pending=True)),
        replace(one, throttle=("power cap",)),
        replace(one, slowdown_c=90.0, temperature_c=89.0),
        replace(one, processes=(process,)),
    ]
    found = words(where, "Letters") | {"ORPHAN"}
    assert "ORPHAN: memory" in told(where)
    seen = {mark.word for each in sick for mark in marks(each, 10_000.0)}
    assert len(seen) == 9
    for word in seen:
        glyph, name = word.split()[:2]
        assert glyph in found
        assert glyph == "▼" or name in found


def test_every_value_of_a_gpu_s_page() -> None:
    one = gpu(0, pcie=PcieLink(generation=4, width=16), nvlinks=(NvLink(number=0, active=True),), unified=True)
    values = [value for _, listed in _sections(Entry(host_view("box", one), one)) for value in listed]
    known = words("gpu", "Values") | {"name", "driver", "memory", "power", "temperature", "fan", "PCIe received"}
    assert {value.label for value in values if value.label not in ("encoder", "decoder")} <= known
    assert {"encoder", "decoder"} <= known


@pytest.mark.parametrize("where", ["gpus", "gpu"])
def test_charts_and_processes_of_gpus(where: str) -> None:
    assert {chart.title for chart in of_gpus.CHARTS} <= set(signs(where, "charts"))
    assert {"memory", "pid", "user", "age", "process"} <= set(signs(where, "processes"))


# ---- jobs, alerts, what happened


def test_every_state_column_and_fact_of_jobs() -> None:
    assert {f"{seen.glyph} {seen.word}" for seen in of_jobs.LOOKS.values()} <= set(signs("jobs", "States"))
    assert set(of_jobs.LOOKS) == set(JobState)
    for width in (40, 80, 120):
        assert titles(of_jobs.header(width)) <= words("jobs", "Columns")
    job = Job(
        "abcde", Order("pull", "mac", "m", {"insecure": True}), JobState.RUNNING, created=1.0, started=2.0, user="ana",
        worker=7, attempts=2, progress=Progress("pulling", 0.5, 1, 2, 1.0, 3.0),
    )  # fmt: skip
    shown = of_jobs.details(job, 100, 10.0, 40)[2:]
    assert [line.runs[0].text.strip() for line in shown] == [fact.sign for fact in of_jobs.FACTS]


def test_every_severity_column_and_fact_of_alerts() -> None:
    looks = {f"{seen.glyph} {seen.word}" for seen in (*of_alerts.LOOKS.values(), of_alerts.CLEARED)}
    assert looks <= set(signs("alerts", "How bad"))
    assert set(of_alerts.LOOKS) == set(Severity)
    assert titles(of_alerts.header(100, 12)) <= set(signs("alerts", "Columns of the alerts"))
    alert = Alert(
        "k", "rule", Severity.WARNING, "vllm-a", "what", 1.0, 2.0, ("numbers",), "cause", "advice",
        acknowledged=Acknowledged(3.0, "ana", "note"), silenced_until=1e9,
    )  # fmt: skip
    shown = {line.runs[0].text.strip() for line in of_alerts.details(alert, 100, 10.0, 40)[1:]}
    known = {*signs("alerts", "below"), *signs("alerts", "Columns of the alerts"), "seen"}
    assert shown <= known
    assert "seen: who" in told("alerts")
    row = of_alerts.row_line(alert, 100, 10.0, 12, selected=False).text
    assert " ack " in row
    assert "ack" in known


def test_every_sign_of_what_happened() -> None:
    assert titles(timeline.header(100, timeline.ORDERS[0]._replace(column=""))) <= set(
        signs("alerts", "Columns of what happened")
    )
    explained = set(signs("alerts", "Signs of what happened"))
    for topic in set(Topic) - {Topic.STATE}:
        for word, severity in (("raised", "warning"), ("raised", "critical"), ("cleared", "")):
            one = Happening(1.0, topic, "x", word, "text", severity)
            assert timeline._look(one)[0] in explained


# ---- log, audit


def test_every_tone_of_a_log() -> None:
    tones = {one.tone for legend in legends("log") for one in legend.signs}
    for text in ("ERROR x", "WARNING x", "DEBUG x"):
        assert tone_of(text) in tones
    assert {"following", "── … ──", "found"} <= set(signs("log"))


def test_every_result_of_the_audit_log() -> None:
    assert all(word in told("audit") for word in audit._FAILED)
    assert {"time", "user", "what", "begun"} <= set(signs("audit"))


# ---- chat and cases


def full_answer() -> Answer:
    usage = Usage(prompt_tokens=10, output_tokens=20, reasoning_tokens=5, cached_tokens=5)
    told_by = ServerTimings(source="timings", prompt_s=1.0, total_s=2.0, load_s=3.0, decode_s=1.0, output_tokens=20)
    return Answer(
        "e", "m", 1.0, Circumstances(waiting=3, loaded=False), ["x"], first_at=2.0, text_at=2.0, last_at=5.0, pieces=9,
        ended_at=6.0, finish="stop", usage=usage, timings=told_by, cost=0.1, cost_source="x",
    )  # fmt: skip


def test_every_figure_of_the_chat() -> None:
    answer = full_answer()
    turn = Turn(None, None, (), [answer, answer], 2, Phase.ENDED)  # type: ignore[arg-type]
    shown = [*figures.figures_of(answer), *figures.server_figures(answer), *figures._parts(answer)]
    shown += [*figures._coming(turn, None, 9.0), *figures.spread_figures(turn)]
    labels = {one.label for one in shown} - {""}
    assert len(labels) >= 12
    text = " ".join(one.meaning for legend in legends("chat") for one in legend.signs)
    known = words("chat", "Beneath") | {"0 of 2 runs: TTFT"}  # both were cold
    assert "5 of 5 runs" in known
    for label in labels:
        assert label in known or label in text, label
    for unit in {one.unit for one in shown} - {"", "of in", "of out"}:
        assert unit in known
    assert {"cold", "warm", "stop", "$", "FAILED", "cancelled", "not sent"} <= known
    assert {"EXTERNAL", *figures.LETTERS} <= words("chat", "Above")
    for badge in ("blind", "one by one", "warm-up", "session:"):
        assert badge in signs("chat", "on top")


def test_every_mark_and_column_of_the_cases() -> None:
    cells = set(signs("cases", "cell"))
    assert set(MARKS.values()) | {"–", "2/3", "cold"} <= cells
    assert set(MARKS) == set(MEANINGS) == set(TONES) == set(Verdict)
    assert tuple(COLUMN_MEANINGS) == OF_CASES
    assert set(OF_CASES) <= set(signs("cases", "Below"))


def test_marks_of_differences() -> None:
    from quarterdeck.tui.chat.judging import _MARKS

    for before, after in _MARKS.values():
        assert not before or f"{before} {after}" in signs("reading")
