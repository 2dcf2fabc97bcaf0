"""`quarterdeck _complete KIND [FLEET]`: the names that a completion script asks for between two keystrokes.

A line each, with a description behind a tab where there is one. It reads the fleet file and what this user's state folder keeps, asks
no server, and says nothing where it knows nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.errors import QuarterdeckError

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig

MOST = 500
_LONGEST = 200
Names = Iterable[tuple[str, str]]
"""Each with a description, which may be ""."""


def run(arguments: argparse.Namespace) -> int:
    """Always 0: a shell in the middle of a line has no use for a message."""
    kind, fleet = (*arguments.words, "", "")[:2]
    find = KINDS.get(kind)
    with suppress(QuarterdeckError, OSError, ValueError):
        for name, about in _usable(find(fleet)) if find is not None else ():
            sys.stdout.write(f"{name}\t{about}\n" if about else f"{name}\n")
    return 0


def _usable(names: Names) -> Iterator[tuple[str, str]]:
    """Each once, what can't stand on a line left out."""
    seen: set[str] = set()
    for name, about in names:
        if name and name.isprintable() and len(name) <= _LONGEST and name not in seen and len(seen) < MOST:
            seen.add(name)
            yield name, about if about.isprintable() else ""


def _config(fleet: str) -> FleetConfig:
    from quarterdeck.config.load import load

    return load(fleet or None).config


def _endpoints(fleet: str) -> Iterator[tuple[str, str]]:
    """Those of the fleet file; where it has none and was not named, those of which models were seen."""
    found = [(spec.name, spec.url) for spec in _config(fleet).endpoints]
    yield from found or ([] if fleet else [(where, "") for _, where in _seen_models()])


def _hosts(fleet: str) -> Names:
    return [(spec.name, "") for spec in _config(fleet).hosts]


def _deployments(fleet: str) -> Names:
    return [(spec.name, spec.driver) for spec in _config(fleet).deployments]


def _protected(fleet: str) -> Names:
    config = _config(fleet)
    names = [spec.name for spec in config.endpoints] + [spec.name for spec in config.deployments]
    return [(name, "") for name in (*names, *(spec.name for spec in config.hosts))]


def _sinks(fleet: str) -> Names:
    return [(spec.name, "") for spec in _config(fleet).sinks]


def _subjects(fleet: str) -> Names:
    from quarterdeck.config.alerting import rules

    config = _config(fleet)
    names = [(name, "") for name in (*(spec.name for spec in config.endpoints), *(spec.name for spec in config.hosts))]
    return [*names, *((rule.id, "rule") for rule in rules(config.alerts, config.alert_rules, config.limits))]


def _models(fleet: str) -> Iterator[tuple[str, str]]:
    del fleet
    yield from _seen_models()


def _targets(fleet: str) -> Iterator[tuple[str, str]]:
    del fleet
    for model, where in _seen_models():
        yield f"{model}@{where}", ""


def _seen_models() -> Iterator[tuple[str, str]]:
    """Model and endpoint, as far as the events and the jobs of this user tell; the latest first."""
    from quarterdeck.engine.timeline.reading import read
    from quarterdeck.model.happening import Topic

    with suppress(QuarterdeckError):
        rows, _ = read(topics=(Topic.MODEL,), most=MOST)
        for row in reversed(rows):
            if row.happening.word in ("loaded", "unloaded"):
                yield row.happening.text, row.happening.subject
    from quarterdeck.engine.jobs.folder import JobFolder

    for job in JobFolder().read_all():
        model = job.order.model or job.order.options.get("model")
        if isinstance(model, str):
            yield model, job.order.target


def _jobs(wanted: Callable[[str], bool]) -> Callable[[str], Names]:
    """Ids of the jobs in whose state one is interested."""

    def find(fleet: str) -> Names:
        del fleet
        from quarterdeck.engine.jobs.folder import JobFolder

        jobs = JobFolder().read_all()
        return [
            (job.id, f"{job.state.value}: {job.order.action} {job.order.about}")
            for job in jobs
            if wanted(job.state.value)
        ]

    return find


def _runs(fleet: str) -> Names:
    del fleet
    from platformdirs import user_state_path

    folder = user_state_path("quarterdeck") / "compare"
    kept = sorted(folder.glob("*.jsonl"), key=os.path.getmtime, reverse=True)
    return [(path.stem, "") for path in kept]


def _themes(fleet: str) -> Names:
    """Those that come with the program, and the user's own. (`quarterdeck.tui.colors.themes` knows more, and would cost Textual.)"""
    del fleet
    from platformdirs import user_config_path

    package = Path(__file__).parents[1]
    packaged = package / "themes"
    folders = (
        packaged if packaged.is_dir() else package.parents[1] / "themes",
        user_config_path("quarterdeck") / "themes",
    )
    return sorted((path.stem, "") for folder in folders for path in folder.glob("*.toml"))


KINDS: dict[str, Callable[[str], Names]] = {
    "endpoint": _endpoints,
    "host": _hosts,
    "deployment": _deployments,
    "protected": _protected,
    "sink": _sinks,
    "subject": _subjects,
    "model": _models,
    "target": _targets,
    "job": _jobs(lambda state: True),
    "job-open": _jobs(lambda state: state in ("queued", "running")),
    "job-over": _jobs(lambda state: state in ("failed", "cancelled", "dead")),
    "run": _runs,
    "theme": _themes,
}
"""What can be asked for; the argument is the fleet file that was named, or ""."""
