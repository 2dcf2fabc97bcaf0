"""The jobs as a console sees them: read again and again, cheaply."""

from __future__ import annotations

from quarterdeck.engine.jobs.folder import JobFolder, ordered
from quarterdeck.model.job import Job

MOST = 500
"""So many are shown, the newest."""


class JobBoard:
    """Reads the records that changed, and of the jobs that go on whether their worker lives."""

    def __init__(self, folder: JobFolder | None = None) -> None:
        """Reads nothing yet."""
        self._folder = folder or JobFolder()
        self._stamps: dict[str, int] = {}
        self._known: dict[str, Job] = {}
        self._shown: tuple[Job, ...] = ()

    def read(self) -> tuple[Job, ...]:
        """Those that go on first, then the newest; the same objects, and the same tuple, where nothing changed. Never raises."""
        stamps = self._folder.stamps()
        known: dict[str, Job] = {}
        for identity, stamp in stamps.items():
            before = self._known.get(identity)
            if before is not None and before.state.ended and self._stamps.get(identity) == stamp:
                known[identity] = before
                continue
            job = self._folder.read_one(identity)
            known[identity] = before if before == job and before is not None else job
        self._stamps, self._known = stamps, known
        shown = tuple(ordered(list(known.values()))[:MOST])
        if len(shown) != len(self._shown) or any(a is not b for a, b in zip(shown, self._shown, strict=True)):
            self._shown = shown
        return self._shown
