"""The raw values that everything else is made of, and where each came from: as lines, and as text to copy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields

from quarterdeck.format import printable
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.reading import EngineReading, Histogram
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.detail.parts import INDENT, Section, wrapped
from quarterdeck.tui.lines import FAINT, MUTED, PLAIN, Line, Run, cell_width, fit, width_of
from quarterdeck.tui.scales import clock

_NAME = 27
_VALUE = 14
_ENGINES_SHOWN = 8
_VALUES = tuple(field.name for field in fields(EngineReading) if field.name != "label" and field.type != "bool")
"""All but how it is called, and what says how to read the others."""


def raw_section(view: EndpointView, width: int) -> Section:
    """Every value that the server told, and its source."""
    several = len(view.engines) > 1
    lines: list[Line] = []
    for engine in view.engines[:_ENGINES_SHOWN]:
        if several:
            lines.append(Line((Run(f"{INDENT}engine {printable(engine.label, 40)}", MUTED),)))
        for name, value in raw_values(engine):
            lines += _line(name, value, _origin(view.origins, name), width)
    if len(view.engines) > _ENGINES_SHOWN:
        more = f"{INDENT}… {len(view.engines) - _ENGINES_SHOWN} more engines; c copies all"
        lines.append(Line((Run(more, MUTED),)))
    for name, origin in _others(view):
        lines += _line(name, "", origin, width)
    return Section("Raw values and where they came from", lines, "c copies them")


def raw_values(engine: EngineReading) -> list[tuple[str, str]]:
    """Names and values of what is known of an engine."""
    found: list[tuple[str, str]] = []
    for name in _VALUES:
        value = getattr(engine, name)
        if isinstance(value, Histogram):
            found.append((name, f"{_plain(value.counts[-1])} seen" if value.counts else "no buckets"))
        elif isinstance(value, tuple):
            found += [(f"{name} {printable(str(part), 40)}", _plain(number)) for part, number in value]
        elif value is not None:
            found.append((name, _plain(value)))
    return found


def raw_text(view: EndpointView, moment: Moment) -> tuple[str, int]:
    """The same as plain text, with every bucket of the histograms, and how many values are in it."""
    told = " ".join(printable(part, 80) for part in (view.engine or "", view.version or "") if part)
    state = view.state.value if view.state else "not polled yet"
    lines = [f"{printable(view.name, 80)}  {printable(view.url, 200)}  {told}  {state}  {clock(moment.unix)}"]
    number = 0
    for engine in view.engines:
        lines.append(f"engine {printable(engine.label, 80)}")
        for name, value in raw_values(engine):
            number += 1
            histogram = getattr(engine, name, None)
            shown = _buckets(histogram) if isinstance(histogram, Histogram) else value
            lines.append(f"  {name:<28} {shown:<14} {_origin(view.origins, name)}".rstrip())
    lines += [f"{name}: {printable(origin, 200)}" for name, origin in _others(view)]
    return "\n".join(lines) + "\n", number


def _line(name: str, value: str, origin: str, width: int) -> list[Line]:
    runs = (
        Run(f"{INDENT}{fit(name, _NAME - 1)} ", MUTED),
        Run(fit(value, max(_VALUE, cell_width(value) + 1)), PLAIN),
    )
    clean = printable(origin, 200)
    if width_of(runs) + cell_width(clean) <= width:
        return [Line((*runs, Run(clean, FAINT)))]
    return [Line(runs), *(Line((Run(f"{INDENT}  {part}", FAINT),)) for part in wrapped(clean, max(8, width - 4)))]


def _others(view: EndpointView) -> list[tuple[str, str]]:
    """Sources of what is no value of an engine (models, version …)."""
    told = {name.partition(" ")[0] for engine in view.engines for name, _ in raw_values(engine)}
    return sorted((printable(name, 40), origin) for name, origin in view.origins.items() if name not in told)


def _origin(origins: Mapping[str, str], name: str) -> str:
    return printable(origins.get(name, origins.get(name.partition(" ")[0], "")), 200)


def _buckets(histogram: Histogram) -> str:
    return " ".join(
        f"le={bound:g}:{_plain(number)}" for bound, number in zip(histogram.bounds, histogram.counts, strict=False)
    )


def _plain(value: float | str) -> str:
    """A value as the server gave it, to ten digits; whole numbers without a point."""
    if isinstance(value, str):
        return printable(value, 80)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.10g}"
