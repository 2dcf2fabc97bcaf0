"""`quarterdeck --reader` as a process, on simulated servers: by pipes, and in a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from acting_demo import Demo, demo_ollama
from fake_servers import pages_server
from in_terminal import Terminal, in_terminal
from reader.line_mode import Program, environment, program

FILE = """
[[endpoint]]
name = "lab"
url = "{url}"
protected = {protected}
"""


@asynccontextmanager
async def on_demo(folder: Path, *more: str) -> AsyncIterator[tuple[Program, Demo]]:
    """The program on one simulated Ollama called lab."""
    async with demo_ollama() as demo:
        (folder / "fleet.toml").write_text(FILE.format(url=demo.http.url, protected="false"))
        async with program(folder, *more, "--reader", "--interval", "0.5") as talk:
            yield talk, demo


# ---- by pipes


async def test_it_says_what_is_there_answers_and_ends_with_its_input(tmp_path: Path) -> None:
    async with on_demo(tmp_path) as (talk, _):
        talk.type("status", "models", "nonsense", "show llama3.2:3b")
        assert await talk.ends() == 0
        said = talk.lines
    assert said[0] == "Quarterdeck watches 1 endpoint, asked every 0.5 seconds."
    assert said[1] == "The only endpoint is OK."
    assert "lab is OK" in " ".join(said)
    assert any(line.startswith("Model llama3.2:3b on lab is ") for line in said)
    assert "There is no command 'nonsense'. help lists those there are." in said
    assert sum(line.startswith("Model llama3.2:3b on lab is") for line in said) == 2
    assert any(line.startswith("license: ") for line in said)
    assert "parameter size: 3.2B." in said
    assert not any(line.startswith("details, family") for line in said), "it was said as family"


async def test_no_input_at_all(tmp_path: Path) -> None:
    async with on_demo(tmp_path) as (talk, _):
        assert await talk.ends() == 0
        assert len(talk.lines) == 2


async def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    async with on_demo(tmp_path) as (talk, _):
        assert talk.process.stdin is not None
        talk.process.stdin.write(b"interval\r\ninterval")
        assert await talk.ends() == 0
        assert talk.lines[-2:] == ["The servers are asked every 0.5 seconds."] * 2


async def test_a_server_that_goes_and_comes_back_is_told_without_being_asked(tmp_path: Path) -> None:
    async with on_demo(tmp_path) as (talk, demo):
        await talk.until("The only endpoint is OK.")
        demo.http.refuse()
        line = await talk.until("lab", "DOWN: connection refused.")
        assert line[2] == line[5] == ":"
        assert "Try:" in await talk.until("Critical alert", "lab is still DOWN")
        await demo.http.start()
        await talk.until("lab is OK again, after", "DOWN.")
        talk.type("alerts", "quit")
        assert await talk.ended() == 0
        assert [line for line in talk.lines if "lab is OK again" in line] == [
            line for line in talk.lines if "OK again" in line
        ]


async def test_a_model_is_pulled_deleted_and_both_is_told(tmp_path: Path) -> None:
    async with on_demo(tmp_path) as (talk, _):
        talk.type("pull qwen3:0.6b --on lab")
        begun = await talk.until("pull qwen3:0.6b on lab, has begun.")
        identity = begun.split()[1].rstrip(",")
        assert identity in await talk.until("pull qwen3:0.6b on lab, is done")
        talk.type("rm qwen3:0.6b", "n", "rm qwen3:0.6b --on lab", "y", "jobs watch")
        await talk.until("Delete qwen3:0.6b on lab? Yes or no? [no]")
        await talk.until("nothing was done.")
        await talk.until("delete qwen3:0.6b on lab, has begun.")
        await talk.until("delete qwen3:0.6b on lab, is done")
        talk.type("jobs", "rm qwen3:0.7b")
        await talk.until("no endpoint has a model 'qwen3:0.7b'.")
        assert await talk.ends() == 0
        assert sum("has begun" in line for line in talk.lines) == 2, "the answer is enough"
    audit = (tmp_path / "state/quarterdeck/audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["action"] for line in audit if json.loads(line)["result"] == "done"] == ["pull", "delete"]


async def test_what_is_protected_and_what_is_read_only(tmp_path: Path) -> None:
    async with demo_ollama() as demo:
        (tmp_path / "fleet.toml").write_text(FILE.format(url=demo.http.url, protected="true"))
        async with program(tmp_path, "--reader") as talk:
            talk.type("rm qwen3:14b", "y", "rm qwen3:14b", "lab", "jobs watch")
            await talk.until("lab is protected. Type its name to delete qwen3:14b on lab:")
            await talk.until("lab is protected: nothing was done.")
            await talk.until("delete qwen3:14b on lab, is done")
            assert await talk.ends() == 0
        async with program(tmp_path, "--reader", "--read-only") as talk:
            talk.type("rm gpt-oss:20b", "lab", "ask gpt-oss:20b@lab hi")
            await talk.until("read-only: nothing may be changed from here.")
            await talk.until("read_only: a request costs the server work.")
            assert await talk.ends() == 0
            assert "Read-only: nothing can be changed from here." in talk.lines[0]


async def test_an_answer_is_read_out(tmp_path: Path) -> None:
    async with on_demo(tmp_path) as (talk, _):
        talk.type("ask llama3.2:3b@lab What's up?", "status")
        await talk.until("Asking llama3.2:3b on lab.")
        await talk.until("End of the answer: ")
        assert await talk.ends() == 0
        place = next(place for place, line in enumerate(talk.lines) if line.startswith("Asking"))
        assert talk.lines[place + 1].startswith("This is a simulated answer")


async def test_a_file_with_a_mistake_is_used_but_nothing_is_changed(tmp_path: Path) -> None:
    async with demo_ollama() as demo:
        text = FILE.format(url=demo.http.url, protected="false") + '[[endpoint]]\nname = "b"\n'
        (tmp_path / "fleet.toml").write_text(text)
        async with program(tmp_path, "--reader") as talk:
            talk.type("pull qwen3:0.6b --on lab")
            assert "nothing is changed from here until it is right." in await talk.until("fleet.toml:")
            await talk.until("nothing is changed while the fleet file is wrong.")
            assert await talk.ends() == 0


async def test_hostile_names_reach_nobody(tmp_path: Path) -> None:
    evil = "evil\x1b]0;title\x07\x1b[2Jname\r\n\u202e"
    pages = {
        "/api/version": {"version": evil},
        "/api/tags": {"models": [{"name": evil, "size": 10}]},
        "/api/ps": {"models": [{"name": evil, "size": 10, "size_vram": 5}]},
    }
    async with pages_server(pages) as server, program(tmp_path, "--reader", "--url", server.url) as talk:
        talk.type("status", "models", "show 127", "gpus")
        assert await talk.ends() == 0  # every line is looked at as it comes
        assert any("evil" in line for line in talk.lines)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_and_jobs_go_on(tmp_path: Path, number: signal.Signals, status: int) -> None:
    async with on_demo(tmp_path) as (talk, demo):
        talk.type("pull qwen3:0.6b --on lab")
        identity = (await talk.until("has begun.")).split()[1].rstrip(",")
        talk.process.send_signal(number)
        assert await talk.ended() == status
        assert talk.lines[-1] == f"1 job goes on: {identity}."
        done = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "quarterdeck", "jobs", "watch", identity),
            env=environment(tmp_path),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await done.communicate()
        assert (done.returncode, "done" in said.decode()) == (0, True)
        assert demo.http.listening


async def test_nobody_reads_any_more(tmp_path: Path) -> None:
    async with on_demo(tmp_path) as (talk, _):
        await talk.until("The only endpoint is OK.")
        transport = talk.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()
        talk.type(*["help"] * 50)
        assert await talk.process.wait() == 0


async def test_a_reader_that_stops_reading_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    async with demo_ollama() as demo:
        ours, theirs = os.pipe()
        (tmp_path / "commands").write_text("help\n" * 2000)
        with (tmp_path / "commands").open("rb") as commands, (tmp_path / "stderr").open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "quarterdeck", "--reader", "--url", demo.http.url),
                stdin=commands,
                stdout=theirs,
                stderr=errors,
                cwd=tmp_path,
                env=environment(tmp_path),
            )
        os.close(theirs)
        while _waiting(ours) < 20_000:  # it is full a moment later
            await asyncio.sleep(0)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 143
        os.close(ours)
        assert (tmp_path / "stderr").read_text() == ""


def _waiting(descriptor: int) -> int:
    """Bytes in a pipe."""
    return int(struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0])


def test_it_imports_no_terminal_library(tmp_path: Path) -> None:
    code = (
        "import sys; from quarterdeck.cli import main; code = main(['--reader', '--url', 'http://127.0.0.1:9']);"
        "print(code, sorted({'textual', 'rich'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="status\nhelp\n", capture_output=True, text=True, cwd=tmp_path,
        env=environment(tmp_path), timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "DOWN: connection refused" in done.stdout


def test_it_goes_with_the_console_only(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quarterdeck", "--reader", "status"], capture_output=True, text=True, cwd=tmp_path,
        env=environment(tmp_path), timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "--reader goes with the console" in done.stderr


# ---- in a terminal


def typed(terminal: Terminal, keys: str, until: str) -> None:
    """Press keys, and wait for what comes of it."""
    terminal.output = ""
    terminal.type(keys)
    terminal.until(until)


async def test_in_a_dumb_terminal_it_is_chosen_by_itself(tmp_path: Path) -> None:
    async with demo_ollama() as demo:
        await asyncio.to_thread(_in_a_dumb_terminal, demo.http.url, tmp_path)


def _in_a_dumb_terminal(url: str, folder: Path) -> None:
    arguments = ["-m", "quarterdeck", "--url", url, "--interval", "0.5"]
    with in_terminal(arguments, environment=environment(folder)) as terminal:
        terminal.until("> ")
        assert terminal.output.startswith("TERM is dumb: this is the line mode")
        assert terminal.output.endswith("What changes is told as it happens.\r\n> ")
        typed(terminal, "sta", "sta")
        typed(terminal, "tus\n", "> ")
        assert "is OK" in terminal.output
        typed(terminal, "rm qwen3:14b\n", "Yes or no? [no] ")
        typed(terminal, "\x03", "> ")
        assert "Stopped. Ctrl+C again ends the reader.\r\n" in terminal.output
        typed(terminal, "load llama3.2:3b\n", "has begun.\r\n> ")
        terminal.until("is done")
        terminal.until("\r\n> ")
        assert "> \r\n" in terminal.output, "news stand on lines of their own, and the prompt comes again"
        assert "\x1b" not in terminal.output
        terminal.output = ""
        terminal.type("\x04")
        assert terminal.ended() == 0
        assert terminal.output == "\r\n"


async def test_ctrl_c_at_the_prompt_and_a_terminal_that_goes_away(tmp_path: Path) -> None:
    async with demo_ollama() as demo:
        await asyncio.to_thread(_interrupted, demo.http.url, tmp_path)
        await asyncio.to_thread(_hung_up, demo.http.url, tmp_path)


def _interrupted(url: str, folder: Path) -> None:
    with in_terminal(["-m", "quarterdeck", "--reader", "--url", url], environment=environment(folder)) as terminal:
        terminal.until("> ")
        terminal.type("\x03")
        assert terminal.ended() == 130


def _hung_up(url: str, folder: Path) -> None:
    with in_terminal(["-m", "quarterdeck", "--reader", "--url", url], environment=environment(folder)) as terminal:
        terminal.until("> ")
        os.close(terminal.fd)
        terminal.fd = -1
        assert terminal.ended() == 129


async def test_the_demo_survives_ctrl_c_on_an_answer(tmp_path: Path) -> None:
    await asyncio.to_thread(_demo, tmp_path)


def _demo(folder: Path) -> None:
    arguments = ["-m", "quarterdeck", "demo", "--reader", "--calm"]
    with in_terminal(arguments, environment=environment(folder)) as terminal:
        terminal.until("All 5 endpoints are OK.")
        terminal.until("\r\n> ")
        typed(terminal, "ask llama-3.3-70b-instruct@llama-70b Tell me all.\n", "simulated answer")
        typed(terminal, "\x03", "Stopped.")
        typed(terminal, "refresh\n", "Asking all servers now.\r\n")
        typed(terminal, "ask qwen3-32b@qwen-chat And you?\n", "simulated answer")
        terminal.until("End of the answer")
        typed(terminal, "quit\n", "quit\r\n")
        assert terminal.ended() == 0
