"""What ``nvidia-smi`` prints as CSV, as GPUs. Pure.

Memory is in MiB, clocks in MHz, power in W, utilisation in percent; what a card can't tell is "[N/A]", "[Not Supported]",
"[Unknown Error]", "[GPU is lost]" … in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from quarterdeck.format import printable
from quarterdeck.hosts.exporters.page import (
    celsius,
    index_of,
    mebibytes,
    megahertz,
    missing,
    percent,
    pid_of,
    sensor,
    small,
    tally,
    watts,
)
from quarterdeck.hosts.throttling import throttle_words
from quarterdeck.model.commandlines import engine_of_title, shown
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, PcieLink

MOST_GPUS = 256
_LONGEST_WORDS = 160
_SEPARATOR = ", "


class Query(NamedTuple):
    """A field of ``--query-gpu`` and the field of GpuView that it fills; ``before``: its name in older drivers."""

    name: str
    field: str
    read: Callable[[float | None], Any] | None = None
    before: str | None = None


_QUERIES = (
    Query("index", "index"),
    Query("uuid", "uuid"),
    Query("pci.bus_id", "bus"),
    Query("name", "name"),
    Query("driver_version", "driver"),
    Query("utilization.gpu", "utilization", percent),
    Query("utilization.memory", "memory_utilization", percent),
    Query("memory.total", "memory_total_bytes", mebibytes),
    Query("memory.used", "memory_used_bytes", mebibytes),
    Query("memory.reserved", "memory_reserved_bytes", mebibytes),
    Query("power.draw", "power_w", watts),
    Query("enforced.power.limit", "power_limit_w", watts, "power.limit"),
    Query("temperature.gpu", "temperature_c", celsius),
    Query("temperature.memory", "memory_temperature_c", sensor),
    Query("fan.speed", "fan", percent),
    Query("pstate", "performance_state"),
    Query("clocks.sm", "sm_mhz", megahertz),
    Query("clocks.max.sm", "sm_max_mhz", megahertz),
    Query("clocks.mem", "memory_mhz", megahertz),
    Query("clocks.max.mem", "memory_max_mhz", megahertz),
    Query("clocks_event_reasons.active", "throttle", None, "clocks_throttle_reasons.active"),
    Query("pcie.link.gen.current", "pcie.generation", small),
    Query("pcie.link.gen.max", "pcie.generation_max", small),
    Query("pcie.link.width.current", "pcie.width", small),
    Query("pcie.link.width.max", "pcie.width_max", small),
    Query("utilization.encoder", "encoder", percent),
    Query("utilization.decoder", "decoder", percent),
    Query("ecc.errors.corrected.volatile.total", "ecc.corrected", tally),
    Query("ecc.errors.uncorrected.volatile.total", "ecc.uncorrected", tally),
    Query("mig.mode.current", "mig"),
)
_BY_NAME = {name: query for query in _QUERIES for name in (query.name, query.before) if name}
_ESSENTIAL = (
    "index",
    "uuid",
    "name",
    "utilization.gpu",
    "memory.total",
    "memory.used",
    "power.draw",
    "temperature.gpu",
)
FIELDS = tuple(query.name for query in _QUERIES)
"""What is asked for first."""
_INVALID = re.compile(r'Field "([a-z0-9_.]{1,80})" is not a valid field to query')
_HANDLE_LOST = re.compile(r"GPU\S*\s+([0-9A-Fa-f:.]{7,20}):\s*(.*)")
_NO_VALUE = re.compile(r"\[(.*)\]|N/A")
_UNSUPPORTED = ("N/A", "Not Supported", "")


@dataclass(frozen=True, slots=True)
class SmiTable:
    """What one query of the GPUs gave. ``words``: what else nvidia-smi said, a line each."""

    gpus: tuple[GpuView, ...] = ()
    buses: Mapping[str, str] = field(default_factory=dict)
    """`GpuView.key` → its PCI address."""
    driver: str | None = None
    words: tuple[str, ...] = ()
    split: frozenset[str] = frozenset()
    """`GpuView.key` of those that are split into MIG instances."""


def fields_after(fields: Sequence[str], output: Iterable[str]) -> tuple[str, ...] | None:
    """The fields to ask for after a refusal: without the one that this driver doesn't know; ``None`` where it wasn't that."""
    text = "\n".join(output)
    unknown = _INVALID.search(text)
    if unknown is None:
        return None
    name = unknown[1]
    if name not in fields:
        return tuple(essential for essential in _ESSENTIAL if essential != name)
    query = _BY_NAME[name]
    older = query.before if query.before != name else None
    kept = (older if field == name else field for field in fields)
    return tuple(field for field in kept if field)


def smi_gpus(lines: Iterable[str], fields: Sequence[str]) -> SmiTable:
    """The GPUs of a ``--query-gpu`` answer for ``fields``, by index. Lines that aren't rows are kept as words."""
    gpus: list[GpuView] = []
    buses: dict[str, str] = {}
    words: list[str] = []
    split: set[str] = set()
    driver: str | None = None
    for line in lines:
        row = _row(line, fields)
        if row is None:
            words += [clean] if (clean := printable(line, _LONGEST_WORDS)) else []
            continue
        view = _view(row, len(gpus))
        gpus.append(view)
        if _told(row.get("bus")):
            buses[view.key] = row["bus"]
        if row.get("mig") == "Enabled":
            split.add(view.key)
        driver = driver or _told(row.get("driver"))
        if len(gpus) >= MOST_GPUS:
            break
    return SmiTable(tuple(sorted(gpus, key=lambda gpu: gpu.index)), buses, driver, tuple(words), frozenset(split))


def _row(line: str, fields: Sequence[str]) -> dict[str, str] | None:
    """Field of GpuView → text. A name with a comma in it would be split: no GPU has one."""
    texts = line.strip().split(_SEPARATOR)
    if len(texts) != len(fields):
        return None
    row = {_BY_NAME[name].field: text.strip() for name, text in zip(fields, texts, strict=True)}
    return row if row.get("index", "0").isdecimal() or "[" in row.get("index", "") else None


def _told(text: str | None) -> str | None:
    """A text that is a value, for the screen."""
    return printable(text, 100) if text and not _NO_VALUE.fullmatch(text) else None


def number_of(text: str | None) -> float | None:
    """A number, decimal or hexadecimal ("0x0000000000000004"), its unit left out."""
    if not text:
        return None
    head = text.split()[0] if text.split() else ""
    try:
        return float(int(head, 16)) if head.lower().startswith("0x") else float(head)
    except (ValueError, OverflowError):
        return None


def _view(row: Mapping[str, str], position: int) -> GpuView:
    flat: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {"ecc": {}, "pcie": {}}
    for query in _QUERIES:
        if query.read is not None and query.field in row:
            part, dot, name = query.field.partition(".")
            (parts[part] if dot else flat)[name or part] = query.read(number_of(row[query.field]))
    state = row.get("performance_state", "")
    known = {name: values for name, values in parts.items() if any(v is not None for v in values.values())}
    view = GpuView(
        index_of(row.get("index"), position),
        _told(row.get("uuid")),
        _told(row.get("name")),
        performance_state=int(state[1:]) if re.fullmatch(r"P\d{1,2}", state) and int(state[1:]) < 16 else None,
        throttle=throttle_words(number_of(row.get("throttle"))),
        ecc=Ecc(**known["ecc"]) if "ecc" in known else None,
        pcie=PcieLink(**known["pcie"]) if "pcie" in known else None,
        unified=row.get("mig") != "Enabled"
        and all(_unsupported(row.get(name)) for name in ("memory_total_bytes", "memory_used_bytes")),
        lost=any("lost" in text.lower() for text in row.values() if text.startswith("[")),
        **flat,
    )
    return replace(view, problems=_problems(row, view))


def _problems(row: Mapping[str, str], view: GpuView) -> tuple[str, ...]:
    """Each essential value that the card doesn't give, and why; the processes are another query."""
    reasons = {
        match[1] or "N/A" for text in row.values() if (match := _NO_VALUE.fullmatch(text)) and not _usual(match[1])
    }
    why = ", ".join(sorted(printable(reason.lower(), 60) for reason in reasons)) or "not supported by this GPU"
    return missing(replace(view, processes=()), why)


def _unsupported(text: str | None) -> bool:
    """Whether the card says that it has no such value: a GPU without memory of its own."""
    match = _NO_VALUE.fullmatch(text) if text is not None else None
    return match is not None and _usual(match[1])


def _usual(word: str | None) -> bool:
    return (word or "") in _UNSUPPORTED


def with_lost(table: SmiTable, before: Sequence[GpuView], buses: Mapping[str, str]) -> SmiTable:
    """``table`` with the GPUs that it says fell off the bus: their last values, marked as lost."""
    gone = {_bus(match[1]) for line in table.words if (match := _HANDLE_LOST.search(line)) and "lost" in line.lower()}
    present = {gpu.key for gpu in table.gpus}
    known = {gpu.key: gpu for gpu in before}
    lost = [
        replace(gpu, lost=True) for gpu in before if gpu.key not in present and _bus(buses.get(gpu.key, "")) in gone
    ]
    kept = [replace(known[gpu.key], lost=True) if gpu.lost and gpu.key in known else gpu for gpu in table.gpus]
    return replace(table, gpus=tuple(sorted((*kept, *lost), key=lambda gpu: gpu.index)))


def _bus(text: str) -> str:
    """A PCI address without the zeros that one tool writes before its domain and another doesn't."""
    return text.lower().lstrip("0:").strip()


def smi_processes(lines: Iterable[str]) -> dict[str, tuple[tuple[int, int | None, str], ...]]:
    """UUID of a GPU → (pid, bytes, program) of each process that computes on it: ``pid, gpu_uuid, used_memory, name``."""
    found: dict[str, dict[int, tuple[int, int | None, str]]] = {}
    for line in lines:
        texts = line.strip().split(_SEPARATOR, 3)
        pid = pid_of(texts[0].strip())
        if len(texts) == 4 and pid is not None:
            entry = (pid, mebibytes(number_of(texts[2])), _told(texts[3]) or "")
            found.setdefault(printable(texts[1].strip(), 100), {}).setdefault(pid, entry)
    return {uuid: tuple(of_gpu[pid] for pid in sorted(of_gpu)) for uuid, of_gpu in found.items()}


def remapped_rows(lines: Iterable[str]) -> dict[str, Ecc]:
    """UUID → its remapped rows: ``gpu_uuid, correctable, uncorrectable, pending, failure``."""
    found: dict[str, Ecc] = {}
    for line in lines:
        texts = [text.strip() for text in line.split(",")]
        if len(texts) != 5:
            continue
        rows = [rows for text in texts[1:3] if (rows := tally(number_of(text))) is not None]
        pending, failed = (_yes(text) for text in texts[3:])
        if rows or pending is not None or failed is not None:
            found[printable(texts[0], 100)] = Ecc(
                remapped_rows=sum(rows) if rows else None, remap_pending=pending, remap_failed=failed
            )
    return found


def _yes(text: str) -> bool | None:
    return {"yes": True, "no": False, "1": True, "0": False}.get(text.lower())


def process_of(pid: int, memory: int | None, program: str) -> GpuProcess:
    """A process of which only nvidia-smi tells."""
    return GpuProcess(pid, memory, shown(program.split()) or None, engine=engine_of_title(program))
