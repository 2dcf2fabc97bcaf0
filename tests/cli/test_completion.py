"""`quarterdeck completion`: the scripts know every command and option, and complete in a real bash (zsh, fish where there is one)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quarterdeck.cli.completing import KINDS
from quarterdeck.cli.completion import Tables, brief, tables
from quarterdeck.cli.grammar import FILE, NOTHING, read
from quarterdeck.cli.parser import whole
from quarterdeck.config.fleet import EventSettings
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.timeline.book import Book, Entry
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.job import Job, Order

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck

FLEET = """
[[host]]
name = "gpu-1"
gpus = "none"
[[endpoint]]
name = "lab"
url = "http://127.0.0.1:1"
[[endpoint]]
name = "lab two"
url = "http://127.0.0.1:2"
[[endpoint]]
name = "evil$(touch PWNED)`touch PWNED`"
url = "http://127.0.0.1:3"
[[deployment]]
name = "vllm-a"
endpoint = "lab"
run = ["vllm", "serve", "x"]
"""
EVIL = r"evil\$\(touch\ PWNED\)\`touch\ PWNED\`"
BASH = """
source ./script
while IFS= read -r COMP_LINE; do
    COMP_POINT=${#COMP_LINE} COMP_WORDS=()
    while IFS= read -r word && [[ $word != END ]]; do COMP_WORDS+=("$word"); done
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _quarterdeck
    ((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"
    echo END
done
"""


@pytest.fixture(scope="module")
def known() -> Tables:
    return tables(read(whole()))


@pytest.fixture
def place(tmp_path: Path, environment: dict[str, str], quarterdeck: Quarterdeck) -> dict[str, str]:
    """A folder with a fleet, events, a job, and the program in PATH."""
    (tmp_path / "fleet.toml").write_text(FLEET)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/quarterdeck"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m quarterdeck "$@"\n')
    program.chmod(0o755)
    state = tmp_path / "state/quarterdeck"
    state.mkdir(parents=True)
    book = Book(EventSettings(), state / "events.db", seer="a")
    seen = [("qwen3:8b", "lab"), ("qwen3:4b", "mac"), ("gemma3:12b", "mac")]
    book.add([Entry(Happening(1e9 + n, Topic.MODEL, on, "loaded", name)) for n, (name, on) in enumerate(seen)], 1e9)
    book.close()
    JobFolder(state / "jobs", spawn=lambda folder, descriptor: None).create(
        Job("", Order("pull", "lab", "smollm2:135m"))
    )
    del quarterdeck
    return environment | {
        "PATH": f"{tmp_path / 'bin'}:{environment['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def split(line: str) -> list[str]:
    """As bash has them in COMP_WORDS."""
    return re.findall(r"""["'][^"']*|[=:@]+|[^\s=:@"']+""", line) + ([""] if line.endswith(" ") else [])


def in_bash(folder: Path, place: dict[str, str], *lines: str) -> list[list[str]]:
    """What bash is told for each line."""
    (folder / "script").write_text(script("bash"))
    asked = "".join(f"{line}\n" + "".join(f"{word}\n" for word in split(line)) + "END\n" for line in lines)
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH],
        input=asked,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=place,
        check=False,
    )
    assert done.stderr == ""
    return [answer.split("\n")[:-1] for answer in done.stdout.split("END\n")[:-1]]


@cache
def script(shell: str) -> str:
    command = [sys.executable, "-m", "quarterdeck", "completion", shell]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_command_and_option_in_bash(tmp_path: Path, place: dict[str, str], known: Tables) -> None:
    assert subprocess.run(["bash", "-n"], input=script("bash"), text=True, check=False).returncode == 0
    places = list(known.options)
    assert {"", "status", "pull", "launch", "compare", "jobs cancel", "lora add", "completion", "man"} <= set(places)
    answers = in_bash(tmp_path, place, *(f"quarterdeck {name} -".replace("  ", " ") for name in places))
    for name, answer in zip(places, answers, strict=True):
        assert sorted(answer) == sorted(option for option, _ in known.options[name]), name
        assert "--help" in answer
    groups = [name for name in known.commands if name]
    for name, answer in zip(groups, in_bash(tmp_path, place, *(f"qd {name} " for name in groups)), strict=True):
        assert answer[: len(known.commands[name])] == [word for word, _ in known.commands[name]], name


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("quarterdeck st", ["status", "start", "stop"]),
        ("quarterdeck status --js", ["--json", "--jsonl"]),
        ("quarterdeck --fleet fleet.toml --read-only jobs ca", ["cancel"]),
        ("quarterdeck jobs --json ca", ["cancel"]),
        ("quarterdeck pull x jobs ca", []),
        ("quarterdeck probe lab", ["lab", r"lab\ two"]),
        ("quarterdeck probe ev", [EVIL]),
        ("quarterdeck probe 'lab", ["lab", "lab two"]),
        ("quarterdeck load --on la", ["lab", r"lab\ two"]),
        ("quarterdeck load --on=la", ["lab", r"lab\ two"]),
        ("quarterdeck --fleet nothere.toml probe l", []),
        ("quarterdeck --fleet=nothere.toml probe l", []),
        ("quarterdeck start v", ["vllm-a"]),
        ("quarterdeck start vllm-a v", ["vllm-a"]),
        ("quarterdeck rm --confirm gp", ["gpu-1"]),
        ("quarterdeck show qwen", ["qwen3:4b", "qwen3:8b"]),
        ("quarterdeck show qwen3:", ["4b", "8b"]),
        ("quarterdeck show smo", ["smollm2:135m"]),
        ("quarterdeck compare -m gemma3:12b@m", ["mac"]),
        ("quarterdeck compare -m gemma3:1", ["12b@mac"]),
        ("quarterdeck events --topic=a", ["alert", "action"]),
        ("quarterdeck sleep --level ", ["1", "2"]),
        ("quarterdeck completion ", ["bash", "zsh", "fish"]),
        ("quarterdeck alerts silence gpu-", ["gpu-1", "gpu-lost"]),
        ("quarterdeck --theme r", ["reykjavik-frost", "rotterdam-rain"]),
        ("quarterdeck replay fl", ["fleet.toml"]),
        ("quarterdeck status --fleet=fl", ["fleet.toml"]),
        ("quarterdeck status --watch ", []),
        ("quarterdeck launch m -- --", []),
        ("quarterdeck status --json=", []),
    ],
)
def test_in_bash(tmp_path: Path, place: dict[str, str], line: str, replies: list[str]) -> None:
    assert in_bash(tmp_path, place, line) == [replies]
    assert not (tmp_path / "PWNED").exists()


def test_jobs_by_what_can_be_done_to_them(tmp_path: Path, place: dict[str, str]) -> None:
    (job,) = (path.name for path in (tmp_path / "state/quarterdeck/jobs").iterdir() if path.is_dir())
    answers = in_bash(tmp_path, place, "quarterdeck jobs log ", "quarterdeck jobs resume ", "quarterdeck jobs cancel ")
    assert answers == [[job], [job], []], "its worker is gone: nothing is left to cancel"


def test_only_what_stands_before_the_cursor_counts(tmp_path: Path, place: dict[str, str]) -> None:
    (tmp_path / "script").write_text(script("bash"))
    typed = "source ./script; COMP_LINE='quarterdeck stXX --json' COMP_POINT=14 COMP_WORDS=(quarterdeck stXX --json) COMP_CWORD=1"
    command = ["bash", "--norc", "-c", f'{typed}; _quarterdeck; echo "${{COMPREPLY[@]}}"']
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=place, check=False)
    assert (done.stdout, done.stderr) == ("status start stop\n", "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_in_fish(tmp_path: Path, place: dict[str, str]) -> None:
    (tmp_path / "script").write_text(script("fish"))
    code = "source ./script; complete -C 'quarterdeck st'; echo; complete -C 'quarterdeck load --on=la'; echo; complete -C 'quarterdeck show qwen'"
    done = subprocess.run(
        ["fish", "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path, env=place, check=False
    )
    words = [[line.split("\t")[0] for line in part.splitlines()] for part in done.stdout.split("\n\n")]
    assert words == [["start", "status", "stop"], ["--on=lab", "--on=lab two"], ["qwen3:4b", "qwen3:8b"]]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_takes_it() -> None:
    assert subprocess.run(["zsh", "-n"], input=script("zsh"), text=True, check=False).returncode == 0


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_know_as_much(known: Tables, shell: str) -> None:
    text = script(shell)
    for found in (known.commands, known.options):
        for name, entries in found.items():
            assert f"'{name}'" in text
            for word, about in entries:
                quoted = (
                    about.replace("'", "'\\''") if shell == "zsh" else about.replace("\\", "\\\\").replace("'", "\\'")
                )
                assert (f"'{word}:{quoted}'" if shell == "zsh" else f"'{word}'\\t'{quoted}'") in text
    for _, kind in (*known.values, *known.words):
        assert kind == "" or f"'{kind}'" in text
    assert "@" not in re.sub(r"\$@|: and @|case.*|'@'", "", text).replace("@FILE", ""), (
        "no place of the template is left"
    )


def test_kinds_are_known(known: Tables) -> None:
    asked = {kind for _, kind in (*known.values, *known.words) if kind and not kind.startswith("=")}
    assert asked <= {*KINDS, FILE, NOTHING}
    assert {"endpoint", "deployment", "model", "job", "theme"} <= asked


def test_brief() -> None:
    assert brief("Follow jobs until they end (default: all that go on).") == "Follow jobs until they end"
    assert brief("Load it; more is said.") == "Load it"
    assert brief("at 0.5 or 1.0") == "at 0.5 or 1.0"
    long = brief("word " * 40)
    assert len(long) <= 72
    assert long.endswith(" …")


def test_a_wrong_shell(quarterdeck: Quarterdeck) -> None:
    done = quarterdeck("completion", "tcsh")
    assert (done.returncode, done.stdout) == (2, "")
    assert "bash" in done.stderr


@pytest.mark.parametrize(
    "words", [(), ("nothing",), ("endpoint", "/nowhere/fleet.toml"), ("model",), ("run",), ("job", "x", "y")]
)
def test_what_is_not_known_is_nothing(quarterdeck: Quarterdeck, words: tuple[str, ...]) -> None:
    done = quarterdeck("_complete", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_broken_files_complete_nothing(tmp_path: Path, quarterdeck: Quarterdeck) -> None:
    (tmp_path / "fleet.toml").write_text("[[endpoint]\n")
    state = tmp_path / "state/quarterdeck"
    (state / "jobs/abcde").mkdir(parents=True)
    (state / "jobs/abcde/job.json").write_text(json.dumps({"order": 7}))
    (state / "events.db").write_bytes(b"no database" * 100)
    for kind in KINDS:
        done = quarterdeck("_complete", kind, XDG_STATE_HOME=str(tmp_path / "state"))
        assert (done.returncode, done.stderr) == (0, ""), kind
        assert "lab" not in done.stdout.split()


def test_control_characters_are_left_out(tmp_path: Path, quarterdeck: Quarterdeck) -> None:
    (tmp_path / "fleet.toml").write_text(
        '[[endpoint]]\nname = "good"\nurl = "http://a:1"\n[[endpoint]]\nname = "a\\u001b[2J"\nurl = "http://a:2"\n'
    )
    done = quarterdeck("_complete", "endpoint")
    assert done.stdout == "good\thttp://a:1\n"


@pytest.mark.parametrize("kind", ["endpoint", "model", "job", "theme"])
def test_names_cost_no_heavy_imports(tmp_path: Path, place: dict[str, str], kind: str) -> None:
    code = f"import sys; from quarterdeck.cli import main; main(['_complete', {kind!r}]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path, env=place, check=True
    )
    names, _, modules = done.stdout.rpartition("\n")[0].rpartition("\n")
    assert names
    assert not {name.partition(".")[0] for name in modules.split()} & {"httpx", "textual", "rich", "asyncio", "ssl"}
