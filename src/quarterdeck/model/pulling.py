"""How far a download is, folded from what a server says while it pulls: it never runs backwards, whatever comes.

Sources: Ollama /api/pull (one line per layer every 60 ms, layers one after another, so the total grows), LM Studio's download status
(``downloaded_bytes``, ``total_size_bytes``), and the llama.cpp router (``status.progress`` = {url: {done, total}}). Times are seconds
of a monotonic clock of the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

from quarterdeck.model.job import Progress
from quarterdeck.model.pull_errors import PullError, PullFailure, failure
from quarterdeck.model.pull_lines import PULLING, Part, complaint, finished, parts, size_of, status_of

__all__ = ["Layer", "PullError", "PullFailure", "PullProgress", "advance", "begin", "progress_of", "restarted"]

WINDOW_S = 10.0
"""What the rate is smoothed over."""
_STEP_S = 0.5
"""Samples of the rate are no closer than this."""
_LEAST_S = 2.0
"""Shorter than this tells no rate."""
_LONGEST_ETA_S = 30 * 86_400
_ALMOST = 0.999
"""As far as bytes can bring the bar; only success makes it full."""
_UNSURE = 0.97
"""As far as they can where what is still to come isn't known."""
_MOST_LAYERS = 512


@dataclass(frozen=True, slots=True)
class Layer:
    """One part of the download: a layer of Ollama's, a file, or all of it. Sizes in bytes."""

    name: str
    """Digest or URL; "" where there is only one."""
    total: int | None = None
    completed: int = 0
    """The most that was ever there."""
    now: int | None = None
    """What was there by the last line; ``None`` after a restart, until the layer is heard of again."""
    cached: int = 0
    """What was there before anything was downloaded: all of it, or the part of an earlier try."""

    @property
    def was_there(self) -> bool:
        """Whether all of it was there before."""
        return self.total is not None and self.cached >= self.total


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a download is. ``completed`` and ``fraction`` never go back, over any number of restarts."""

    status: str = "starting"
    """In our words ("pulling layer 2"); what is not known, as the server says it, cleaned."""
    layers: tuple[Layer, ...] = ()
    completed: int = 0
    """Bytes that are there, those of earlier tries among them."""
    total: int | None = None
    """Bytes, as far as is known now: it can grow."""
    expected: int | None = None
    """What all of it should come to, where somebody knows."""
    fraction: float | None = None
    """0 to 1; ``None`` until there is anything to go by, 1 only when it is done."""
    downloaded: int = 0
    """Bytes that came while this was watched: what the rate is made of."""
    rate: float | None = None
    """Bytes per second over the last ten seconds."""
    eta_s: float | None = None
    """Seconds to the end at that rate; ``None`` where that means nothing."""
    done: bool = False
    error: PullFailure | None = None
    attempts: int = 1
    moved: float | None = None
    """When bytes last came: what a stall is told by."""
    samples: tuple[tuple[float, int], ...] = ()
    """(time, downloaded) of the last ten seconds."""
    base: tuple[float, int] = (0.0, 0)
    """Where ``expected`` isn't known: the fraction when the last layer appeared, and the bytes that counted then."""

    @property
    def cached(self) -> int:
        """Bytes that were there before anything was downloaded."""
        return sum(layer.cached for layer in self.layers)

    @property
    def retryable(self) -> bool:
        """Whether doing it again can go on: it ended early, or for a reason that passes."""
        return not self.done and (self.error is None or self.error.retryable)


def begin(expected: int | None = None) -> PullProgress:
    """Nothing heard yet. ``expected``: all bytes, where they are known from a manifest or a list."""
    return PullProgress(expected=size_of(expected) or None)


def restarted(progress: PullProgress, at: float) -> PullProgress:
    """``progress`` of a pull that was asked for again: what was there stays, the rate begins anew, an error is forgotten."""
    if progress.done:
        return progress
    layers = tuple(replace(layer, now=None) for layer in progress.layers)
    return replace(
        progress,
        status="asking again",
        layers=layers,
        rate=None,
        eta_s=None,
        error=None,
        attempts=progress.attempts + 1,
        moved=at if math.isfinite(at) else progress.moved,
        samples=(),
    )


def advance(progress: PullProgress, line: Mapping[str, object], at: float) -> PullProgress:
    """``progress`` with one more line, or one more answer, that came ``at``. Never raises; after the end nothing changes."""
    if progress.done or progress.error is not None:
        return progress
    wrong = complaint(line)
    if wrong is not None:
        return replace(progress, error=failure(wrong), status="failed", rate=None, eta_s=None)
    if finished(line):
        return _success(progress)
    heard = tuple(islice(parts(line), _MOST_LAYERS))
    for part in heard:
        progress = _layer(progress, part, at)
    progress = replace(progress, status=_status(progress, line, heard))
    return _timed(_measured(progress), at)


def progress_of(progress: PullProgress) -> Progress:
    """As a job shows it. How it ended is its result, not a phase; no bytes are told before any were told of."""
    phase = "" if progress.done or progress.error is not None else progress.status
    completed = progress.completed if progress.completed or progress.layers else None
    return Progress(phase, progress.fraction, completed, progress.total, progress.rate, progress.eta_s)


def _status(progress: PullProgress, line: Mapping[str, object], heard: tuple[Part, ...]) -> str:
    said = status_of(line)
    if said == PULLING and heard:
        place = next((i for i, layer in enumerate(progress.layers, 1) if layer.name == heard[0].name), None)
        return "pulling" if place is None or not heard[0].name else f"pulling {heard[0].kind} {place}"
    return said or progress.status


def _layer(progress: PullProgress, part: Part, at: float) -> PullProgress:
    """``progress`` with what was heard of one layer."""
    name, total, completed, _ = part
    place = next((i for i, layer in enumerate(progress.layers) if layer.name == name), None)
    if place is None:
        return _new_layer(progress, name, total, completed)
    old = progress.layers[place]
    total = total if total is not None else old.total
    now = old.now if completed is None else _within(completed, total)
    came = max(0, now - old.now) if now is not None and old.now is not None else 0
    layer = replace(old, total=total, now=now, completed=max(old.completed, now or 0))
    layers = (*progress.layers[:place], layer, *progress.layers[place + 1 :])
    moved = at if came and math.isfinite(at) else progress.moved
    return replace(progress, layers=layers, downloaded=progress.downloaded + came, moved=moved)


def _new_layer(progress: PullProgress, name: str, total: int | None, completed: int | None) -> PullProgress:
    if len(progress.layers) >= _MOST_LAYERS:
        return progress
    now = _within(completed or 0, total)
    layer = Layer(name, total, now, now, now)
    return replace(
        progress, layers=(*progress.layers, layer), base=(progress.fraction or 0.0, _counted(progress.layers)[0])
    )


def _within(completed: int, total: int | None) -> int:
    return completed if not total else min(completed, total)


def _counted(layers: tuple[Layer, ...]) -> tuple[int, int]:
    """Bytes there and bytes in all of the layers that were not there before."""
    counted = [layer for layer in layers if layer.total and not layer.was_there]
    return sum(min(layer.completed, layer.total or 0) for layer in counted), sum(layer.total or 0 for layer in counted)


def _measured(progress: PullProgress) -> PullProgress:
    """``progress`` with its sums and its fraction."""
    completed = max(progress.completed, sum(layer.completed for layer in progress.layers))
    told = sum(layer.total or 0 for layer in progress.layers)
    known = max(told, progress.expected or 0)
    total = max(known, completed) if known else None
    raw = _fraction(progress, completed, total)
    fraction = progress.fraction if raw is None else max(progress.fraction or 0.0, min(_ALMOST, raw))
    return replace(progress, completed=completed, total=total, fraction=fraction)


def _fraction(progress: PullProgress, completed: int, total: int | None) -> float | None:
    """How far it is: of what is expected; or, where nothing is, of what was outstanding when the last layer appeared.

    The second keeps the bar moving when the total grows. A layer that was there before tells nothing of those to come.
    """
    if progress.expected and total:
        return completed / total
    there, wanted = _counted(progress.layers)
    if not wanted:
        return None
    fraction, before = progress.base
    outstanding = wanted - before
    share = (there - before) / outstanding if outstanding > 0 else 0.0
    return fraction + max(0.0, min(1.0, share)) * max(0.0, _UNSURE - fraction)


def _timed(progress: PullProgress, at: float) -> PullProgress:
    """``progress`` with its rate and what that means for the end."""
    if not math.isfinite(at):
        return progress
    samples = _sampled(progress.samples, at, progress.downloaded)
    span = at - samples[0][0]
    rate = (progress.downloaded - samples[0][1]) / span if span >= _LEAST_S else None
    return replace(progress, samples=samples, rate=rate, eta_s=_eta(progress, rate))


def _sampled(samples: tuple[tuple[float, int], ...], at: float, downloaded: int) -> tuple[tuple[float, int], ...]:
    if not samples or at < samples[-1][0]:
        return ((at, downloaded),)
    if at - samples[-1][0] >= _STEP_S:
        samples = (*samples, (at, downloaded))
    while len(samples) > 2 and samples[1][0] <= at - WINDOW_S:
        samples = samples[1:]
    return samples


def _eta(progress: PullProgress, rate: float | None) -> float | None:
    if not rate or progress.total is None:
        return None
    there = sum(layer.completed if layer.now is None else layer.now for layer in progress.layers)
    seconds = max(0, progress.total - there) / rate
    return seconds if 0 < seconds <= _LONGEST_ETA_S else None


def _success(progress: PullProgress) -> PullProgress:
    layers = tuple(replace(layer, completed=max(layer.completed, layer.total or 0)) for layer in progress.layers)
    completed = max(progress.completed, sum(layer.completed for layer in layers))
    total = completed if layers else progress.expected
    return replace(
        progress,
        status="done",
        layers=layers,
        completed=completed if layers else progress.expected or 0,
        total=total,
        fraction=1.0,
        rate=None,
        eta_s=None,
        done=True,
    )
