"""[policy] can't be gone around: every way of sending a prompt against everything that forbids it.

A new way of sending is one more function in `WAYS`; a new rule is one more `Row`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openai_stub import Stub, openai_stub
from quarterdeck.cli import main

MARKER = "zebra-7431"


@dataclass(frozen=True)
class Place:
    """Where a row is tried: two servers, a fleet file, a file to attach."""

    folder: Path
    inside: Stub
    outside: Stub
    fleet: Path
    notes: Path


@dataclass(frozen=True)
class Row:
    """What the fleet file and the command line say, and whether the prompt may arrive at the external server."""

    name: str
    policy: str = ""
    options: tuple[str, ...] = ()
    mixed: bool = True
    """Whether a model inside is asked, too."""
    attach: bool = False
    arrives: bool = False
    inside_too: bool | None = None
    """Whether it may arrive inside; by default where it may outside (all of it is sent, or nothing)."""
    more: str = ""
    by_url: bool = False


ROWS = (
    Row("ask, mixed, nobody agrees"),
    Row("ask, mixed, agreed", options=("--allow-external",), arrives=True),
    Row("ask, nothing inside is held", mixed=False, arrives=True),
    Row("never", 'external = "never"', mixed=False),
    Row("never, mixed", 'external = "never"'),
    Row("never, agreed all the same", 'external = "never"', ("--allow-external",)),
    Row("allow", 'external = "allow"', arrives=True),
    Row("a file that never leaves", 'external = "allow"\npaths = { "notes/**" = "never" }', ("--allow-external",), attach=True),
    Row("a file that asks", 'external = "allow"\npaths = { "notes/**" = "ask" }', mixed=False, attach=True),
    Row(
        "a file that asks, agreed",
        'external = "allow"\npaths = { "notes/**" = "ask" }',
        ("--allow-external",),
        attach=True,
        arrives=True,
    ),
    Row("another file never leaves", 'external = "allow"\npaths = { "other/**" = "never" }', attach=True, arrives=True),
    Row("read-only in the file", 'external = "allow"', more="[console]\nread_only = true\n"),
    Row("a mistake in the file", 'external = "allow"', more="[policie]\nexternal = 1\n"),
    Row("--url around never", 'external = "never"', ("--allow-external",), mixed=False, by_url=True),
    Row("--url around ask", by_url=True),
    Row("--url, agreed", options=("--allow-external",), by_url=True, arrives=True),
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    with openai_stub("inner") as inside, openai_stub("outer") as outside:
        yield Place(tmp_path, inside, outside, tmp_path / "fleet.toml", tmp_path / "notes" / "plan.txt")


def write_fleet(place: Place, row: Row) -> None:
    place.fleet.write_text(
        f'[[endpoint]]\nname = "inside"\nurl = "{place.inside.url}"\nengine = "openai"\nboundary = "vpc"\n'
        f'[[endpoint]]\nname = "outside"\nurl = "{place.outside.url}"\nengine = "openai"\nboundary = "external"\n'
        f"[policy]\n{row.policy}\n{row.more}"
    )


def models(place: Place, row: Row) -> list[str]:
    if row.by_url:
        urls = ["--url", place.outside.url, *(["--url", place.inside.url] if row.mixed else [])]
        return [*urls, "-m", "outer", *(["-m", "inner"] if row.mixed else [])]
    return ["-m", "outer@outside", *(["-m", "inner@inside"] if row.mixed else [])]


def one_prompt(place: Place, row: Row) -> int:
    prompt = MARKER
    if row.attach:
        place.notes.write_text(MARKER)
        prompt = f"{MARKER} @{place.notes}"
    return main(["compare", prompt, "--json", *models(place, row), *row.options])


def case_file(place: Place, row: Row) -> int:
    path = place.notes.with_name("cases.jsonl") if row.attach else place.folder / "cases.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{MARKER} {number}"}) + "\n" for number in range(3)))
    return main(["compare", "--cases", str(path), *models(place, row), *row.options])


def variable_file(place: Place, row: Row) -> int:
    """The text comes from a file that the case file names."""
    place.notes.write_text(MARKER)
    name = "notes/plan.txt" if row.attach else "plan.txt"
    (place.folder / name).write_text(MARKER)
    path = place.folder / "cases.yaml"
    path.write_text(f"- prompt: '{{{{a}}}}'\n  vars: {{a: 'file://{name}'}}\n")
    return main(["compare", "--cases", str(path), *models(place, row), *row.options])


def resumed(place: Place, row: Row) -> int:
    """A run that was begun when all was allowed."""
    path = place.notes.with_name("cases.jsonl") if row.attach else place.folder / "cases.jsonl"
    path.write_text(json.dumps({"prompt": MARKER, "assert": [{"type": "equals", "value": "never so"}]}) + "\n")
    before = place.fleet.read_text()
    write_fleet(place, Row("", 'external = "allow"'))
    out = place.folder / "run.jsonl"
    main(["compare", "--cases", str(path), "--out", str(out), *models(place, row), "--allow-external"])
    place.fleet.write_text(before)
    place.inside.sent.clear()
    place.outside.sent.clear()
    return main(["compare", "--rerun-failed", str(out), *row.options])


Way = Callable[[Place, Row], int]
WAYS: dict[str, Way] = {
    "one prompt": one_prompt,
    "case file": case_file,
    "file named in a case": variable_file,
    "resumed": resumed,
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("way", WAYS)
def test_a_prompt_arrives_only_where_it_may(place: Place, row: Row, way: str) -> None:
    write_fleet(place, row)
    code = WAYS[way](place, row)
    assert bool(place.outside.sent) is row.arrives
    if row.mixed:
        assert bool(place.inside.sent) is (row.arrives if row.inside_too is None else row.inside_too)
    if row.arrives:
        assert any(MARKER in prompt for prompt in place.outside.prompts)
        assert code in (0, 1)
    else:
        assert code == 2


@pytest.mark.parametrize("way", ["one prompt", "case file"])
def test_read_only_said_on_the_command_line_holds_too(place: Place, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row("", 'external = "allow"')
    write_fleet(place, row)
    from quarterdeck import cli

    def read_only(arguments: list[str]) -> int:
        return cli.main(["--read-only", *arguments])

    monkeypatch.setattr("test_policy_table.main", read_only)
    assert WAYS[way](place, row) == 2
    assert place.inside.sent + place.outside.sent == []


@pytest.mark.parametrize(("typed", "arrives"), [("y", True), ("n", False), ("", False)])
@pytest.mark.parametrize("way", ["one prompt", "case file"])
def test_where_somebody_can_answer_it_is_asked_once(
    place: Place, monkeypatch: pytest.MonkeyPatch, *, way: str, typed: str, arrives: bool
) -> None:
    asked: list[str] = []

    def question(text: str) -> str:
        asked.append(text)
        return typed

    monkeypatch.setattr("quarterdeck.cli.compare_asking.question", question)
    row = Row("")
    write_fleet(place, row)
    assert WAYS[way](place, row) == (0 if arrives else 2)
    assert bool(place.outside.sent) is bool(place.inside.sent) is arrives
    assert len(asked) == 1
    assert "outside: it is external" in asked[0]


@pytest.mark.parametrize("way", ["one prompt", "case file"])
def test_a_schema_is_a_file_that_leaves(place: Place, way: str) -> None:
    place.notes.with_suffix(".json").write_text('{"type": "object"}')
    options = ("--schema", str(place.notes.with_suffix(".json")), "--allow-external")
    row = Row("", 'external = "allow"\npaths = { "notes/**" = "never" }', options)
    write_fleet(place, row)
    assert WAYS[way](place, row) == 2
    assert place.outside.sent == []
