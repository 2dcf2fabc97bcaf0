"""How the GPU view looks, as a person saw it last: `pytest tests/tui/test_gpu_pictures.py --snapshot-update` after looking again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import FakeEngine, FrozenClock, config
from gpu_fleets import gpu_fleet
from quarterdeck.tui.app import ConsoleApp

Compare = Callable[..., bool]


def console(theme: str = "quarterdeck-night") -> ConsoleApp:
    engine = FakeEngine(newest=gpu_fleet())
    return ConsoleApp(config(theme=theme), make_engine=lambda _: engine, clock=FrozenClock().clock)


@pytest.mark.parametrize(
    ("size", "theme"),
    [((80, 24), "quarterdeck-night"), ((120, 36), "quarterdeck-day"), ((200, 60), "quarterdeck-night")],
    ids=["small", "medium", "large"],
)
def test_the_gpus(snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    assert snap_compare(console(theme), terminal_size=size, press=["2", "l", "l", "wait:50"])


@pytest.mark.parametrize("size", [(80, 60), (160, 60)], ids=["narrow", "wide"])
def test_one_gpu(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(console(), terminal_size=size, press=["2", "l", "l", "l", "l", "enter", "wait:50"])


def test_the_question(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.tui.gpus.orphans.audit_path", lambda: Path("/home/ops/.local/state/audit.jsonl"))
    assert snap_compare(console(), terminal_size=(100, 30), press=["2", "l", "l", "l", "x", "wait:50"])
