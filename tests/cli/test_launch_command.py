"""`quarterdeck launch` as a whole process: the exact command, what stands in its way, where it is saved, and how it ends."""

from __future__ import annotations

import json
import os
import shlex
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fake_servers import free_port
from quarterdeck.config.load import load
from slow_server import write_server

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck

LOGS = Path(__file__).parent.parent / "data" / "startup"
PLACES = ".local/state/quarterdeck"


class Desk:
    """A folder with a model, something that stands in for vllm, and a fleet file."""

    def __init__(self, folder: Path, quarterdeck: Quarterdeck) -> None:
        self.folder, self.run = folder, quarterdeck
        self.model = folder / "models" / "small"
        self.model.mkdir(parents=True)
        (self.model / "config.json").write_text("{}")
        self.program = write_server(folder)
        self.port = free_port()
        self.file = folder / "fleet.toml"
        self.file.write_text("# kept by hand\n")

    def words(self, *options: str) -> list[str]:
        return ["launch", str(self.model), "--program", str(self.program), "--port", str(self.port), *options]

    def jobs(self) -> list[Path]:
        return [record.parent for record in (self.folder / PLACES / "jobs").glob("*/job.json")]

    def untouched(self) -> bool:
        """Nothing was saved, nothing begun."""
        return self.file.read_text() == "# kept by hand\n" and not self.jobs() and not self.launched()

    def launched(self) -> list[Path]:
        return list((self.folder / PLACES / "launched").glob("*.toml"))


@pytest.fixture
def desk(tmp_path: Path, quarterdeck: Quarterdeck) -> Iterator[Desk]:
    made = Desk(tmp_path, quarterdeck)
    yield made
    for file in (made.file, *made.launched()):
        for spec in load(file).config.deployments:
            quarterdeck("stop", spec.name, "--now", "--yes", "--confirm", spec.name, "--fleet", str(file))


def test_a_dry_run_prints_the_exact_command_and_changes_nothing(desk: Desk) -> None:
    options = ("--tensor-parallel", "2", "--max-model-len", "32k", "--gpu-memory-utilization", "90%", "--gpus", "0,1")
    done = desk.run(*desk.words(*options, "--lora", "sql=/a b/sql", "--dry-run", "--", "--seed", "7"))
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    environment, *command = shlex.split(first)
    assert environment == "CUDA_VISIBLE_DEVICES=0,1"
    assert command == [
        *(str(desk.program), "serve", str(desk.model), "--host", "127.0.0.1", "--port", str(desk.port)),
        *("--tensor-parallel-size", "2", "--max-model-len", "32k", "--gpu-memory-utilization", "0.9"),
        *("--enable-lora", "--lora-modules", "sql=/a b/sql", "--seed", "7"),
    ]
    assert f"would be saved in {desk.file}" in done.stdout
    assert desk.untouched()


def test_a_dry_run_as_json(desk: Desk) -> None:
    done = desk.run(*desk.words("--dry-run", "--json", "--no-save", "--name", "mine"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["command"][:3] == [str(desk.program), "serve", str(desk.model)]
    assert (told["name"], told["url"], told["save_to"]) == ("mine", f"http://127.0.0.1:{desk.port}", None)
    assert (told["refused"], told["environment"]) == (None, {})
    assert {check["level"] for check in told["preflight"]} <= {"ok", "warn", "bad", "unknown"}
    assert desk.untouched()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "http"), "--port: "),
        (("--port", "70000"), "--port: "),
        (("--max-model-len", "long"), "--max-model-len: expected tokens such as 32768 or 32k, or auto"),
        (("--gpu-memory-utilization", "9"), "--gpu-memory-utilization: "),
        (("--tensor-parallel", "0"), "--tensor-parallel: "),
        (("--gpus", "zero"), "--gpus: "),
        (("--lora", "sql"), "--lora: expected NAME=PATH"),
        (("--", "--port", "1"), "behind --: the port has a field of its own"),
        (("--unknown",), "unrecognized arguments: --unknown"),
    ],
)
def test_wrong_values_are_found_at_once(desk: Desk, options: tuple[str, ...], words: str) -> None:
    done = desk.run(*desk.words("--yes", *options))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert desk.untouched()


def test_the_model_is_needed(desk: Desk) -> None:
    done = desk.run("launch")
    assert (done.returncode, done.stdout) == (2, "")
    assert "MODEL" in done.stderr


def test_it_is_saved_started_and_stopped(desk: Desk) -> None:
    done = desk.run(*desk.words("--yes", "--json", "--", "late", str(LOGS / "vllm_ready.log")))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["saved"], told["file"], told["job"]["state"]) == (True, str(desk.file), "done")
    assert desk.file.read_text().startswith("# kept by hand\n"), "comments are kept"
    saved = load(desk.file)
    assert saved.problems == ()
    (deployment,), (endpoint,) = saved.config.deployments, saved.config.endpoints
    assert (deployment.name, deployment.endpoint, endpoint.url) == ("small", "small", told["url"])
    assert list(deployment.run) == told["command"]
    assert f"quarterdeck --fleet {desk.file} stop small stops it" in done.stderr
    again = desk.run(*desk.words("--yes"))
    assert (again.returncode, again.stdout) == (2, "")
    assert "there is a deployment small already" in again.stderr
    unknown = desk.run("stop", "smal")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no deployment is called 'smal'\nDid you mean small?" in unknown.stderr
    stopped = desk.run("stop", "small", "--yes", "--json")
    assert stopped.returncode == 0, stopped.stderr
    assert json.loads(stopped.stdout)[0]["words"].startswith("ended after ")


def test_unsaved_it_has_a_file_of_its_own(desk: Desk) -> None:
    done = desk.run(*desk.words("--yes", "--no-save", "--name", "mine", "--", "late", str(LOGS / "vllm_ready.log")))
    assert done.returncode == 0, done.stderr
    (file,) = desk.launched()
    assert desk.file.read_text() == "# kept by hand\n"
    assert f"quarterdeck --fleet {file} stop mine stops it" in done.stderr
    assert desk.run("--fleet", str(file), "stop", "mine", "--yes").returncode == 0


def test_detached_its_job_is_named(desk: Desk) -> None:
    done = desk.run(*desk.words("--yes", "--detach", "--", "late", str(LOGS / "vllm_ready.log")))
    assert done.returncode == 0, done.stderr
    (job,) = desk.jobs()
    assert done.stdout == f"{job.name}  start small\n"
    watched = desk.run("jobs", "watch", job.name)
    assert watched.returncode == 0, watched.stderr
    assert "ready after " in watched.stderr


def test_a_server_that_does_not_come_up_is_exit_code_1_and_says_why(desk: Desk) -> None:
    done = desk.run(*desk.words("--yes", "--", "fatal", str(LOGS / "vllm_max_model_len.log")))
    assert (done.returncode, done.stdout) == (1, "")
    assert "--max-model-len" in done.stderr


def test_a_port_that_is_taken_is_said_before_and_nobody_agreed(desk: Desk) -> None:
    with closing(socket.create_server(("127.0.0.1", desk.port))):
        done = desk.run(*desk.words())
        dry = desk.run(*desk.words("--dry-run"))
    assert (done.returncode, done.stdout) == (3, "")
    assert f"port {desk.port} is taken" in done.stderr
    assert "--yes launches it all the same" in done.stderr
    assert dry.returncode == 0
    assert f"port {desk.port} is taken" in dry.stdout
    assert desk.untouched()


def test_a_port_that_is_taken_fails_though_somebody_agreed(desk: Desk) -> None:
    with closing(socket.create_server(("127.0.0.1", desk.port))):
        done = desk.run(*desk.words("--yes", "--", "late", str(LOGS / "vllm_ready.log")))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {desk.port} is taken: something answers there" in done.stderr


def test_a_port_of_the_fleet_is_no_ones_else(desk: Desk) -> None:
    text = f'[[endpoint]]\nname = "old"\nurl = "http://localhost:{desk.port}"\n'
    desk.file.write_text(text)
    done = desk.run(*desk.words("--yes"))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"port {desk.port} is that of old: choose another" in done.stderr
    assert desk.file.read_text() == text


@pytest.mark.parametrize("how", ["option", "file", "protected"])
def test_what_is_forbidden_is_exit_code_3(desk: Desk, how: str) -> None:
    top = {
        "file": "[console]\nread_only = true\n",
        "protected": '[[host]]\nname = "here"\nprotected = true\n',
    }.get(how, "")
    desk.file.write_text(top or "# kept by hand\n")
    before = desk.file.read_text()
    done = desk.run(*desk.words("--yes", *(("--read-only",) if how == "option" else ())))
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert ("protected" if how == "protected" else "read-only") in done.stderr
    assert desk.file.read_text() == before
    assert not desk.jobs()


def test_a_protected_machine_wants_the_name(desk: Desk) -> None:
    desk.file.write_text('[[host]]\nname = "here"\nprotected = true\n')
    wrong = desk.run(*desk.words("--confirm", "here"))
    assert wrong.returncode == 3
    assert "--confirm small agrees beforehand" in wrong.stderr
    words = desk.words("--confirm", "small", "--yes", "--", "late", str(LOGS / "vllm_ready.log"))
    done = desk.run(*words)
    assert done.returncode == 0, done.stderr
    assert desk.run("stop", "small", "--yes").returncode == 3, "it stays protected"


def test_a_wrong_fleet_file_changes_nothing(desk: Desk) -> None:
    desk.file.write_text("[console]\nread_olny = true\n")
    done = desk.run(*desk.words("--yes"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "read_olny" in done.stderr
    assert not desk.jobs()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_fleet_file_that_can_not_be_written_begins_nothing(desk: Desk) -> None:
    desk.folder.chmod(0o500)
    try:
        done = desk.run(*desk.words("--yes"))
    finally:
        desk.folder.chmod(0o700)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
