"""`c` copies, in every view, and says which way it went."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console_driver import Console, console
from fakes import endpoint_view, model, snapshot
from gpu_fleets import gpu_fleet
from jobs import job, order
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.tui.copying import doing, ways
from quarterdeck.tui.copying.ways import Native
from quarterdeck.tui.screens.choose import ChooseScreen

UNIX = 1_795_370_400.0


class Clipboard:
    """What got where."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.sent: list[str] = []
        self.working = True

    def send(self, sequence: str) -> bool:
        self.sent.append(sequence)
        return True


@pytest.fixture
def clipboard(monkeypatch: pytest.MonkeyPatch) -> Clipboard:
    """A native one."""
    got = Clipboard()

    async def hand_over(program: Native, text: str, within: float = 0.0) -> bool:
        got.texts.append(text)
        return got.working

    monkeypatch.setattr(ways, "native", lambda environ: Native("xclip", ("xclip",)))
    monkeypatch.setattr(ways, "of_tmux", lambda environ: None)
    monkeypatch.setattr(ways, "hand_over", hand_over)
    return got


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Console], Clipboard]:
    """No program: the terminal, or a file."""
    monkeypatch.setattr(ways, "native", lambda environ: None)
    monkeypatch.setattr(ways, "of_tmux", lambda environ: None)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("STY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def of(it: Console) -> Clipboard:
        got = Clipboard()
        monkeypatch.setattr(it.app, "write_to_terminal", got.send)
        return got

    return of


async def said(it: Console, text: str) -> None:
    """Copying goes on in the background."""
    for _ in range(300):
        if text in it.app.notice:
            return
        await it.pilot.pause()
        await asyncio.sleep(0.01)
    raise AssertionError(it.app.notice)


# ---- every view


async def test_the_fleet_and_an_endpoint(clipboard: Clipboard) -> None:  # key: copy
    async with console() as it:
        await it.press("G", "k", "c")
        await said(it, "copied the URL")
        assert clipboard.texts == ["http://127.0.0.1:8000/qwen-prod"]
        assert it.app.notice == "copied the URL (31 characters) by xclip; c again: more"
        await it.press("space", "k", "k", "space", "y")
        await said(it, "copied URLs")
        assert len(clipboard.texts[-1].splitlines()) == 2
        await it.press("escape", "G", "k", "enter", "c")
        await said(it, "raw values of qwen-prod")
        assert "running" in clipboard.texts[-1]
        await it.press("1")
        await it.press("g", "enter", "c")
        await said(it, "copied the URL")
        assert clipboard.texts[-1] == "http://10.0.0.9:8001", "it has told of no raw values"


async def test_models(clipboard: Clipboard) -> None:
    mac = endpoint_view("mac", engine="ollama", models=(model("qwen3:8b"),))
    async with console(snapshot(mac)) as it:
        await it.press("3", "c")
        await said(it, "copied the model's id")
        assert clipboard.texts == ["qwen3:8b"]


async def test_gpus(clipboard: Clipboard) -> None:
    async with console(gpu_fleet(), size=(120, 36)) as it:
        await it.press("2", "c")
        await said(it, "copied")
        first = it.app.fleet.hosts[0].gpus[0]
        assert clipboard.texts == [first.uuid or f"{it.app.fleet.hosts[0].name}/{first.index}"]
        await it.press("enter", "c")
        await said(it, "copied")
        assert clipboard.texts[-1] == clipboard.texts[0]


async def test_alerts_and_jobs(clipboard: Clipboard) -> None:
    alert = Alert(
        "down a", "down", Severity.CRITICAL, "a", "DOWN for 5m", UNIX - 300, UNIX - 290, ("refused",), endpoint="a"
    )
    fleet = replace(snapshot(endpoint_view("a")), alerts=(alert,), jobs=(job(order("pull", "a", "m:1")),), time=UNIX)
    async with console(fleet) as it:
        await it.press("5", "c")
        await said(it, "copied the alert")
        assert clipboard.texts[0].splitlines()[0] == "CRITICAL a: DOWN for 5m"
        await it.press("6", "c")
        await said(it, "copied the command")
        assert clipboard.texts[-1] == "quarterdeck pull m:1 --on a"


async def test_nothing_to_copy_is_said(clipboard: Clipboard) -> None:
    async with console(snapshot()) as it:
        for view in ("1", "2", "3", "5", "6"):
            await it.press(view, "c")
            assert it.app.notice == "nothing is selected"
        assert not clipboard.texts


async def test_a_page_to_read(clipboard: Clipboard) -> None:
    async with console() as it:
        it.app.do_audit()
        await it.sees("Audit log")
        await it.press("c")
        await said(it, "copied the page")
        assert "nothing was done yet" in clipboard.texts[0]


# ---- the ways


async def test_a_second_time_asks_what_else(clipboard: Clipboard) -> None:
    async with console() as it:
        await it.press("c")
        await said(it, "c again: more")
        await it.press("c")
        await it.sees("a curl line for its models")
        await it.press("2")
        await said(it, "copied the name")
        assert clipboard.texts == ["http://10.0.0.9:8001", "coder-b"]
        await it.press("c")
        await said(it, "copied the URL")
        it.clock.advance(doing.AGAIN_S + 1)
        await it.press("c")
        assert not isinstance(it.app.screen, ChooseScreen), "too late: it is copied again"
        await it.press("down", "c")
        assert not isinstance(it.app.screen, ChooseScreen), "that is something else"


async def test_into_a_file_by_choice(terminal: Callable[[Console], Clipboard], tmp_path: Path) -> None:
    async with console() as it:
        got = terminal(it)
        await it.press("c")
        await said(it, "by OSC 52")
        assert got.sent == ["\x1b]52;c;aHR0cDovLzEwLjAuMC45OjgwMDE=\x07"]
        await it.press("c")
        await it.sees("into a file")
        await it.press("f")
        await said(it, "clipboard.txt")
        path = tmp_path / "state" / "quarterdeck" / "clipboard.txt"
        assert path.read_text() == "http://10.0.0.9:8001"
        assert "~/state/quarterdeck/clipboard.txt" in it.app.notice


async def test_a_program_that_fails_leaves_it_to_the_terminal(
    clipboard: Clipboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    clipboard.working = False
    monkeypatch.setenv("TERM", "xterm")
    async with console() as it:
        monkeypatch.setattr(it.app, "write_to_terminal", clipboard.send)
        await it.press("c")
        await said(it, "by OSC 52")
        assert len(clipboard.sent) == 1


async def test_what_is_too_long_or_not_understood_goes_into_a_file(
    terminal: Callable[[Console], Clipboard], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with console() as it:
        got = terminal(it)
        doing.put(it.app, doing.Copyable("the page", "x" * 80_000))
        await said(it, "too long for the terminal: the page (80000 characters) is in ~/state/quarterdeck/clipboard.txt")
        monkeypatch.setenv("TERM", "linux")
        doing.put(it.app, doing.Copyable("the URL", "http://x"))
        await said(it, "this terminal has no clipboard")
        assert not got.sent
        (tmp_path / "state" / "quarterdeck" / "clipboard.txt").unlink()
        (tmp_path / "state" / "quarterdeck").rmdir()
        (tmp_path / "state" / "quarterdeck").write_text("")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        doing.put(it.app, doing.Copyable("the URL", "http://x"))
        await said(it, "not copied: this terminal has no clipboard; it can't be written to a file either")


async def test_nothing_that_a_server_sent_acts_where_it_is_pasted(clipboard: Clipboard) -> None:
    """The end of a bracketed paste, and a command behind it."""
    mac = endpoint_view("mac", engine="ollama", models=(model("qwen3\x1b[201~\r; reboot\x9b"),))
    async with console(snapshot(mac)) as it:
        await it.press("3", "c")
        await said(it, "copied the model's id")
        assert clipboard.texts == ["qwen3[201~; reboot"]
        assert it.app.clipboard == clipboard.texts[0]


async def test_no_key_waits_for_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    never = asyncio.Event()

    async def hand_over(program: Native, text: str, within: float = 0.0) -> bool:
        await never.wait()
        return True

    monkeypatch.setattr(ways, "native", lambda environ: Native("slow", ("slow",)))
    monkeypatch.setattr(ways, "hand_over", hand_over)
    async with console() as it:
        await it.press("c", "down")
        assert it.selected == it.table.rows[1].view.name
