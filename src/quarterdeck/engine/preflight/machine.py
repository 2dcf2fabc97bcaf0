"""The machine that an order is for: what is free there. Read now where nobody has read it yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.engine.clock import SYSTEM_CLOCK
from quarterdeck.engine.discovery import this_host
from quarterdeck.engine.machines import host_view
from quarterdeck.engine.opening import Opening
from quarterdeck.engine.preflight.bounds import bounded
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.holdings import LOCAL_SOURCES, claims, held
from quarterdeck.model.host import HostView

_READ_S = 1.8
_LOOPBACK = ("localhost", "::1")
_NONE = ("no NVIDIA driver", "no nvidia-smi", "no GPU")
"""In the reasons of machines without GPUs."""


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU whose memory is known, in bytes. ``held``: what processes of the endpoint in question hold of it."""

    index: int
    uuid: str | None
    free: int
    total: int
    held: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """What is known of a machine. ``cards`` is empty where it has no GPU, or none is known (``unknown`` says which)."""

    name: str
    here: bool = False
    """This program runs on it."""
    cards: tuple[Card, ...] = ()
    unified: bool = False
    free_ram: int | None = None
    disk_free: int | None = None
    unknown: tuple[str, ...] = ()
    """What isn't known of its memory, in words."""
    without_gpus: bool = False
    """It was read, and no GPU is seen there."""

    @property
    def free(self) -> list[int]:
        """Bytes free, of each GPU."""
        return [card.free for card in self.cards]

    @property
    def totals(self) -> list[int]:
        """Bytes in all, of each GPU."""
        return [card.total for card in self.cards]

    @property
    def memory(self) -> str:
        """What its free memory is called ("on antwerp's 2 GPUs")."""
        if self.unified:
            return f"of {self.name}'s unified memory"
        if not self.cards:
            return f"of {self.name}'s system memory"
        return f"on {self.name}'s {f'{len(self.cards)} GPUs' if len(self.cards) > 1 else 'GPU'}"


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return name in _LOOPBACK or name.startswith("127.")


async def machine_of(fleet: FleetConfig, seen: FleetSnapshot, spec: EndpointSpec) -> Machine:
    """Where an endpoint runs. Never raises."""
    if spec.host is not None:
        return await _named(fleet, seen, spec.host, spec.name)
    if spec.via is not None:
        way = spec.via.removeprefix("ssh:")
        host = next((each for each in fleet.hosts if way in (each.ssh, each.name)), None)
        return await _named(fleet, seen, host.name if host else way, spec.name)
    if is_loopback(spec.url):
        return await this_machine(seen, spec.name, fleet)
    return Machine("its machine", unknown=(f"which machine {spec.name} runs on: its [[endpoint]] names no host",))


async def this_machine(seen: FleetSnapshot, endpoint: str, fleet: FleetConfig | None = None) -> Machine:
    """The machine that this program runs on. Never raises."""
    known = next((each for each in seen.hosts if each.source in LOCAL_SOURCES and each.at is not None), None)
    if known is None:
        spec = next((each for each in (fleet.hosts if fleet else ()) if each.gpus == "local"), this_host())
        known, why = await bounded(_read(spec, seen), _READ_S)
        if known is None:
            return Machine(spec.name, here=True, unknown=(f"the memory of {spec.name}: {why}",))
    return replace(machine(known, endpoint), here=True)


async def host_of(fleet: FleetConfig, seen: FleetSnapshot, name: str, endpoint: str) -> Machine:
    """The machine that a deployment names, by the name of its [[host]] or as ssh takes it. Never raises."""
    host = next((each for each in fleet.hosts if name in (each.name, each.ssh)), None)
    return await _named(fleet, seen, host.name if host else name, endpoint)


async def _named(fleet: FleetConfig, seen: FleetSnapshot, name: str, endpoint: str) -> Machine:
    known = next((each for each in seen.hosts if each.name == name), None)
    if known is None or known.at is None:
        spec = next((each for each in fleet.hosts if each.name == name), None)
        if spec is None or spec.gpus == "none":
            why = "nothing of it is read" if spec else "fleet.toml has no [[host]] of that name"
            return Machine(name, unknown=(f"the memory of {name}: {why}",))
        known, why = await bounded(_read(spec, seen), _READ_S)
        if known is None:
            return Machine(name, unknown=(f"the memory of {name}: {why}",))
    return replace(machine(known, endpoint), here=known.source in LOCAL_SOURCES)


async def _read(spec: HostSpec, seen: FleetSnapshot) -> HostView:
    host = Opening().host(spec, SYSTEM_CLOCK)
    try:
        reading = await asyncio.wait_for(host.read(), _READ_S)
    finally:
        await host.close()
    found = host_view(HostView(spec.name, spec.gpus), reading, 0.0)
    return held(found, claims(found, seen.endpoints))


def machine(host: HostView, endpoint: str = "") -> Machine:
    """What a host's row tells. Pure."""
    ram = _rest(host.memory_total_bytes, host.memory_used_bytes)
    unified = any(gpu.unified for gpu in host.gpus)
    cards, unknown = [], []
    for gpu in host.gpus:
        room = None if gpu.lost else _room(gpu, ram, host.memory_total_bytes)
        if room is None:
            unknown.append(f"the free memory of {host.name}'s GPU {gpu.index}{' (it is lost)' if gpu.lost else ''}")
        else:
            cards.append(Card(gpu.index, gpu.uuid, *room, held=_held((gpu,), endpoint)))
    without = host.at is not None and not host.gpus and _says_none(host)
    if not host.gpus and not without:
        unknown.append(f"the memory of {host.name}: {host.reason or 'it was not read yet'}")
    return Machine(
        host.name,
        cards=tuple(cards),
        unified=unified,
        free_ram=ram,
        disk_free=_rest(host.disk_total_bytes, host.disk_used_bytes),
        unknown=tuple(unknown),
        without_gpus=without,
    )


def _says_none(host: HostView) -> bool:
    """Whether it has no GPU, rather than one that can't be read."""
    return host.source != "none" and (not host.reason or any(words in host.reason for words in _NONE))


def _room(gpu: GpuView, ram: int | None, total_ram: int | None) -> tuple[int, int] | None:
    """Free and all bytes of a GPU: of its largest free slice where it is split, of the machine's where they share."""
    slices = [
        (free, each.memory_total_bytes or 0)
        for each in gpu.mig
        if (free := _rest(each.memory_total_bytes, each.memory_used_bytes)) is not None
    ]
    if gpu.mig:
        return max(slices, default=None)
    free = _rest(gpu.memory_total_bytes, gpu.memory_used_bytes, gpu.memory_reserved_bytes or 0)
    if not gpu.unified:
        return None if free is None else (free, gpu.memory_total_bytes or 0)
    rooms = [each for each in (free, ram) if each is not None]
    total = gpu.memory_total_bytes or total_ram
    return (min(rooms), total) if rooms and total else None


def _rest(total: int | None, used: int | None, reserved: int = 0) -> int | None:
    return None if not total or used is None else max(0, total - used - reserved)


def _held(gpus: Iterable[GpuView], endpoint: str) -> int:
    processes = [process for gpu in gpus for process in gpu.processes or () if process.endpoint == endpoint]
    return sum(process.memory_bytes or 0 for process in processes)


async def held_there(fleet: FleetConfig, seen: FleetSnapshot, spec: EndpointSpec) -> int | None:
    """As `held_by`; its machine is read for it where nobody did. Never raises."""
    if (known := held_by(seen, spec.name)) is not None:
        return known
    return sum(card.held for card in (await machine_of(fleet, seen, spec)).cards) or None


def held_by(seen: FleetSnapshot, endpoint: str) -> int | None:
    """GPU memory that an endpoint's processes hold on all machines; ``None`` where none of them is seen. Pure."""
    held = sum(_held(host.gpus, endpoint) for host in seen.hosts)
    return held or None
