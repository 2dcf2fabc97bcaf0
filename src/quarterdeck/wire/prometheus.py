"""Prometheus text, read for the few series somebody wants.

A full parser spends 11 ms on a vLLM page; this one scans for wanted names once, remembers on which line each stood, and then
reads only those values again as long as the page keeps its lines (0.1 ms). `prometheus_client.parser` is its oracle in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import getitem, itemgetter
from typing import Any

from quarterdeck.format import printable

_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]++|\\.)*+)"\s*,?')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}
_RELEARN_EVERY = 32
"""A wanted line that takes the place of an unwanted one (so that the page keeps its length) shows after so many reads."""
MOST_SERIES = 20_000
MOST_LINES = 100_000
TOO_MANY = f"some numbers are unknown: its metrics page has more than {MOST_SERIES} series or {MOST_LINES} lines"
LONGEST_LINE = 64 * 1024
LONGEST_LABEL = 200
Picker = Callable[[Sequence[Any]], Sequence[Any]]
_cut: Callable[[Any, slice], Any] = getitem


@dataclass(frozen=True, slots=True)
class Series:
    """A sample's name and labels. Names keep their suffix (``_total``, ``_bucket``) as on the page."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Which wanted series a page holds, in order. The same object as long as the page keeps its lines."""

    series: tuple[Series, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """The wanted samples of one page: ``values[i]`` belongs to ``layout.series[i]``; may hold nan and inf."""

    layout: Layout
    values: tuple[float, ...]


def picker(indices: Sequence[int]) -> Picker:
    """A function that picks the members at ``indices`` out of a sequence, in C: a tuple out of a tuple."""
    start = indices[0] if indices else 0
    if list(indices) == list(range(start, start + len(indices))):
        return itemgetter(slice(start, start + len(indices)))  # also of one or none, which are no tuple otherwise
    return itemgetter(*indices)


@dataclass(frozen=True, slots=True)
class _Slots:
    """Where the wanted samples stood: their lines, how these begin, and the cuts that leave the values."""

    pick: Picker
    heads: tuple[bytes, ...]
    cuts: tuple[slice, ...]

    def values(self, lines: list[bytes]) -> tuple[float, ...] | None:
        """The values there now; ``None`` where another sample, or no plain one, stands in one of the places."""
        chosen: Sequence[bytes] = self.pick(lines)
        if not all(map(bytes.startswith, chosen, self.heads)):
            return None
        try:
            return tuple(map(float, map(_cut, chosen, self.cuts)))
        except ValueError:  # a timestamp behind the value, or no number at all
            return None


class PageReader:
    """Reads one server's pages, one after another."""

    def __init__(self, wanted: Iterable[str], *, longest_label: int = LONGEST_LABEL) -> None:
        """``wanted``: sample names, exactly as on the page. Values of labels are cut at ``longest_label`` characters."""
        self._wanted = frozenset(name.encode() for name in wanted)
        self._longest_label = longest_label
        self._slots = _Slots(picker(()), (), ())
        self._lines = -1
        self._reads = 0
        self._layout = Layout()
        self.cut = False
        """Whether names were left out of the last page, because they have more series than are read."""
        self._known: dict[bytes, Series] = {}
        """Name and labels as they stand on the last page that was learnt → what they say."""

    def read(self, body: bytes) -> Page:
        """The wanted samples of ``body``; lines that are not Prometheus text are passed over.

        Of a page with more lines or series than are read, names that go on behind them are left out: their sum would be a part.
        """
        lines = body.split(b"\n", MOST_LINES)
        rest = lines.pop() if len(lines) > MOST_LINES else b""
        self._reads += 1
        if len(lines) == self._lines and self._reads % _RELEARN_EVERY:
            values = self._slots.values(lines)
            if values is not None:
                return Page(self._layout, values)
        return self._learn(lines, rest)

    def _learn(self, lines: list[bytes], rest: bytes) -> Page:
        samples: list[tuple[int, tuple[Series, float, int]]] = []
        for index, line in enumerate(lines):
            sample = self._sample(line)
            if sample is None:
                continue
            if len(samples) >= MOST_SERIES:
                rest = b"\n".join((*lines[index:], rest))
                break
            samples.append((index, sample))
        self.cut = False
        if rest:
            goes_on = {name.decode() for name in self._wanted if _holds(rest, name)}
            samples = [one for one in samples if one[1][0].name not in goes_on]
            self.cut = bool(goes_on)
        indices = [index for index, _ in samples]
        heads = [lines[index][:length] for index, (_, _, length) in samples]
        series = [found for _, (found, _, _) in samples]
        values = [value for _, (_, value, _) in samples]
        if tuple(series) != self._layout.series:
            self._layout = Layout(tuple(series))
        self._slots = _Slots(picker(indices), tuple(heads), tuple(slice(len(head), None) for head in heads))
        self._known = {head[:-1]: found for head, found in zip(heads, series, strict=True) if head[-1:] == b" "}
        self._lines = len(lines)
        return Page(self._layout, tuple(values))

    def _sample(self, line: bytes) -> tuple[Series, float, int] | None:
        """A wanted sample as series, value and the length of everything before the value."""
        if line[:1] == b"#" or len(line) > LONGEST_LINE:
            return None
        head, _, value = line.rpartition(b" ")
        known = self._known.get(head)
        if known is not None:
            try:
                return known, float(value), len(head) + 1
            except ValueError:
                pass
        return _parse(line, self._longest_label) if _name_of(line) in self._wanted else None


def _holds(page: bytes, name: bytes) -> bool:
    """Whether a line of ``page`` is a sample of this name."""
    return any(page.startswith(name + end) or b"\n" + name + end in page for end in (b"{", b" ", b"\t"))


def _name_of(line: bytes) -> bytes:
    name = line.partition(b"{")[0]
    words = name.split(None, 1) if b" " in name or b"\t" in name else (name,)
    return words[0] if words else b""


def _parse(line: bytes, longest_label: int) -> tuple[Series, float, int] | None:
    """One sample line as series, value and the length of everything before the value; ``None`` where it is malformed."""
    before, brace, _ = line.partition(b"{")
    name = _name_of(line)
    labels: dict[str, str] | None = {}
    if brace:
        end = line.rfind(b"}")  # a value or timestamp never holds a brace, so the last one closes the labels
        labels = _labels(line[len(before) + 1 : end].decode("utf-8", "replace"), longest_label) if end > 0 else None
        head = end + 1
    else:
        head = line.find(name) + len(name)
    if labels is None or (brace and before.strip() != name):
        return None
    rest = line[head:]
    length = head + len(rest) - len(rest.lstrip())
    fields = rest.split()
    if not 1 <= len(fields) <= 2:
        return None
    try:
        if len(fields) == 2:
            float(fields[1])  # a timestamp
        return Series(name.decode("ascii", "replace"), labels), float(fields[0]), length
    except ValueError:
        return None


def _labels(source: str, longest: int) -> dict[str, str] | None:
    labels: dict[str, str] = {}
    at = 0
    while at < len(source):
        match = _LABEL.match(source, at)
        if match is None:
            return labels if not source[at:].strip() else None
        value = match[2]
        if "\\" in value:
            value = _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[0]), value)
        labels[match[1]] = printable(value, longest)
        at = match.end()
    return labels
