"""Recorded answers of real servers (tests/data), and what a full Prometheus parser reads in them."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

DATA = Path(__file__).parent / "data"


def recorded(name: str) -> bytes:
    """The answer as it came."""
    return (DATA / name).read_bytes()


Sample = tuple[str, tuple[tuple[str, str], ...], float]


def samples(text: str) -> list[Sample]:
    """Every sample of a page, by `prometheus_client.parser`: name, labels, value."""
    return [
        (sample.name, tuple(sorted(sample.labels.items())), float(sample.value))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def value(page: str, name: str, **labels: str) -> float:
    """The sum of all samples of a recorded page with that name and these labels."""
    found = [
        number
        for sample, its_labels, number in samples(recorded(page).decode())
        if sample == name and set(labels.items()) <= set(its_labels)
    ]
    assert found, f"{page} has no {name} {labels}"
    return sum(found)
