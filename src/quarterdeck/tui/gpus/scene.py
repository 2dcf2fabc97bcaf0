"""The GPUs of a fleet as the GPU view lists them: which, in which order, whose memory they hold, what is wrong. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_letters
from typing import NamedTuple

from quarterdeck.format import age, printable
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.gpu import GpuProcess, GpuView, Holder
from quarterdeck.model.holdings import Part, PartKind, parts
from quarterdeck.model.host import HostView
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.columns import Order
from quarterdeck.tui.hosts import OLD_S
from quarterdeck.tui.lines import BAD, MUTED, WARN, Run, cell_width, width_of

Key = tuple[str, str]
"""A GPU's identity across refreshes: its host's name and `GpuView.key`."""
Letters = Mapping[tuple[str | None, str | None], str]
"""(endpoint, model) → the letter that stands for it in bars."""
HOT_C = 85.0
"""Hot, where a GPU doesn't tell at how many degrees it slows down …"""
NEAR_SLOWDOWN_C = 3.0
"""… else so near to that."""
FRESH_XID_S = 600.0
SPARK_S = 300.0
_GRAVE = ("thermal", "hardware", "brake")
_BY_CHOICE = ("sync boost", "application clocks", "display clocks")
"""What holds clocks back because somebody set it so."""


class Entry(NamedTuple):
    """A GPU and the machine it is in."""

    host: HostView
    gpu: GpuView

    @property
    def key(self) -> Key:
        """Its identity."""
        return self.host.name, self.gpu.key


class Scene(NamedTuple):
    """What GPUs are drawn with: the fleet around them, the letters of its models, and when."""

    fleet: FleetSnapshot
    letters: Letters
    moment: Moment


class Mark(NamedTuple):
    """Something wrong with a GPU: a glyph with a word, and a sentence."""

    word: str
    tone: str
    text: str


ORDERS = (
    Order("host", "by machine", "", lambda _: 0.0, turned_label="by machine, the last first"),
    Order("state", "trouble first", "", lambda entry: _gravity(entry.gpu), None, True, "trouble last"),
    Order("load", "busiest first", "", lambda entry: entry.gpu.utilization, None, True, "idlest first"),
    Order("memory", "fullest first", "", lambda entry: entry.gpu.memory_fraction, None, True, "emptiest first"),
    Order("heat", "hottest first", "", lambda entry: entry.gpu.temperature_c, None, True, "coolest first"),
)
"""Equal GPUs stay in the order of the fleet file; unknown numbers come last."""


def machines(fleet: FleetSnapshot, order: Order) -> tuple[HostView, ...]:
    """The machines, in the order of the fleet file; from the last where they are sorted so."""
    return fleet.hosts[::-1] if order.id == "host" and order.turned else fleet.hosts


def entries(hosts: Iterable[HostView]) -> list[Entry]:
    """Every GPU."""
    return [Entry(host, gpu) for host in hosts for gpu in host.gpus]


def short_name(gpu: GpuView) -> str:
    """Its name without the maker's."""
    return printable(gpu.name or "GPU", 40).removeprefix("NVIDIA ").removeprefix("GeForce ")


def is_hot(gpu: GpuView) -> bool:
    """Whether its core is about as hot as it may get."""
    if gpu.temperature_c is None:
        return False
    return gpu.temperature_c >= (HOT_C if gpu.slowdown_c is None else gpu.slowdown_c - NEAR_SLOWDOWN_C)


def marks(gpu: GpuView, now: float) -> list[Mark]:
    """What is wrong with a GPU, the gravest first."""
    found = []
    if gpu.lost:
        since = age(now - gpu.at) if gpu.at is not None and now else ""
        values = f"its values are {since} old" if since else "its values are the last ones"
        found.append(Mark(f"✗ LOST {since}".rstrip(), BAD, f"it doesn't answer any more; {values}"))
    elif gpu.at is not None and now - gpu.at > OLD_S:
        since = age(now - gpu.at)
        found.append(Mark(f"✗ STALE {since}", BAD, f"its driver hangs; values {since} old"))
    found += [*_xid_marks(gpu, now), *_ecc_marks(gpu), *_throttle_marks(gpu)]
    if gpu.slowdown_c is not None and is_hot(gpu):
        found.append(Mark("▲ HOT", WARN, f"it slows down at {gpu.slowdown_c:.0f} °C"))
    if any(process.holder is Holder.ORPHAN for process in gpu.processes or ()):
        found.append(Mark("! ORPHAN", BAD, "memory held by a worker whose server is gone"))
    return sorted(found, key=lambda mark: mark.tone != BAD)


def mark_runs(found: Sequence[Mark], room: int) -> list[Run]:
    """The words of what is wrong, the gravest first; how many more there are where not all have room."""
    runs: list[Run] = []
    for place, mark in enumerate(found):
        left = len(found) - place
        more = f" +{left - 1}" if left > 1 else ""
        if place and width_of(runs) + 2 + cell_width(mark.word + more) > room:
            return [*runs, Run(f" +{left}", found[0].tone)]
        runs += [Run("  "), Run(mark.word, mark.tone)]
    return runs


def _xid_marks(gpu: GpuView, now: float) -> Iterable[Mark]:
    if gpu.xids:
        last = gpu.xids[0]
        since = None if last.at is None else max(0.0, now - last.at)
        when = "" if since is None else f" {age(since)} ago"
        fresh = since is not None and since < FRESH_XID_S
        text = f"XID {last.number}{when}: {printable(last.words, 120)}".rstrip(": ")
        yield Mark(f"✗ XID {last.number}", BAD if fresh else WARN, text)


def _ecc_marks(gpu: GpuView) -> Iterable[Mark]:
    ecc = gpu.ecc
    if ecc is None:
        return
    if ecc.uncorrected:
        yield Mark(f"✗ ECC {ecc.uncorrected}", BAD, f"{ecc.uncorrected} memory errors that could not be corrected")
    if ecc.remap_failed:
        yield Mark("✗ REMAP", BAD, "bad rows could not be remapped: the card should be replaced")
    elif ecc.remap_pending:
        yield Mark("▲ RESET", WARN, "bad rows wait to be remapped: it needs a reset")


def _throttle_marks(gpu: GpuView) -> Iterable[Mark]:
    reasons = [reason for reason in gpu.throttle or () if reason not in _BY_CHOICE]
    if reasons:
        grave = any(word in reason for reason in reasons for word in _GRAVE)
        text = "its clocks are held back: " + ", ".join(printable(reason, 60) for reason in reasons)
        yield Mark(f"▼ {printable(reasons[0], 40)}", BAD if grave else WARN, text)


def _gravity(gpu: GpuView) -> int:
    found = marks(gpu, 0.0)
    return sum(10 if mark.tone == BAD else 1 for mark in found)


def orphans(gpu: GpuView) -> list[GpuProcess]:
    """The orphans that hold its memory, the largest first."""
    found = [process for process in gpu.processes or () if process.holder is Holder.ORPHAN]
    return sorted(found, key=lambda process: -(process.memory_bytes or 0))


def letters(hosts: Sequence[HostView]) -> dict[tuple[str | None, str | None], str]:
    """A letter for each model of each endpoint, in the order of how much it holds on all GPUs together."""
    sums: dict[tuple[str | None, str | None], int] = defaultdict(int)
    for host in hosts:
        for gpu in host.gpus:
            for part in parts(gpu) if gpu.processes else ():
                if part.kind is PartKind.MODEL:
                    sums[part.endpoint, part.model] += part.bytes
    order = sorted(sums, key=lambda name: (-sums[name], name[0] or "", name[1] or ""))
    alphabet = ascii_letters[26:] + ascii_letters[:26].replace("o", "").replace("r", "")
    return {name: alphabet[place] if place < len(alphabet) else "*" for place, name in enumerate(order)}


def part_name(part: Part) -> str:
    """What a part of the memory is called."""
    if part.kind is PartKind.MODEL:
        return printable(part.model or f"{part.endpoint}, model not known", 80)
    if part.kind is PartKind.ORPHAN:
        return f"ORPHAN {printable(part.model or '', 60)}".strip()
    several = f" ({len(part.pids)})" if len(part.pids) > 1 else ""
    return {
        PartKind.OTHER: f"other process{'es' if several else ''}{several}",
        PartKind.UNTOLD: "used, not told by whom",
        PartKind.RESERVED: "reserved by the driver",
    }.get(part.kind, "free")


def endpoint_of(name: str | None, views: Iterable[EndpointView]) -> EndpointView | None:
    """The endpoint of that name."""
    return next((view for view in views if view.name == name), None)


def recent(host: HostView, gpu: GpuView, series: str, now: float, columns: int) -> list[float | None]:
    """Means of one series over the last minutes, a value a column. Columns stand still: they begin at multiples of their length."""
    history = host.histories.get(gpu.key)
    if history is None or columns <= 0 or series not in history.names:
        return []
    step = SPARK_S / columns
    until = math.ceil(now / step) * step
    return [None if span is None else span.mean for span in history.spans(series, until - SPARK_S, until, columns)]


def whose_tone(part: Part) -> str:
    """The tone of a part's name."""
    return BAD if part.kind is PartKind.ORPHAN else MUTED
