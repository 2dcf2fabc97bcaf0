"""A job as JSON and back. What can't be read back becomes its default: an old or damaged record is still a record. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from quarterdeck.model.job import Job, JobState, Option, Order, Progress

VERSION = 1
UNREADABLE = "its record can't be read"


def to_json(job: Job) -> dict[str, Any]:
    """The whole of it."""
    plain = replace(job, order=replace(job.order, options=dict(job.order.options)))  # asdict copies no other mapping
    return {"version": VERSION, **asdict(plain)}


def from_json(identity: str, told: object) -> Job:
    """The job that ``told`` is the record of. Whatever is in it: never raises."""
    record = _mapping(told)
    order = _mapping(record.get("order"))
    state = _state(record.get("state"))
    return Job(
        id=identity,
        order=Order(_text(order, "action"), _text(order, "target"), _text(order, "model") or None, _options(order)),
        state=state or JobState.DEAD,
        created=_number(record, "created") or 0.0,
        started=_number(record, "started"),
        ended=_number(record, "ended"),
        progress=_progress(_mapping(record.get("progress"))),
        words=_text(record, "words") if state is not None else UNREADABLE,
        attempts=_whole(record, "attempts") or 1,
        place=_text(record, "place"),
        user=_text(record, "user"),
        confirmed=_text(record, "confirmed"),
        fleet=_text(record, "fleet") or None,
        url=_text(record, "url") or None,
        engine=_text(record, "engine") or None,
        expected_bytes=_whole(record, "expected_bytes"),
        worker=_whole(record, "worker"),
    )


def _progress(told: Mapping[str, object]) -> Progress:
    fraction = _number(told, "fraction")
    return Progress(
        phase=_text(told, "phase"),
        fraction=min(1.0, max(0.0, fraction)) if fraction is not None else None,
        completed=_whole(told, "completed"),
        total=_whole(told, "total"),
        rate=_number(told, "rate"),
        eta_s=_number(told, "eta_s"),
    )


def _state(told: object) -> JobState | None:
    try:
        return JobState(told) if isinstance(told, str) else None
    except ValueError:
        return None


def _options(order: Mapping[str, object]) -> dict[str, Option]:
    return {
        str(name): value
        for name, value in _mapping(order.get("options")).items()
        if isinstance(value, str | int | float)
    }


def _mapping(told: object) -> Mapping[str, object]:
    return told if isinstance(told, dict) else {}


def _text(told: Mapping[str, object], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""


def _number(told: Mapping[str, object], name: str) -> float | None:
    value = told.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def _whole(told: Mapping[str, object], name: str) -> int | None:
    value = _number(told, name)
    return None if value is None else int(value)
