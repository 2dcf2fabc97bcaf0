"""The view of alerts and events: what it shows, and what its keys do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console_driver import console as running
from fakes import endpoint_view, snapshot
from quarterdeck.errors import UsageError
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.tui.alerts.lines import marks

T = 1_795_370_400.0


def alert(
    subject: str = "vllm-a", *, rule: str = "queue", severity: Severity = Severity.WARNING, **given: object
) -> Alert:
    base = Alert(
        key=f"{rule} {subject}",
        rule=rule,
        severity=severity,
        subject=subject,
        what="12 requests wait, for 45 s",
        since=T - 75,
        raised_at=T - 45,
        evidence=("waiting: 0 then, 12 now", "running: 8 of 8"),
        cause="more arrives than it can answer",
        advice="send less, or start a replica: n",
        endpoint=subject,
    )
    return replace(base, **given)  # type: ignore[arg-type]


def fleet(*alerts: Alert, happenings: tuple[Happening, ...] = ()) -> FleetSnapshot:
    views = (endpoint_view("vllm-a", state=State.BUSY), endpoint_view("mac"))
    return replace(snapshot(*views), time=T, alerts=alerts, happenings=happenings)


class FakeAlarms:
    def __init__(self) -> None:
        self.done: list[tuple[object, ...]] = []
        self.silences = ()

    def acknowledge(self, key: str, note: str = "") -> None:
        self.done.append(("ack", key, note))

    def silence(self, name: str, seconds: float, note: str = "") -> None:
        if name == "queue":
            raise UsageError("no such rule")
        self.done.append(("silence", name, seconds))

    def unsilence(self, name: str) -> None:
        self.done.append(("unsilence", name))


async def test_an_alert_is_shown_with_its_evidence_cause_and_advice() -> None:  # key: view_alerts
    async with running(
        fleet(alert(), alert("mac", rule="down", severity=Severity.CRITICAL, what="DOWN")), size=(120, 36)
    ) as console:
        assert "▲ 2 alerts" in console.text
        await console.press("5")
        await console.sees("▲ 1 critical  △ 1 warning")
        await console.sees("waiting: 0 then, 12 now")
        for text in ("running: 8 of 8", "more arrives than it can answer", "start a replica", "1m"):
            assert text in console.text
        await console.press("escape")
        assert "Alerts" not in console.text


async def test_nothing_wrong_is_said() -> None:
    async with running(fleet(), size=(80, 24)) as console:
        assert "alert" not in console.text.splitlines()[-1].split("?")[0]
        await console.press("5")
        await console.sees("none open")
        await console.sees("Nothing is wrong")
        await console.press("a")
        assert "there is no alert" in console.text


async def test_acknowledge_with_a_note() -> None:  # key: acknowledge
    async with running(fleet(alert()), size=(120, 36)) as console:
        console.engine.alarms = alarms = FakeAlarms()  # type: ignore[attr-defined]
        await console.press("5", "a", *"on it", "enter")
        await console.sees("acknowledged: 12 requests wait")
        assert alarms.done == [("ack", "queue vllm-a", "on it")]
        await console.press("a", "escape")
        assert len(alarms.done) == 1


@pytest.mark.parametrize(
    ("keys", "done"),
    [
        (("1",), ("silence", "queue vllm-a", 1800.0)),
        (("5",), ("silence", "vllm-a", 7200.0)),
        (("down", "enter"), ("silence", "queue vllm-a", 7200.0)),
    ],
)
async def test_silence(keys: tuple[str, ...], done: tuple[object, ...]) -> None:
    async with running(fleet(alert()), size=(120, 36)) as console:
        console.engine.alarms = alarms = FakeAlarms()  # type: ignore[attr-defined]
        await console.press("5", "z", *keys)
        await console.sees("silent for")
        assert alarms.done == [done]


async def test_what_cannot_be_silenced_is_said() -> None:  # key: silence
    async with running(fleet(alert()), size=(120, 36)) as console:
        console.engine.alarms = FakeAlarms()  # type: ignore[attr-defined]
        await console.press("5", "z", "6")
        await console.sees("no such rule")


async def test_a_silent_one_speaks_again() -> None:
    async with running(fleet(alert(silenced_until=T + 60)), size=(120, 36)) as console:
        console.engine.alarms = alarms = FakeAlarms()  # type: ignore[attr-defined]
        await console.press("5")
        await console.sees("silent")
        await console.press("z")
        await console.sees("no longer silent")
        assert alarms.done == [("unsilence", "queue vllm-a")]


async def test_events_are_filtered() -> None:  # key: other_list
    happenings = (
        Happening(T - 60, Topic.STATE, "vllm-a", "DOWN", "connection refused"),
        Happening(T - 50, Topic.ALERT, "vllm-a", "raised", "down", severity="critical"),
        Happening(T - 10, Topic.MODEL, "mac", "loaded", "qwen3:8b [bold]\x1b[31m"),
    )
    async with running(fleet(happenings=happenings), size=(120, 36)) as console:
        await console.press("5", "tab")
        await console.sees("connection refused")
        assert "qwen3:8b [bold]" in console.text
        assert "\x1b" not in console.text
        await console.press("slash", *"mac", "enter")
        await console.sees("/mac 1 of 3")
        assert "connection refused" not in console.text
        await console.press("escape")
        await console.sees("connection refused")
        await console.press("G", "enter")
        await console.sees("vllm-a")


async def test_a_selected_alert_stays_selected_when_a_worse_one_comes() -> None:
    async with running(fleet(alert()), size=(120, 36)) as console:
        await console.press("5", "down")
        worse = alert("mac", rule="down", severity=Severity.CRITICAL, what="DOWN", evidence=("refused",))
        await console.show(fleet(worse, alert()))
        await console.sees("running: 8 of 8")


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
async def test_every_size_has_room_for_what_and_where(size: tuple[int, int]) -> None:
    async with running(fleet(alert(what="x" * 300)), size=size) as console:
        await console.press("5")
        await console.sees("vllm-a")
        assert all(len(line) <= size[0] for line in console.text.splitlines())


def test_the_mark_of_a_row_is_its_worst_unseen_alert() -> None:
    seen = Acknowledged(T, "ana")
    alerts = (
        alert("a"),
        alert("a", rule="down", severity=Severity.CRITICAL),
        alert("b", acknowledged=seen),
        alert("c", cleared_at=T),
        alert("d"),
    )
    assert marks(alerts) == {"a": "state-down", "d": "state-busy"}
