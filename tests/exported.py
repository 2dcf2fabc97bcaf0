"""A page of metrics as Prometheus' own client reads it, held against the document of `status --json`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from fakes import gpu, host_view
from fleets import gateway, mixed_fleet
from gpu_fleets import gpu_fleet
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.job import Job, JobState, Order
from quarterdeck.model.limits import Limits
from quarterdeck.model.verdict import judged
from quarterdeck.report.prometheus import METRICS, Seen, render

Labels = frozenset[tuple[str, str]]
Series = Mapping[tuple[str, Labels], float]
"""Name and labels (without empty ones) → value."""
FACTORS = (1, 1e-3, 1e6, 1 / 60)
"""Between a field and its metric: ms, MHz, per minute."""
NO_METRIC = {
    "schema_version",
    "endpoints[].replicas[].is_model",
    "hosts[].gpus[].index",
    "hosts[].gpus[].mig[].gpu_instance",
    "hosts[].gpus[].mig[].compute_instance",
    "hosts[].gpus[].mig[].number",
    "hosts[].gpus[].processes[].pid",
    "hosts[].gpus[].nvlinks[].number",
    "hosts[].gpus[].xids[].number",
}
"""Numbers and flags that only name something, and so are labels."""
SUMMED = {"hosts[].gpus[].processes[].memory_bytes"}
_NAMED_BY = {
    "endpoints[]": {"endpoint": "name"},
    "endpoints[].replicas[]": {"engine": "engine"},
    "endpoints[].models[]": {"model": "id"},
    "endpoints[].adapters[]": {"adapter": "name"},
    "hosts[]": {"host": "name"},
    "hosts[].gpus[]": {"gpu": "index"},
    "hosts[].gpus[].mig[]": {"mig": "number"},
    "hosts[].gpus[].nvlinks[]": {"link": "number"},
}


def leaves(whole: Mapping[str, Any]) -> Iterator[tuple[str, Labels, float]]:
    """Path, the labels that say of what it is, and value of every number and flag."""
    yield from _below("", frozenset(), whole)


def compared(whole: Mapping[str, Any], page: Series, only: frozenset[str] | None = None) -> int:
    """How many numbers of the document (of these paths) are on the page; fails where one isn't, or is another."""
    by_name: dict[str, list[tuple[Labels, float]]] = {}
    for (name, labels), value in page.items():
        by_name.setdefault(name, []).append((labels, value))
    told = 0
    for path, labels, number in leaves(whole):
        if path in NO_METRIC or path in SUMMED or (only is not None and path not in only):
            continue
        names = [metric.full_name for metric in METRICS if metric.json_path and _covers(metric.json_path, path)]
        assert names, f"no metric for {path}"
        values = [value for name in names for own, value in by_name.get(name, []) if labels <= own]
        near = any(math.isclose(value, number * factor, rel_tol=1e-12) for value in values for factor in FACTORS)
        assert near, (path, sorted(labels), number, values)
        told += 1
    return told


def _below(path: str, labels: Labels, value: Any) -> Iterator[tuple[str, Labels, float]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _below(f"{path}.{name}" if path else name, labels, each)
    elif isinstance(value, list):
        for each in value:
            own = labels | _named(f"{path}[]", each) if isinstance(each, dict) else labels
            yield from _below(f"{path}[]", own, each)
    elif isinstance(value, int | float):
        yield path, labels, float(value)


def _named(path: str, each: Mapping[str, Any]) -> Labels:
    return frozenset((label, str(each[field])) for label, field in _NAMED_BY.get(path, {}).items())


def _covers(metric_path: str, path: str) -> bool:
    return path == metric_path or path.startswith((f"{metric_path}.", f"{metric_path}[]."))


def seen(fleet: FleetSnapshot, **known: Any) -> Seen:
    return Seen(fleet, judged(fleet, Limits()), **known)


def parsed(page: bytes, *, openmetrics: bool = False) -> dict[tuple[str, Labels], float]:
    """Every series of a page; fails where two are the same."""
    found: dict[tuple[str, Labels], float] = {}
    families = openmetrics_families if openmetrics else text_families
    for family in families(page.decode("utf-8")):
        for sample in family.samples:
            key = (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value))
            assert key not in found
            found[key] = float(sample.value)
    return found


def series(fleet: FleetSnapshot, **known: Any) -> Series:
    return parsed(render(seen(fleet, **known)))


def value(page: Series, name: str, /, **labels: str) -> float | None:
    """The only series that has these labels; ``None`` where there is none."""
    matching = [
        number
        for (each, found), number in page.items()
        if each == f"quarterdeck_{name}" and labels.items() <= set(found)
    ]
    assert len(matching) <= 1
    return matching[0] if matching else None


def everything() -> FleetSnapshot:
    """Every field of every kind of thing, somewhere."""
    some, more = mixed_fleet(), gpu_fleet()
    named = tuple(replace(view, name=f"{view.name}-2") for view in more.endpoints)
    hosts = tuple(replace(view, name=f"{view.name}-2", disk_used_bytes=5, disk_total_bytes=9) for view in more.hosts)
    return replace(
        some,
        endpoints=(*some.endpoints, gateway(), *named),
        hosts=(*some.hosts, *hosts, host_view("mac", gpu(0, fan=0.4), memory_pressure="warning")),
        jobs=(Job("a", Order("pull", "mac"), JobState.RUNNING), Job("b", Order("pull", "mac"), JobState.FAILED)),
    )
