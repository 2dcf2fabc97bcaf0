"""How it looks, as a person saw it last: `pytest tests/tui/test_pictures.py --snapshot-update` after looking again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fakes import FakeEngine, FrozenClock, config
from fleets import mixed_fleet
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot
from quarterdeck.tui.app import ConsoleApp

Compare = Callable[..., bool]


def console(fleet: FleetSnapshot, theme: str = "quarterdeck-night", **options: Any) -> ConsoleApp:
    engine = FakeEngine(newest=fleet)
    return ConsoleApp(config(theme=theme), make_engine=lambda _: engine, clock=FrozenClock().clock, **options)


@pytest.mark.parametrize(
    ("size", "theme"),
    [((80, 24), "quarterdeck-night"), ((120, 36), "quarterdeck-night"), ((200, 60), "quarterdeck-day")],
)
def test_the_fleet(snap_compare: Compare, size: tuple[int, int], theme: str) -> None:
    assert snap_compare(console(mixed_fleet(), theme), terminal_size=size, press=["j", "wait:50"])


@pytest.mark.parametrize(
    ("size", "theme", "keys"),
    [
        ((80, 24), "quarterdeck-night", []),
        ((80, 24), "quarterdeck-day", ["w", "left", "left", "left", "left"]),
        ((120, 36), "quarterdeck-day", []),
        ((200, 60), "quarterdeck-night", ["w", *["left"] * 9]),
    ],
    ids=["small", "small-charts", "medium", "large"],
)
def test_an_endpoint(snap_compare: Compare, size: tuple[int, int], theme: str, keys: list[str]) -> None:
    press = ["G", "k", "enter", *keys, "wait:50"]
    assert snap_compare(console(mixed_fleet(), theme), terminal_size=size, press=press)


def test_models_unfolded(snap_compare: Compare) -> None:
    assert snap_compare(console(mixed_fleet()), terminal_size=(120, 36), press=["G", "x", "wait:50"])


def test_help(snap_compare: Compare) -> None:
    assert snap_compare(console(mixed_fleet()), terminal_size=(80, 36), press=["question_mark", "wait:50"])


def test_the_palette(snap_compare: Compare) -> None:
    assert snap_compare(console(mixed_fleet()), terminal_size=(80, 24), press=["colon", "q", "wait:50"])


def test_nothing_found(snap_compare: Compare) -> None:
    app = console(
        EMPTY_FLEET, looking_for="Looking for model servers on this machine …", problems=("fleet.toml:3: no such key",)
    )
    assert snap_compare(app, terminal_size=(80, 24), press=["wait:50"])
