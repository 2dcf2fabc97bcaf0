"""The log of `ollama serve`."""

from __future__ import annotations

import re
from dataclasses import replace

from quarterdeck.model.startup.causes import cause
from quarterdeck.model.startup.lines import BarLine
from quarterdeck.model.startup.state import Cause, Place, Reader, Startup

PHASES = (("starting", 0.0), ("reading the configuration", 0.2), ("clearing unused files", 0.4), ("serving", 1.0))
_MARKS = (
    ("Listening on ", 3, 1.0),
    ("total unused blobs removed", 2, 1.0),
    ("total blobs:", 2, 0.3),
    ("server config", 1, 0.0),
)
_LISTENS = re.compile(r"Listening on (\[?[\w.:\]]{1,100}:\d{1,5}) \(version ([\w.+-]{1,40})\)")


def _place(line: str, bar: BarLine | None) -> Place | None:
    return next(((phase, progress) for text, phase, progress in _MARKS if text in line), None)


def _facts(startup: Startup, line: str) -> Startup:
    found = _LISTENS.search(line)
    if found is None:
        return startup
    return replace(startup, facts=replace(startup.facts, url=f"http://{found[1]}", version=found[2]))


_CAUSES: tuple[Cause, ...] = (
    cause(r"(?:mkdir|open|stat) (\S{1,200}): permission denied", "it may not write {1}", "the user it runs as must own that folder, or set OLLAMA_MODELS"),
    cause(r"Error: unknown (?:shorthand )?flag: '?\w?'?(?: in )?(-{1,2}[\w-]{0,60})", "it doesn't know {1}", "`ollama serve` takes its settings from OLLAMA_… variables"),
    cause(r"Error: unknown command \"(\w{1,60})\"", "it doesn't know the command {1}", "it is: ollama serve"),
    cause(r"invalid (?:port|host)", "the address in OLLAMA_HOST is none", "write host:port, as in 127.0.0.1:11434"),
)  # fmt: skip

READER = Reader(PHASES, _place, _facts, _CAUSES, error=re.compile(r"^(Error: .{1,400})$"))
