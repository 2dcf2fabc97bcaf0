"""`quarterdeck compare` as it is typed: models by name, exit codes, what is kept where, and what a kill leaves behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from openai_stub import Stub, openai_stub

MARKER = "walrus-5820-tusk"
Quarterdeck = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stubs(tmp_path: Path) -> Iterator[tuple[Stub, Stub]]:
    """Two servers, and a fleet file that names them "one" and "two"."""
    with openai_stub("alpha") as one, openai_stub("beta") as two:
        (tmp_path / "fleet.toml").write_text(
            f'[[endpoint]]\nname = "one"\nurl = "{one.url}"\nengine = "openai"\n'
            f'[[endpoint]]\nname = "two"\nurl = "{two.url}"\nengine = "openai"\nhost = "elsewhere"\n'
            '[[host]]\nname = "elsewhere"\ngpus = "none"\n'
            '[[price]]\nendpoint = "two"\ninput = 1\noutput = 2\n'
        )
        yield one, two


PARIS = ({"type": "contains", "value": "Paris"},)


def cases_file(folder: Path, count: int = 4, *, expected: Sequence[Mapping[str, object]] = PARIS) -> str:
    lines = [{"id": f"c{n}", "prompt": f"{MARKER} {n}", "assert": [*expected]} for n in range(count)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(folder / "cases.jsonl")


def run_id(stderr: str) -> str:
    return next(line.split()[1].rstrip(";") for line in stderr.splitlines() if line.startswith("Run "))


# ---- one prompt


def test_one_prompt_to_two_models_is_json_on_a_pipe(quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub]) -> None:
    done = quarterdeck("compare", "Capital?", "-m", "alpha", "-m", "two/beta", "--temperature", "0", "--repeat", "2")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [(each["endpoint"], each["model"]) for each in told["models"]] == [("one", "alpha"), ("two", "beta")]
    first = told["models"][0]["answers"]
    assert [one["text"].strip() for one in first] == ["It is Paris."] * 2
    assert (first[0]["prompt_tokens"], first[0]["output_tokens"], first[0]["ending"]) == (7, 3, "done")
    assert told["models"][0]["total_s"]["count"] == 2
    assert told["models"][1]["answers"][0]["cost_usd"] == pytest.approx((7 * 1 + 3 * 2) / 1e6)
    assert stubs[0].sent[0]["temperature"] == 0
    assert len(stubs[0].sent) == len(stubs[1].sent) == 2


def test_files_are_attached_and_stdin_is_read(
    quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("remember the milk")
    assert quarterdeck("compare", "sum up @note.txt", "-m", "alpha").returncode == 0
    assert "remember the milk" in stubs[0].prompts[0]
    assert str(tmp_path) not in stubs[0].prompts[0]


def test_a_model_that_fails_leaves_the_others(quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub]) -> None:
    stubs[0].answering = lambda asked: (500, "out of memory")
    done = quarterdeck("compare", "x", "-m", "alpha", "-m", "beta")
    assert done.returncode == 1
    one, two = (each["answers"][0] for each in json.loads(done.stdout)["models"])
    assert (one["ending"], one["reason"]) == ("failed", "500: out of memory")
    assert two["ending"] == "done"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x",), "which models?"),
        (("-m", "alpha"), "what is to be asked?"),
        (("x", "-m", "gamma"), "no endpoint has a model 'gamma'"),
        (("x", "-m", "gamma@one"), "one has no model 'gamma'"),
        ((" ", "-m", "alpha"), "the prompt is empty"),
        (("x", "-m", "alpha", "--report", "a.md"), "--report belongs to --cases"),
        (("--cases", "none.jsonl", "-m", "alpha"), "none.jsonl: No such file"),
        (("--cases", "fleet.toml", "-m", "alpha"), "case files end in"),
        (("--resume", "zzz"), "no run is called 'zzz'"),
        (("--cases", "c.json", "-m", "alpha", "--report", "./c.json"), "would overwrite a case file"),
        (("--cases", "c.json", "-m", "alpha", "--report", "c.pdf"), "the name ends in none of"),
        (("x", "-m", "alpha", "--fail-under", "7"), "expected a share"),
        (("x", "-m", "alpha", "--temperature", "hot"), "expected a number"),
        (("see @/none/such.txt", "-m", "alpha"), "there is no file"),
    ],
)
def test_wrong_usage_asks_nothing(
    quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path, *, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "c.json").write_text('[{"prompt": "x"}]')
    done = quarterdeck("compare", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert stubs[0].sent + stubs[1].sent == []


# ---- cases


def test_cases_pass_and_fail_with_the_exit_code(
    quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path
) -> None:
    cases = cases_file(tmp_path)
    stubs[1].answering = lambda asked: "It is Rome." if asked["messages"][-1]["content"].endswith("3") else "Paris"
    both = ("compare", "--cases", cases, "-m", "alpha", "-m", "beta")
    done = quarterdeck(*both, "--report", "r.xml", "--report", "r.html", "--report", "r.md", "--report", "r.json")
    assert done.returncode == 1, done.stderr
    assert "7 of 8 (87%) passed" in done.stdout
    assert 'fail  c3 beta@two: contains: not in the answer – "Paris"' in done.stdout
    assert "8 of 8, 7 passed, 1 failed" in done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["sums"]["failed"] == 1
    assert 'failures="1"' in (tmp_path / "r.xml").read_text()
    assert quarterdeck(*both, "--fail-under", "75%").returncode == 0
    assert quarterdeck(*both, "--fail-under", "0.76").returncode == 1
    assert quarterdeck("compare", "--cases", cases, "-m", "alpha").returncode == 0


def test_json_holds_all_of_it(quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path) -> None:
    done = quarterdeck("compare", "--cases", cases_file(tmp_path, 2), "-m", "alpha", "--json", "--repeat", "2")
    told = json.loads(done.stdout)
    assert (told["sums"]["pairs"], told["sums"]["passed"], len(told["cases"])) == (4, 4, 2)
    assert told["cases"][0]["results"][0][1]["text"].strip() == "It is Paris."


def test_what_failed_is_asked_again_and_nothing_else(
    quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path
) -> None:
    stubs[0].answering = lambda asked: "Rome" if asked["messages"][-1]["content"][-1] in "12" else "Paris"
    done = quarterdeck("compare", "--cases", cases_file(tmp_path), "-m", "alpha")
    assert done.returncode == 1
    stubs[0].answering = lambda asked: "Paris"
    stubs[0].sent.clear()
    again = quarterdeck("compare", "--rerun-failed", run_id(done.stderr))
    assert again.returncode == 0, again.stderr
    assert stubs[0].prompts == [f"{MARKER} 1", f"{MARKER} 2"]
    assert "2 that failed are asked again" in again.stderr


def test_a_run_goes_on_only_with_the_same_cases(
    quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path
) -> None:
    name = run_id(quarterdeck("compare", "--cases", cases_file(tmp_path), "-m", "alpha", "--system", "short").stderr)
    stubs[0].sent.clear()
    assert "--system, which is not kept" in quarterdeck("compare", "--resume", name).stderr
    assert quarterdeck("compare", "--resume", name, "--system", "short").returncode == 0
    changed = quarterdeck("compare", "--resume", name, "--system", "long")
    assert changed.returncode == 2
    assert "the cases (or --system, or the prompt) are not the same" in changed.stderr
    hot = quarterdeck("compare", "--resume", name, "--system", "short", "--temperature", "1", "-m", "beta")
    assert "the models are not the same (they were alpha@one); temperature was not set" in hot.stderr
    assert stubs[0].sent == []


def test_runs_are_listed_and_forgotten(quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path) -> None:
    name = run_id(quarterdeck("compare", "--cases", cases_file(tmp_path), "-m", "alpha").stderr)
    listed = quarterdeck("compare", "--runs").stdout
    assert name in listed
    assert "4 of 4 answered  cases.jsonl  alpha@one" in listed
    assert quarterdeck("compare", "--forget", name).returncode == 0
    assert name not in quarterdeck("compare", "--runs").stdout
    assert quarterdeck("compare", "--forget", str(tmp_path / "cases.jsonl")).returncode == 2
    assert (tmp_path / "cases.jsonl").exists()


# ---- what is on disk


def holding(folder: Path, word: str, *, but: tuple[str, ...] = ()) -> list[str]:
    """Files below ``folder`` in which a word stands, in any case."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in but and word.encode().lower() in path.read_bytes().lower():
            found.append(path.name)
    return sorted(found)


@pytest.mark.parametrize("answer", ["echo", "quoted in an error", "regex that never ends"])
def test_no_prompt_and_no_answer_is_on_disk_unless_somebody_says_so(
    quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path, answer: str
) -> None:
    if answer == "quoted in an error":
        stubs[0].answering = lambda asked: (400, f"invalid: {asked['messages'][-1]['content'].upper()!r}")
    else:
        stubs[0].answering = lambda asked: f"You said {asked['messages'][-1]['content']}"
    trap = [{"type": "regex", "value": rf"({MARKER}|(\w+\s?)+)+x$"}, {"type": "equals", "value": MARKER}]
    cases = cases_file(tmp_path, 2, expected=trap if answer.startswith("regex") else PARIS)
    folders = {name: str(tmp_path / name) for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR")}
    for folder in folders.values():
        Path(folder).mkdir()
    reports = [part for ending in ("md", "json", "xml", "html") for part in ("--report", f"report.{ending}")]
    done = quarterdeck("compare", "--cases", cases, "-m", "alpha", "--system", f"be {MARKER}", *reports, **folders)
    assert done.returncode in (0, 1), done.stderr
    assert len(stubs[0].sent) == 2
    quarterdeck("compare", f"say {MARKER}", "-m", "alpha", **folders)
    assert holding(tmp_path, MARKER, but=("cases.jsonl",)) == []
    kept = quarterdeck("compare", "--cases", cases, "-m", "alpha", "--out", "kept.jsonl", **folders)
    assert "answers are written into it, mode 0600" in kept.stderr
    assert (tmp_path / "kept.jsonl").stat().st_mode & 0o077 == 0
    assert holding(tmp_path, MARKER, but=("cases.jsonl",)) == ["kept.jsonl"]


def test_saving_keeps_answers_with_the_run_and_the_chats(
    quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path
) -> None:
    with (tmp_path / "fleet.toml").open("a") as file:
        file.write("[chat]\nsave = true\n")
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    quarterdeck("compare", f"say {MARKER}", "-m", "alpha", **state)
    assert MARKER in quarterdeck("chats", "search", "walrus", **state).stdout
    done = quarterdeck("compare", "--cases", cases_file(tmp_path, 1), "-m", "alpha", "--system", "s", **state)
    assert "Paris" in "".join(path.read_text() for path in (tmp_path / "state").rglob("*.jsonl"))
    assert quarterdeck("compare", "--resume", run_id(done.stderr), **state).returncode == 0


# ---- breaks


def ledger_lines(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.rglob("compare/*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def started(tmp_path: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "quarterdeck", *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_interrupted_it_says_how_to_go_on(
    quarterdeck: Quarterdeck, stubs: tuple[Stub, Stub], tmp_path: Path, environment: dict[str, str]
) -> None:
    def slowly(asked: dict[str, Any]) -> str:
        if len(stubs[0].sent) > 2:
            time.sleep(30)
        return "Paris"

    stubs[0].answering = slowly
    process = started(tmp_path, environment, "compare", "--cases", cases_file(tmp_path, 5), "-m", "alpha")
    until(lambda: len(stubs[0].sent) > 2, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    name = run_id(said)
    assert f"2 of 5 are answered and kept. `quarterdeck compare --resume {name}` goes on." in said
    stubs[0].sent.clear()
    stubs[0].answering = lambda asked: "Paris"
    done = quarterdeck("compare", "--resume", name)
    assert done.returncode == 0, done.stderr
    assert "1 were on their way" in done.stderr
    assert sorted(stubs[0].prompts) == [f"{MARKER} {number}" for number in (2, 3, 4)]


@pytest.fixture
def demo(tmp_path: Path, environment: dict[str, str]) -> Iterator[list[str]]:
    """The demo fleet in a process of its own; the models of it that are in memory. The fleet file is in the folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "quarterdeck.demo.serve", "--calm", "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    members = [json.loads(process.stdout.readline()) for _ in range(8)]
    (tmp_path / "fleet.toml").write_text(
        "".join(
            f'[[endpoint]]\nname = "{each["name"]}"\nurl = "{each["url"]}"\nhost = "{each["name"]}"\n'
            f'[[host]]\nname = "{each["name"]}"\ngpus = "none"\n'
            for each in members
            if each["role"] == "endpoint" and each["boundary"] != "external"
        )
    )
    try:
        yield ["qwen3-32b", "llama-3.3-70b-instruct", "gemma3:12b", "pilot/mistral-small-3.2-24b-instruct-q4_k_m"]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.timeout(180)
def test_a_hundred_cases_with_four_models_killed_half_way(
    quarterdeck: Quarterdeck, demo: list[str], tmp_path: Path, environment: dict[str, str]
) -> None:
    cases = cases_file(tmp_path, 100, expected=[{"type": "regex", "value": "^This"}])
    models = [part for model in demo for part in ("-m", model)]
    state = tmp_path / "state"
    environment = environment | {"XDG_STATE_HOME": str(state)}
    arguments = ["compare", "--cases", cases, *models, "--max-tokens", "3", "--concurrency", "4"]
    process = started(tmp_path, environment, *arguments)
    until(lambda: state.exists() and sum("got" in line for line in _lines(state)) >= 200, process)
    process.kill()
    process.wait()
    answered = {line["got"] for line in ledger_lines(state) if "got" in line}
    assert 200 <= len(answered) < 400
    (path,) = state.rglob("compare/*.jsonl")
    done = quarterdeck("compare", "--resume", path.stem, XDG_STATE_HOME=str(state))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(answered)} of 400 are answered" in done.stderr
    assert "400 of 400 (100%) passed" in done.stdout
    lines = ledger_lines(state)
    got = Counter(line["got"] for line in lines if "got" in line)
    asked = Counter(line["ask"] for line in lines if "ask" in line)
    assert len(got) == 400
    assert set(got.values()) == {1}
    twice = {pair for pair, times in asked.items() if times > 1}
    assert not twice & answered
    assert len(twice) <= 16
    assert MARKER.encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def _lines(state: Path) -> list[dict[str, Any]]:
    try:
        return ledger_lines(state)
    except (ValueError, OSError):
        return []
