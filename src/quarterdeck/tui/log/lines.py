"""A line of a log: its level gives its tone, what is searched for stands out. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quarterdeck.tui.helping.legend import Sign
from quarterdeck.tui.lines import BAD, FAINT, MUTED, PLAIN, WARN, Line, Run, wrap

_BAD = re.compile(
    r"\b(?:ERROR|FATAL|CRITICAL|PANIC|Traceback|level=(?:error|fatal)|[A-Z]\w*(?:Error|Exception):)|(?<!\w)E\d{4} "
)
_WARN = re.compile(r"\b(?:WARN(?:ING)?|level=warn(?:ing)?)\b|(?<!\w)W\d{4} ", re.IGNORECASE)
_LOW = re.compile(
    r"\b(?:DEBUG|TRACE|level=debug)\b|\"(?:GET|HEAD) /(?:health|metrics|slots|api/ps|api/tags|v1/models)\b"
)
FOUND = "accent"
SIGNS = (
    Sign("red", "An error, by the words that servers use for levels.", BAD),
    Sign("yellow", "A warning.", WARN),
    Sign("pale", "Debugging, and polls of the server's own pages.", FAINT),
    Sign("found", "What is searched for; on top: in how many lines it is.", FOUND),
    Sign("following", "The newest line stays in view; moving up ends that, f begins it again."),
    Sign("── … ──", "What the console itself says about the log: that lines before are no longer kept, or that it ended.", MUTED),
)  # fmt: skip
"""Tones and signs, and what they mean."""


def tone_of(text: str) -> str:
    """By the words that servers use for levels; polls of their own pages are as quiet as debugging."""
    if _BAD.search(text):
        return BAD
    if _WARN.search(text):
        return WARN
    return FAINT if _LOW.search(text) else PLAIN


def log_lines(text: str, width: int, needle: str = "") -> list[Line]:
    """One line of a log, wrapped, with every ``needle`` in it marked."""
    tone = tone_of(text)
    parts = wrap(text, max(1, width)) or [""]
    return [Line(tuple(_marked(part, tone, needle))) for part in parts]


def _marked(text: str, tone: str, needle: str) -> list[Run]:
    if not needle:
        return [Run(text, tone)]
    runs: list[Run] = []
    at = 0
    for match in re.finditer(re.escape(needle), text, re.IGNORECASE):
        runs += [Run(text[at : match.start()], tone), Run(match[0], FOUND)]
        at = match.end()
    return [run for run in (*runs, Run(text[at:], tone)) if run.text]


def matching(lines: Sequence[str], needle: str) -> list[int]:
    """The places of the lines that have ``needle`` in them, in whatever case."""
    wanted = needle.casefold()
    return [place for place, line in enumerate(lines) if wanted in line.casefold()] if wanted else []


def note(text: str) -> Line:
    """What the console itself says about the log."""
    return Line((Run(f"── {text} ──", MUTED),))
