"""The log of any server: what uvicorn and the usual frameworks say."""

from __future__ import annotations

import re
from dataclasses import replace

from quarterdeck.model.startup.lines import BarLine
from quarterdeck.model.startup.state import Place, Reader, Startup

PHASES = (("starting", 0.0), ("loading weights", 0.1), ("starting the HTTP server", 0.9), ("serving", 1.0))
_MARKS = (
    ("The server is fired up and ready to roll", 3, 1.0),
    ("Application startup complete", 3, 1.0),
    ("Waiting for application startup", 2, 0.5),
    ("Load weight begin", 1, 0.0),
    ("Load weight end", 1, 1.0),
)
_URL = re.compile(r"(?:running|[Ll]istening) on (https?://[\w.:\[\]-]{1,200})")


def _place(line: str, bar: BarLine | None) -> Place | None:
    if bar is not None:
        return (1, bar.fraction) if "shards" in bar.what else None
    return next(((phase, progress) for text, phase, progress in _MARKS if text in line), None)


def _facts(startup: Startup, line: str) -> Startup:
    found = _URL.search(line)
    return startup if found is None else replace(startup, facts=replace(startup.facts, url=found[1]))


READER = Reader(PHASES, _place, _facts, ())
