"""Whose GPU memory it is: processes matched to endpoints and models, and the parts of a GPU's memory. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from quarterdeck.model.commandlines import engine_of_title
from quarterdeck.model.gpu import GpuProcess, GpuView, Holder
from quarterdeck.model.models import ModelReading, ModelState

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.model.host import HostView

LOCAL_SOURCES = ("nvml", "amdgpu", "apple", "local")
"""What `HostView.source` says of the machine that this program runs on."""
_LOOPBACK = ("localhost", "::1")
_PORTS = {"http": 80, "https": 443}
_IN_MEMORY = (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING, ModelState.SERVED)
_NEAR = 0.25
"""A process holds a model where its memory differs from the model's by no more than this share of it …"""
_CONTEXT_BYTES = 768 * 2**20
"""… and what a process takes before it loads anything."""
_APART_BYTES = 128 * 2**20
"""Less than this between two sizes may be chance."""


class Loaded(NamedTuple):
    """A model of an endpoint, as far as matching needs to know it."""

    id: str
    vram_bytes: int | None = None


class Claim(NamedTuple):
    """An endpoint that may hold memory of a host's GPUs. Equal ones lead to equal matches."""

    endpoint: str
    engine: str | None
    port: int | None
    models: tuple[Loaded, ...]


def claims(host: HostView, endpoints: Iterable[EndpointView]) -> tuple[Claim, ...]:
    """The endpoints that run on ``host``: by their ``host``, or on loopback where it is the machine that we run on."""
    found = []
    for view in endpoints:
        if view.host != host.name and (view.host is not None or host.source not in LOCAL_SOURCES):
            continue
        name, port = _address(view.url)
        if view.host is None and not _is_loopback(name):
            continue
        models = tuple(Loaded(model.id, model.vram_bytes) for model in view.models if model.state in _IN_MEMORY)
        found.append(Claim(view.name, view.engine, port, models))
    return tuple(found)


def _address(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None


def _is_loopback(name: str) -> bool:
    return name in _LOOPBACK or name.startswith("127.")


def held(host: HostView, known: Sequence[Claim]) -> HostView:
    """``host`` with every process told whose it is; the same object where that changes nothing."""
    processes = {process.pid: process for gpu in host.gpus for process in gpu.processes or ()}
    if not processes:
        return host
    owners = {pid: owner(process, known) for pid, process in processes.items()}
    models = _models(host, owners)
    gpus = tuple(_told(gpu, owners, models) for gpu in host.gpus)
    changed = any(new is not old for new, old in zip(gpus, host.gpus, strict=True))
    return replace(host, gpus=gpus) if changed else host


def owner(process: GpuProcess, known: Iterable[Claim]) -> Claim | None:
    """The endpoint that a process works for.

    By the ports where its server listens. Where those can't be seen: by the port of its command line, then by engine and model
    name, then by being the only endpoint of its engine on that machine (a remote reading tells the title at most).
    """
    if process.orphaned:
        return None
    if process.ports is not None:
        return next((claim for port in process.ports for claim in known if claim.port == port), None)
    engine = process.engine or engine_of_title(process.name or "")
    if engine is None:
        return None
    alike = [claim for claim in known if claim.engine in (None, engine) or _runs(claim.engine, process.name)]
    told = [claim for claim in alike if process.told_port is not None and claim.port == process.told_port]
    serving = [claim for claim in alike if any(_same_model(m.id, process.serves) for m in claim.models)]
    only = [claim for claim in alike if claim.engine is not None and not process.serves]
    candidates = told or serving or only
    return candidates[0] if len(candidates) == 1 else None


def _runs(engine: str | None, title: str | None) -> bool:
    """Ollama's children are llama-servers; a title alone doesn't tell them apart."""
    return engine == "ollama" and engine_of_title(title or "") == "llamacpp"


def _same_model(identity: str, names: Iterable[str]) -> bool:
    return identity in names or identity.rpartition("/")[2] in {name.rpartition("/")[2] for name in names}


def _models(host: HostView, owners: Mapping[int, Claim | None]) -> dict[int, str | None]:
    """The model of each process. Several processes of one Ollama are told apart by name, else by size."""
    totals: dict[int, int] = defaultdict(int)
    processes: dict[int, GpuProcess] = {}
    for gpu in host.gpus:
        for process in gpu.processes or ():
            totals[process.pid] += process.memory_bytes or 0
            processes[process.pid] = process
    found: dict[int, str | None] = {pid: next(iter(process.serves), None) for pid, process in processes.items()}
    by_claim: dict[Claim, list[int]] = defaultdict(list)
    for pid, claim in owners.items():
        if claim is not None:
            by_claim[claim].append(pid)
    for claim, pids in by_claim.items():
        found |= _shared(claim, {pid: processes[pid] for pid in pids}, totals)
    return found


def _shared(claim: Claim, processes: Mapping[int, GpuProcess], totals: Mapping[int, int]) -> dict[int, str | None]:
    """Which of an endpoint's models each of its processes holds."""
    if claim.engine != "ollama":  # one model, its adapters aside; the first one listed is the base
        name = claim.models[0].id if claim.models else None
        return {pid: name or next(iter(process.serves), None) for pid, process in processes.items()}
    left = {model.id: model for model in claim.models}
    found: dict[int, str | None] = dict.fromkeys(processes)
    for pid, process in processes.items():
        named = [identity for identity in left if identity in process.serves]
        if len(named) == 1:
            found[pid] = named[0]
            del left[named[0]]
    unnamed = [pid for pid, name in found.items() if name is None]
    if len(unnamed) == 1 == len(left):
        found[unnamed[0]] = next(iter(left))
        return found
    return found | _by_size({pid: totals[pid] for pid in unnamed}, left.values())


def _by_size(totals: Mapping[int, int], models: Iterable[Loaded]) -> dict[int, str | None]:
    """Each process with the model of its size, where that can be told.

    As many processes as models: in the order of their sizes, where neighbours differ enough. Else (a model that still loads isn't
    listed): a model that only one process is near to, and which is the only one near to that.
    """
    sizes = {model.id: model.vram_bytes for model in models if model.vram_bytes}
    found: dict[int, str | None] = dict.fromkeys(totals)
    pids, names = sorted(totals, key=totals.__getitem__), sorted(sizes, key=sizes.__getitem__)
    if len(pids) == len(names) and all(_near(totals[p], sizes[n]) for p, n in zip(pids, names, strict=True)):
        for place, (pid, name) in enumerate(zip(pids, names, strict=True)):
            beside = [other for other in (place - 1, place + 1) if 0 <= other < len(pids)]
            if all(
                abs(totals[pids[other]] - totals[pid]) >= _APART_BYTES <= abs(sizes[names[other]] - sizes[name])
                for other in beside
            ):
                found[pid] = name
        return found
    for pid, total in totals.items():
        fitting = [name for name, wanted in sizes.items() if _near(total, wanted)]
        if len(fitting) == 1 and sum(_near(other, sizes[fitting[0]]) for other in totals.values()) == 1:
            found[pid] = fitting[0]
    return found


def _near(total: int, wanted: int) -> bool:
    return -_NEAR * wanted <= total - wanted <= _NEAR * wanted + _CONTEXT_BYTES


def _told(gpu: GpuView, owners: Mapping[int, Claim | None], models: Mapping[int, str | None]) -> GpuView:
    if not gpu.processes:
        return gpu
    told = tuple(_with_owner(process, owners[process.pid], models[process.pid]) for process in gpu.processes)
    return gpu if told == gpu.processes else replace(gpu, processes=told)


def _with_owner(process: GpuProcess, claim: Claim | None, model: str | None) -> GpuProcess:
    holder = Holder.MODEL if claim else Holder.ORPHAN if process.orphaned else Holder.OTHER
    return replace(process, holder=holder, endpoint=claim.endpoint if claim else None, model=model)


# ---- the parts of a GPU's memory


class PartKind(StrEnum):
    """What a part of a GPU's memory is."""

    MODEL = "model"
    ORPHAN = "orphan"
    OTHER = "other"
    """Processes of nobody we watch."""
    UNTOLD = "untold"
    """Used, and nobody says by whom."""
    RESERVED = "reserved"
    """Kept by the driver."""
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a GPU's memory."""

    kind: PartKind
    bytes: int
    endpoint: str | None = None
    model: str | None = None
    pids: tuple[int, ...] = ()


def parts(gpu: GpuView) -> tuple[Part, ...]:
    """What fills a GPU's memory: models by size, orphans, other processes, what nobody tells, reserved, free.

    They add up to the whole; () where used or total isn't known. Processes are never told larger than what is used: the
    driver counts some memory for several of them.
    """
    used, total = gpu.memory_used_bytes, gpu.memory_total_bytes
    if used is None or not total:
        return ()
    reserved = min(gpu.memory_reserved_bytes or 0, total)
    used = min(used, total - reserved)
    found, left = [], used
    for part in _held_parts(gpu.processes or ()):
        size = min(part.bytes, left)
        left -= size
        if size:
            found.append(replace(part, bytes=size))
    rest = [(PartKind.UNTOLD, left), (PartKind.RESERVED, reserved), (PartKind.FREE, total - used - reserved)]
    return (*found, *(Part(kind, size) for kind, size in rest if size > 0))


def _held_parts(processes: Iterable[GpuProcess]) -> list[Part]:
    sums: dict[tuple[PartKind, str | None, str | None], list[GpuProcess]] = defaultdict(list)
    for process in processes:
        sums[_part_of(process)].append(process)
    parts = [
        Part(kind, sum(p.memory_bytes or 0 for p in held), endpoint, model, tuple(p.pid for p in held))
        for (kind, endpoint, model), held in sums.items()
    ]
    order = list(PartKind)
    return sorted(parts, key=lambda part: (order.index(part.kind), -part.bytes))


def _part_of(process: GpuProcess) -> tuple[PartKind, str | None, str | None]:
    if process.holder is Holder.MODEL:
        return PartKind.MODEL, process.endpoint, process.model
    if process.holder is Holder.ORPHAN:
        return PartKind.ORPHAN, None, process.model
    return PartKind.OTHER, None, None


def spilled(model: ModelReading) -> tuple[int, float] | None:
    """Bytes of a loaded model that lie in the machine's memory, not the GPU's, and their share; ``None`` for none or unknown."""
    if model.state is not ModelState.LOADED or model.vram_bytes is None or not model.size_bytes:
        return None
    below = model.size_bytes - model.vram_bytes
    return (below, below / model.size_bytes) if below > 0 else None
