"""GPUs and machines in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from quarterdeck.model.alerts.hearing import gpu_subjects
from quarterdeck.model.alerts.of_machines import grave_throttling
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.gpu import GpuView, Holder
from quarterdeck.model.host import HostView
from quarterdeck.reader import speech
from quarterdeck.reader.speech import counted, listed, name, sentence, spoken

_HOLDERS = 6


def called(host: str, gpu: GpuView) -> str:
    """ "GPU 3 of rotterdam"."""
    return f"GPU {gpu.index} of {name(host)}"


def every_gpu(snapshot: FleetSnapshot) -> Iterator[tuple[str, HostView, GpuView]]:
    """Each GPU, with what alerts call it, and its machine."""
    for host in snapshot.hosts:
        for subject, gpu in gpu_subjects(host):
            yield subject, host, gpu


def heat(gpu: GpuView) -> str:
    """Why its clocks are held back, where that shouldn't be; "" where they aren't."""
    return ", ".join(spoken(word) for word in grave_throttling(gpu))


def gpu_line(host: HostView, gpu: GpuView) -> str:
    """One GPU in one line; what is trouble comes first."""
    trouble = ["lost, these values are its last ones"] if gpu.lost else []
    trouble += [f"slowed down by {heat(gpu)}"] if heat(gpu) else []
    trouble += [spoken(f"Xid {xid.number} {xid.words}") for xid in gpu.xids[:1]]
    known = [
        f"{speech.percent(gpu.utilization)} busy" if gpu.utilization is not None else "load unknown",
        f"memory {speech.size(gpu.memory_used_bytes)} of {speech.size(gpu.memory_total_bytes)}",
    ]
    known += [f"{gpu.temperature_c:.0f} degrees"] if gpu.temperature_c is not None else []
    known += [f"{gpu.power_w:.0f} watts"] if gpu.power_w is not None else []
    kind = f", {name(gpu.name)}" if gpu.name else ""
    holders = _holders(gpu)
    return sentence(f"{called(host.name, gpu)}{kind}: {', '.join([*trouble, *known])}{holders}")


def _holders(gpu: GpuView) -> str:
    """Who has its memory."""
    found: list[str] = []
    for process in gpu.processes or ():
        who = process.model or process.endpoint or process.name or f"process {process.pid}"
        orphan = "orphan " if process.holder is Holder.ORPHAN else ""
        found.append(f"{orphan}{name(who, 60)} with {speech.size(process.memory_bytes)}")
    return f"; held by {listed(found, _HOLDERS)}" if found else ""


def machine_line(host: HostView) -> str:
    """One machine in one line."""
    parts = [f"cannot be read: {spoken(host.reason, 400)}"] if unreadable(host) else []
    if host.cpu is not None:
        parts.append(f"processor {speech.percent(host.cpu)} busy")
    if host.memory_total_bytes is not None:
        parts.append(f"memory {speech.size(host.memory_used_bytes)} of {speech.size(host.memory_total_bytes)}")
    parts.append(counted(len(host.gpus), "GPU") if host.gpus else "no GPU known")
    return sentence(f"{name(host.name)}: {', '.join(parts)}")


def gpus(snapshot: FleetSnapshot) -> list[str]:
    """Every machine, and its GPUs below it."""
    if not snapshot.hosts:
        return ["No machine is watched."]
    lines: list[str] = []
    for host in snapshot.hosts:
        lines.append(machine_line(host))
        lines += [gpu_line(host, gpu) for gpu in host.gpus]
    return lines


def unreadable(host: HostView) -> bool:
    """Whether a machine that is to be read can't be; one without a GPU is no trouble."""
    return bool(host.reason) and host.source.startswith(("http", "ssh"))


def troubled(snapshot: FleetSnapshot) -> list[str]:
    """What is wrong with machines and GPUs, a sentence each."""
    lines = [
        f"{name(host.name)} cannot be read: {spoken(host.reason, 400)}" for host in snapshot.hosts if unreadable(host)
    ]
    lines += [f"{called(host.name, gpu)} is lost" for _, host, gpu in every_gpu(snapshot) if gpu.lost]
    lines += [
        f"{called(host.name, gpu)} is slowed down by {heat(gpu)}"
        for _, host, gpu in every_gpu(snapshot)
        if heat(gpu) and not gpu.lost
    ]
    return [sentence(line) for line in lines]
