"""What a server tells of a model, as lines. Pure; nothing in it is trusted, all of it is cut."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.format import printable, size
from quarterdeck.model.models import ModelReading
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.facts import model_facts
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, PLAIN, TITLE, Line, Run, fit, wrap
from quarterdeck.tui.model_states import model_look

_LABEL = 18
_FIRST = ("family", "parameters", "quantization", "context_length", "size", "capabilities", "modified_at", "license")
MOST_LINES = 60
"""Of one long text (a template, a licence)."""


def known_lines(model: ModelReading, moment: Moment, width: int) -> list[Line]:
    """What the polls tell."""
    seen = model_look(model.state)
    facts = [
        ("state", f"{seen.word}: {seen.meaning}"),
        ("now", " · ".join(model_facts(model, moment))),
        ("memory", size(model.size_bytes) if model.size_bytes is not None else ""),
        ("on GPUs", size(model.vram_bytes) if model.vram_bytes is not None else ""),
    ]
    return [line for name, text in facts if text for line in _entry(name, text, width)]


def told_lines(told: Mapping[str, object], width: int) -> list[Line]:
    """What the server tells when it is asked about this model: short facts first, then long texts, each under its title."""
    short: list[Line] = []
    long: list[Line] = []
    for name in sorted(told, key=lambda each: (_FIRST.index(each) if each in _FIRST else len(_FIRST), each)):
        text = _text(told[name])
        title = printable(name.replace("_", " "), 60)
        if not text:
            continue
        if "\n" not in text and len(text) <= 200:
            short += _entry(title, text, width)
        else:
            long += [EMPTY_LINE, Line((Run(f"  {title}", TITLE),)), *_long(text, width)]
    return [*short, *long]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value[:40])
    if isinstance(value, Mapping):
        return "\n".join(f"{key}  {_text(item)}" for key, item in list(value.items())[:200])
    return ""


def _entry(name: str, text: str, width: int) -> list[Line]:
    parts = wrap(printable(text, 400), max(8, width - _LABEL - 4)) or [""]
    first = Line((Run(f"  {fit(name, _LABEL)}", MUTED), Run(parts[0], PLAIN)))
    return [first, *(Line((Run(" " * (_LABEL + 2) + part, PLAIN),)) for part in parts[1:])]


def _long(text: str, width: int) -> list[Line]:
    rows = [
        part for row in text.splitlines()[:MOST_LINES] for part in wrap(printable(row, 2000), max(8, width - 6)) or [""]
    ]
    lines = [Line((Run(f"    {row}", PLAIN),)) for row in rows[:MOST_LINES]]
    left = len(text.splitlines()) - MOST_LINES
    if left > 0:
        lines.append(Line((Run(f"    … {left} more lines", MUTED),)))
    return lines
