"""How alerts, events and models look: `pytest tests/tui/test_view_pictures.py --snapshot-update` after looking again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fakes import FakeEngine, FrozenClock, config
from fleets import mixed_fleet
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.tui.app import ConsoleApp

Compare = Callable[..., bool]


def troubled() -> FleetSnapshot:
    """The mixed fleet, with alerts and what happened before."""
    fleet = mixed_fleet()
    now, first, second = fleet.time, fleet.endpoints[0].name, fleet.endpoints[1].name
    down = Alert(
        f"down {first}",
        "down",
        Severity.CRITICAL,
        first,
        "DOWN: connection refused",
        now - 95,
        now - 85,
        ("when it began: OK, 3 running, 41 tok/s", "now: connection refused"),
        "nothing listens on its port: the server has ended, or still loads its model",
        f"`quarterdeck start {first}`, or look at its log: l",
        endpoint=first,
    )
    queue = replace(
        down,
        key=f"queue {second}",
        rule="queue",
        severity=Severity.WARNING,
        subject=second,
        what="12 requests waiting",
        endpoint=second,
        acknowledged=Acknowledged(now - 20, "ana", "more replicas are on their way"),
    )
    happenings = (
        Happening(now - 300, Topic.MODEL, second, "loaded", "qwen3:8b"),
        Happening(now - 95, Topic.STATE, first, "DOWN", "connection refused"),
        Happening(now - 85, Topic.ALERT, first, "raised", "DOWN: connection refused", "critical"),
    )
    return replace(fleet, alerts=(down, queue), happenings=happenings)


@pytest.mark.parametrize(
    ("size", "theme", "keys"),
    [
        ((80, 24), "quarterdeck-night", ["5"]),
        ((120, 36), "reykjavik-frost", ["5"]),
        ((80, 24), "cape-storm", ["5", "tab"]),
        ((80, 24), "halifax-fog", ["3"]),
        ((120, 36), "lisbon-noon", ["3"]),
    ],
    ids=["alerts-small", "alerts-medium", "events", "models-small", "models-medium"],
)
def test_a_view(snap_compare: Compare, size: tuple[int, int], theme: str, keys: list[str]) -> None:
    engine = FakeEngine(newest=troubled())
    app = ConsoleApp(config(theme=theme), make_engine=lambda _: engine, clock=FrozenClock().clock)
    assert snap_compare(app, terminal_size=size, press=[*keys, "wait:100"])
