"""The real program in a real terminal on a simulated driver that hangs: nothing waits for it, quitting least of all."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from simulated_gpus import Simulated

LONGEST_S = 40.0
LINES, COLUMNS = 30, 100
TOKEN = re.compile(r"\x1b\[([0-9;?<>=]*)([a-zA-Z])|\x1b[()P\]].|\x1b.|([^\x1b])", re.DOTALL)
SILENT = "the NVIDIA driver does not answer"
HANGS = (
    "nvmlInit",
    "nvmlEventSetCreate",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetFanSpeed",
    "nvmlDeviceGetNvLinkState",
)


class Ollama:
    """A server that counts who asks."""

    def __init__(self) -> None:
        counter = self
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                counter.asked += 1
                body = b'{"version": "0.32.15", "models": []}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing to the test's output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def ollama() -> Iterator[Ollama]:
    made = Ollama()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Console:
    """`quarterdeck` in a pseudo-terminal, of which it repaints single cells."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid, self.fd = pid, fd
        self._cells = [[" "] * COLUMNS for _ in range(LINES)]
        self._at = (0, 0)
        self._rest = ""

    @property
    def screen(self) -> str:
        return "\n".join("".join(line) for line in self._cells)

    def until(self, what: str) -> None:
        end = time.monotonic() + LONGEST_S
        while what not in self.screen:
            assert time.monotonic() < end, f"{what!r} never came:\n{self.screen}"
            assert self.read(), f"it ended without {what!r}:\n{self.screen}"

    def read(self) -> bool:
        """What came meanwhile; whether more may come."""
        if select.select([self.fd], [], [], 0.1)[0]:
            try:
                text = self._rest + os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                return False
            whole = re.search(r"\x1b[^a-zA-Z]*$", text)
            self._rest = text[whole.start() :] if whole else ""
            for match in TOKEN.finditer(text[: whole.start()] if whole else text):
                self._take(*match.groups())
        return True

    def _take(self, numbers: str | None, command: str | None, letter: str | None) -> None:
        line, column = self._at
        if command == "H":
            line, column = (int(number) - 1 for number in f"{numbers or '1;1'};1".split(";")[:2])
        elif letter == "\r":
            column = 0
        elif letter == "\n":
            line += 1
        elif letter and line < LINES and column < COLUMNS:
            self._cells[line][column] = letter
            column += 1
        self._at = line, column

    def ended(self) -> int:
        end = time.monotonic() + LONGEST_S
        while time.monotonic() < end:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("it never ended")


@contextmanager
def console(simulated: Simulated, ollama: Ollama, folder: Path) -> Iterator[Console]:
    fleet = folder / "fleet.toml"
    fleet.write_text(
        "[console]\npoll = 0.5\n"
        '[[host]]\nname = "here"\ngpus = "local"\ntimeout = 0.5\n'
        f'[[endpoint]]\nname = "small"\nengine = "ollama"\nurl = "http://127.0.0.1:{ollama.server.server_port}"\n'
    )
    environment = simulated.environment(TERM="xterm-256color", HOME=str(folder), XDG_STATE_HOME=str(folder / "state"))
    program = Path(sys.executable).with_name("quarterdeck")
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(program, [str(program), "--fleet", str(fleet)], environment)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    made = Console(pid, fd)
    try:
        yield made
    finally:
        if made.pid:
            os.kill(made.pid, signal.SIGKILL)
            os.waitpid(made.pid, 0)
        os.close(fd)


def goes_on(ollama: Ollama, shown: Console) -> None:
    """Others are still asked."""
    before, end = ollama.asked, time.monotonic() + LONGEST_S
    while ollama.asked < before + 4:
        assert time.monotonic() < end, "nobody is asked any more"
        shown.read()


@pytest.mark.parametrize("function", HANGS)
def test_a_call_that_never_returns_blocks_nothing(
    function: str, simulated: Simulated, ollama: Ollama, tmp_path: Path
) -> None:
    simulated.control.write_text(f"* hang {function}\n")
    with console(simulated, ollama, tmp_path) as shown:
        shown.until("1/1 well")
        os.write(shown.fd, b"2")
        shown.until(SILENT)
        goes_on(ollama, shown)
        os.write(shown.fd, b"qq")  # back to the fleet, and out
        assert shown.ended() == 0


def test_a_signal_ends_it_as_well(simulated: Simulated, ollama: Ollama, tmp_path: Path) -> None:
    simulated.control.write_text("* hang nvmlInit\n")
    with console(simulated, ollama, tmp_path) as shown:
        shown.until("1/1 well")
        os.write(shown.fd, b"2")
        shown.until(SILENT)
        os.kill(shown.pid, signal.SIGTERM)
        assert shown.ended() == 143


@pytest.mark.parametrize("function", ["nvmlShutdown", "nvmlEventSetWait_v2"])
def test_waiting_for_events_and_shutting_down_concern_nobody(
    function: str, simulated: Simulated, ollama: Ollama, tmp_path: Path
) -> None:
    simulated.control.write_text(f"* hang {function}\n")
    with console(simulated, ollama, tmp_path) as shown:
        shown.until("1/1 well")
        os.write(shown.fd, b"2")
        shown.until("79.6 GiB")
        goes_on(ollama, shown)
        assert SILENT not in shown.screen
        os.write(shown.fd, b"qq")  # back to the fleet, and out
        assert shown.ended() == 0


def test_values_grow_old_once_a_getter_hangs(simulated: Simulated, ollama: Ollama, tmp_path: Path) -> None:
    with console(simulated, ollama, tmp_path) as shown:
        shown.until("1/1 well")
        os.write(shown.fd, b"2")
        shown.until("79.6 GiB")
        simulated.control.write_text("2 hang nvmlDeviceGetPowerUsage\n")
        shown.until(SILENT)
        shown.until("its driver hangs; values ")
        goes_on(ollama, shown)
        os.write(shown.fd, b"qq")  # back to the fleet, and out
        assert shown.ended() == 0
