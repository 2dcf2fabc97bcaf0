"""The commands that act, as whole processes: every action of the table has one, and none goes around what is forbidden."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quarterdeck.model.actions import ACTIONS, Action, On

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck

BY_ID = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a simulated Ollama in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "quarterdeck", "demo", "--serve", "--calm"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path_factory.mktemp("demo"),
    )
    assert process.stdout is not None
    servers = (json.loads(line) for line in process.stdout)
    yield next(server["url"] for server in servers if server.get("engine") == "ollama")
    process.terminate()
    process.stdout.close()
    process.wait(10)


def fleet(folder: Path, url: str, engine: str = "ollama", *, more: str = "", top: str = "") -> None:
    (folder / "fleet.toml").write_text(
        f'{top}\n[[endpoint]]\nname = "lab"\nurl = "{url}"\nengine = "{engine}"\n{more}\n'
        '[[deployment]]\nname = "server"\nendpoint = "lab"\nrun = ["false"]\n'
    )


def words(action: Action) -> list[str]:
    """A command line for an action."""
    typed = list(action.typed or (action.id,))
    if action.on is On.DEPLOYMENT:
        return [*typed, "server"]
    needed = [argument.example for argument in action.arguments if argument.required and argument.name != "model"]
    if action.on is On.MODEL or any(argument.name == "model" for argument in action.arguments):
        return [*typed, "gemma3:12b", *needed, "--on", "lab"]
    return [*typed, *needed, "--on", "lab"] if needed else [*typed, "lab"]


def jobs(folder: Path) -> list[Path]:
    return list((folder / ".local/state/quarterdeck/jobs").glob("?????"))


@BY_ID
def test_every_action_has_a_command_with_help(quarterdeck: Quarterdeck, action: Action) -> None:
    done = quarterdeck(*(action.typed or (action.id,)), "--help")
    assert done.returncode == 0
    assert " ".join(action.help.split()) in " ".join(done.stdout.split())
    for argument in action.arguments:
        assert argument.name in done.stdout.lower().replace("-", "_")


@BY_ID
@pytest.mark.parametrize("how", ["option", "file", "protected"])
def test_nothing_goes_around_what_is_forbidden(
    quarterdeck: Quarterdeck, tmp_path: Path, lab: str, action: Action, how: str
) -> None:
    more, top = (
        ("protected = true" if how == "protected" else ""),
        ("[console]\nread_only = true" if how == "file" else ""),
    )
    fleet(tmp_path, lab, more=more, top=top)
    done = quarterdeck(*words(action), "--yes", *(("--read-only",) if how == "option" else ()))
    unable = action.engines and "ollama" not in action.engines
    assert done.returncode == (2 if unable else 3), done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert jobs(tmp_path) == []


@pytest.mark.parametrize("how", ["read_only", "protected"])
def test_naming_a_server_by_its_url_goes_around_nothing(
    quarterdeck: Quarterdeck, tmp_path: Path, lab: str, how: str
) -> None:
    more, top = ("protected = true", "") if how == "protected" else ("", "[console]\nread_only = true")
    fleet(tmp_path, lab, more=more, top=top)
    done = quarterdeck("pin", "gemma3:12b", "--url", lab, "--yes")
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert jobs(tmp_path) == []


def test_a_pull_with_lines_on_a_pipe(quarterdeck: Quarterdeck, tmp_path: Path, lab: str) -> None:
    fleet(tmp_path, lab)
    done = quarterdeck("pull", "smollm2:135m", "--on", "lab")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "smollm2:135m on lab: done: pulled smollm2:135m" in done.stderr
    (job,) = json.loads(quarterdeck("jobs", "--json").stdout)
    assert (job["state"], job["action"], job["fraction"]) == ("done", "pull", 1.0)
    assert "pull smollm2:135m on lab" in quarterdeck("audit").stdout
    assert "pulled smollm2:135m" in quarterdeck("jobs", "log", job["id"]).stdout
    again = quarterdeck("rm", "smollm2:135m", "--on", "lab", "--yes", "--json")
    assert json.loads(again.stdout)[0]["state"] == "done"


def test_what_has_to_be_agreed_to_is_not_done_without(quarterdeck: Quarterdeck, tmp_path: Path, lab: str) -> None:
    fleet(tmp_path, lab)
    done = quarterdeck("rm", "llama3.2:3b")
    assert done.returncode == 3
    assert "deletes" in done.stderr
    assert "--yes agrees beforehand" in done.stderr
    assert jobs(tmp_path) == []


def test_what_is_protected_takes_its_name(quarterdeck: Quarterdeck, tmp_path: Path, lab: str) -> None:
    fleet(tmp_path, lab, more="protected = true")
    wrong = quarterdeck("pin", "gemma3:12b", "--confirm", "lob")
    assert (wrong.returncode, jobs(tmp_path)) == (3, [])
    right = quarterdeck("pin", "gemma3:12b", "--confirm", "lab", "--json")
    assert right.returncode == 0, right.stderr
    assert json.loads(right.stdout)[0]["state"] == "done"
    assert quarterdeck("unpin", "gemma3:12b", "--confirm", "lab").returncode == 0


def test_a_dry_run_changes_nothing(quarterdeck: Quarterdeck, tmp_path: Path, lab: str) -> None:
    fleet(tmp_path, lab)
    done = quarterdeck("rm", "llama3.2:3b", "--dry-run", "--json")
    (told,) = json.loads(done.stdout)
    assert (told["needs"], told["refused"], jobs(tmp_path)) == ("yes", None, [])


@pytest.mark.parametrize(
    ("typed", "words_of_error"),
    [
        (("pull", "x", "--on", "nowhere"), "no endpoint is called 'nowhere'"),
        (("load", "nosuch"), "no endpoint has a model 'nosuch'"),
        (("start", "nothing"), "no deployment is called 'nothing'"),
        (("sleep", "lab"), "ollama has no such thing"),
        (("jobs", "cancel", "zzzzz"), "no job is called"),
        (("jobs", "log", "../x"), "no job is called"),
        (("audit", "--since", "soon"), "is no time"),
    ],
)
def test_mistakes_are_said_in_words(
    quarterdeck: Quarterdeck, tmp_path: Path, lab: str, typed: tuple[str, ...], words_of_error: str
) -> None:
    fleet(tmp_path, lab)
    done = quarterdeck(*typed)
    assert done.returncode == 2
    assert words_of_error in done.stderr
    assert "Traceback" not in done.stderr


def test_show(quarterdeck: Quarterdeck, tmp_path: Path, lab: str) -> None:
    fleet(tmp_path, lab)
    assert "family" in quarterdeck("show", "gemma3:12b").stdout
    assert json.loads(quarterdeck("show", "gemma3:12b", "--json").stdout)["family"] == "gemma3"


def test_a_server_that_ends_before_it_serves(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    fleet(tmp_path, "http://127.0.0.1:1", "vllm")
    done = quarterdeck("start", "server")
    assert done.returncode == 1
    assert "the server ended" in done.stderr
    assert "failed" in quarterdeck("jobs").stdout


def test_jobs_imports_no_http_and_no_terminal_library(environment: dict[str, str], tmp_path: Path) -> None:
    code = "import sys; from quarterdeck.cli import main; main(['jobs']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    assert not {"httpx", "textual", "rich", "ollama", "pydantic", "psutil"} & set(done.stdout.split())
