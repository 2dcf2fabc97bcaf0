"""What the metrics are of: the document of `status --json` taken apart, no more of anything than one page may hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from quarterdeck import __version__
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.job import JobState
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import EngineReading
from quarterdeck.model.verdict import Verdict
from quarterdeck.report.json import document
from quarterdeck.report.prometheus.metric import Labels, Scope

MOST = 100
"""So many of a kind are told for each endpoint, host or GPU; `quarterdeck_left_out` counts the others."""
_IN_MEMORY = (ModelState.LOADED.value, ModelState.LOADING.value, ModelState.SLEEPING.value)

T = TypeVar("T")
Row = tuple[Labels, Mapping[str, Any]]
"""Values of the scope's labels, and the document."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page is made of. What this program doesn't know of itself is ``None`` or ``False``."""

    snapshot: FleetSnapshot
    verdict: Verdict
    missed: int | None = None
    """Polls left out so far."""
    jobs_known: bool = False
    """Whether the jobs were read; ``snapshot.jobs`` is empty before, too."""


class Rows:
    """The rows of every scope but the program's own, which is asked for last: it tells of what was left out."""

    def __init__(self, seen: Seen) -> None:
        """Takes a snapshot apart."""
        self._seen = seen
        self.left_out: Counter[str] = Counter()
        whole = document(seen.snapshot, seen.verdict)
        self._rows: dict[Scope, list[Row]] = {scope: [] for scope in Scope}
        self._rows[Scope.FLEET].append(((), whole))
        for endpoint in whole["endpoints"]:
            self._add_endpoint(endpoint)
        for view in seen.snapshot.endpoints:
            for engine in self.cut(view.engines, "engines"):
                self._rows[Scope.COUNTERS].append(((view.name, engine.label), _counters(engine)))
        for host in whole["hosts"]:
            self._add_host(host)

    def of(self, scope: Scope) -> list[Row]:
        """The rows of a scope."""
        return [((), self._program())] if scope is Scope.PROGRAM else self._rows[scope]

    def cut(self, items: Sequence[T], what: str) -> Sequence[T]:
        """No more than `MOST` of them; the others are counted."""
        if len(items) > MOST:
            self.left_out[what] += len(items) - MOST
        return items[:MOST]

    def _add_endpoint(self, endpoint: Mapping[str, Any]) -> None:
        name = (endpoint["name"],)
        self._rows[Scope.ENDPOINT].append((name, endpoint))
        for replica in self.cut(endpoint["replicas"], "replicas"):
            self._rows[Scope.REPLICA].append(((*name, replica["engine"]), replica))
        models = sorted(endpoint["models"], key=lambda model: model["state"] not in _IN_MEMORY)
        for model in self.cut(models, "models"):
            self._rows[Scope.MODEL].append(((*name, model["id"]), model))

    def _add_host(self, host: Mapping[str, Any]) -> None:
        self._rows[Scope.HOST].append(((host["name"],), host))
        for gpu in self.cut(host["gpus"], "gpus"):
            labels = (host["name"], str(gpu["index"]), gpu["uuid"] or "")
            self._rows[Scope.GPU].append((labels, gpu))
            for part in self.cut(gpu["mig"], "mig"):
                self._rows[Scope.MIG].append(((*labels, str(part["number"])), part))

    def _program(self) -> Mapping[str, Any]:
        jobs = Counter(job.state for job in self._seen.snapshot.jobs)
        return {
            "version": __version__,
            "missed": self._seen.missed,
            "jobs": {state.value: jobs[state] for state in JobState} if self._seen.jobs_known else None,
            "left_out": dict(sorted(self.left_out.items())),
        }


def _counters(engine: EngineReading) -> Mapping[str, Any]:
    finished = dict(engine.finished) if engine.finished else {"all": engine.requests}
    return {
        "generation_tokens": engine.generation_tokens,
        "prompt_tokens": engine.prompt_tokens,
        "cached_tokens": engine.cached_tokens,
        "preemptions": engine.preemptions,
        "finished": finished,
    }
