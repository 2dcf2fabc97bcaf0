"""Who notifies: two consoles and a watch at once tell nobody three times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quarterdeck.engine.notifying.turns import Turn

HOLDER = """
import sys
from pathlib import Path
from quarterdeck.engine.notifying.turns import Turn
turn = Turn(Path(sys.argv[1]), first=True)
print(turn.take(), flush=True)
sys.stdin.read()
"""


def test_one_console_of_two(tmp_path: Path) -> None:
    one, other = (Turn(tmp_path / "s/t", first=False) for _ in range(2))
    assert (one.take(), other.take(), one.take()) == (True, False, True)
    one.leave()
    assert (other.take(), one.take()) == (True, False)


def test_watch_goes_first(tmp_path: Path) -> None:
    console, watch, second = (Turn(tmp_path / "t", first=first) for first in (False, True, True))
    assert console.take()
    assert not watch.take()  # until the console has seen that it is there
    assert not console.take()
    assert watch.take()
    assert not second.take()
    assert not console.take()
    watch.leave()
    assert second.take()
    assert not console.take()
    second.leave()
    assert console.take()


def test_a_watch_that_is_killed_leaves_its_turn(tmp_path: Path) -> None:
    console = Turn(tmp_path / "t", first=False)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "t")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    assert not console.take()
    process.kill()
    process.communicate(timeout=10)
    assert console.take()


@pytest.mark.parametrize("first", [True, False])
def test_where_no_lock_can_be_had_those_who_go_first_notify(tmp_path: Path, first: bool) -> None:
    (tmp_path / "s").write_text("a file")
    turn = Turn(tmp_path / "s/t", first=first)
    assert turn.take() is first
    assert turn.problem
    (tmp_path / "s").unlink()
    assert turn.take()
    assert not turn.problem


def test_a_program_that_is_started_inherits_no_lock(tmp_path: Path) -> None:
    turn = Turn(tmp_path / "t", first=True)
    assert turn.take()
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    turn.leave()
    assert Turn(tmp_path / "t", first=True).take()
    child.kill()
    child.wait(10)
    assert not os.get_inheritable(os.open(tmp_path / "t", os.O_RDONLY))
