"""Alerts of GPUs and machines: who is who, what is old, and what a lost card supersedes."""

from __future__ import annotations

from collections.abc import Callable

from alert_play import HOT, Play
from fakes import gpu
from quarterdeck.model.alerts.alert import Severity
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.host import HostView


def hosts_of(make: Callable[[float], HostView], play: Play, seconds: int) -> list[str]:
    play.told, play.began = [], play.now
    for _ in range(seconds):
        play.wait(1)
        play.look((), (make(play.now),))
    return play.told


def test_two_gpus_of_one_index_are_two_subjects() -> None:
    """A new card took the place of one that was lost."""
    play = Play((Rule("gpu-lost", "gpu_lost", Severity.CRITICAL, 0.5, 0.5), HOT))

    def make(now: float) -> HostView:
        cards = (
            gpu(0, uuid="GPU-new", temperature_c=90.0),
            gpu(0, uuid="GPU-old", lost=True, temperature_c=95.0, at=900.0),
        )
        return HostView("h", "nvml", at=now, gpus=cards)

    assert hosts_of(make, play, 30) == ["1 raised gpu-lost h/0 GPU-old", "21 raised hot h/0"]


def test_old_values_of_a_machine_are_no_values() -> None:
    play = Play()
    read_at = play.now + 15

    def make(now: float) -> HostView:
        return HostView("h", "nvml", at=min(now, read_at), gpus=(gpu(0, temperature_c=90.0),))

    assert hosts_of(make, play, 120) == []


def test_a_lost_gpu_supersedes_its_heat() -> None:
    play = Play((Rule("gpu-lost", "gpu_lost", Severity.CRITICAL, 0.5, 0.5, for_s=4), HOT))
    hosts_of(lambda now: HostView("h", "nvml", at=now, gpus=(gpu(0, temperature_c=90.0),)), play, 30)
    lost = hosts_of(
        lambda now: HostView("h", "nvml", at=now, gpus=(gpu(0, temperature_c=90.0, lost=True, at=1030.0),)), play, 30
    )
    assert lost == ["5 raised gpu-lost h/0", "11 cleared hot h/0"]
    assert next(alert for alert in play.alerts if alert.rule == "hot").ending == "superseded: the GPU h/0 is lost"
