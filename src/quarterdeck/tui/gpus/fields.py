"""What can be asked of a GPU in the filter."""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.model.gpu import GpuProcess, Holder
from quarterdeck.model.query.field import Around, Field, Vocabulary
from quarterdeck.model.query.values import Kind
from quarterdeck.tui.gpus.scene import Entry, marks


def _processes(entry: Entry) -> tuple[GpuProcess, ...]:
    return entry.gpu.processes or ()


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _free(entry: Entry, _: Around) -> float | None:
    gpu = entry.gpu
    if gpu.memory_used_bytes is None or gpu.memory_total_bytes is None:
        return None
    return max(0, gpu.memory_total_bytes - gpu.memory_used_bytes - (gpu.memory_reserved_bytes or 0))


def _trouble(entry: Entry, _: Around) -> Iterable[str]:
    for mark in marks(entry.gpu, entry.host.at or 0.0):
        yield from (mark.word, mark.text)


def _held(entry: Entry, _: Around) -> Iterable[str | None]:
    for process in _processes(entry):
        yield process.name
        yield "orphan" if process.holder is Holder.ORPHAN else None


def _words(entry: Entry) -> Iterable[str | None]:
    host, gpu = entry
    yield from (host.name, f"gpu {gpu.index}", gpu.name, gpu.uuid)
    yield from (mark.word for mark in marks(gpu, host.at or 0.0))
    for process in _processes(entry):
        yield from (process.name, process.user, process.model, process.endpoint, str(process.pid))
        yield "orphan" if process.holder is Holder.ORPHAN else None


GPUS: Vocabulary[Entry] = Vocabulary(
    (
        Field("host", "The machine it is in.", "host:gpu-1", ("machine",), lambda entry, _: (entry.host.name,)),
        Field("gpu", "Its name, or gpu and its number; compared: how busy it is.", "gpu>80", ("util", "load", "busy"), lambda entry, _: (f"gpu {entry.gpu.index}", entry.gpu.name), lambda entry, _: entry.gpu.utilization, Kind.SHARE),
        Field("index", "Its number on its machine.", "index=0", number=lambda entry, _: entry.gpu.index),
        Field("uuid", "Its UUID.", "uuid:gpu-3f2a", texts=lambda entry, _: (entry.gpu.uuid,)),
        Field("mem", "Memory in use, in bytes or as a share.", "mem>80%", ("memory", "vram", "used"), number=lambda entry, _: entry.gpu.memory_used_bytes, kind=Kind.BYTES, share=lambda entry, _: entry.gpu.memory_fraction),
        Field("free", "Memory that is free.", "free>20GiB", number=_free, kind=Kind.BYTES, share=lambda entry, around: _share(_free(entry, around), entry.gpu.memory_total_bytes)),
        Field("total", "All its memory.", "total>=80GiB", number=lambda entry, _: entry.gpu.memory_total_bytes, kind=Kind.BYTES),
        Field("temp", "Degrees Celsius of its core.", "temp>80", ("heat", "temperature"), number=lambda entry, _: entry.gpu.temperature_c, unit="°C"),
        Field("power", "Watts, or the share of its limit.", "power>300W", ("watts",), number=lambda entry, _: entry.gpu.power_w, share=lambda entry, _: _share(entry.gpu.power_w, entry.gpu.power_limit_w), unit="W"),
        Field("model", "A model whose memory it holds.", "model:qwen3", texts=lambda entry, _: (process.model for process in _processes(entry))),
        Field("endpoint", "An endpoint whose memory it holds.", "endpoint:vllm-a", texts=lambda entry, _: (process.endpoint for process in _processes(entry))),
        Field("process", "A process that holds memory of it, or orphan; compared: how many do.", "process:python", ("proc",), _held, lambda entry, _: None if entry.gpu.processes is None else len(entry.gpu.processes)),
        Field("user", "Whose process that is.", "user:ana", texts=lambda entry, _: (process.user for process in _processes(entry))),
        Field("pid", "The number of such a process.", "pid=4242", texts=lambda entry, _: (str(process.pid) for process in _processes(entry))),
        Field("trouble", "What is wrong with it, in words.", "trouble:hot,xid", ("why", "state"), _trouble),
    ),
    _words,
    "GPUs",
)  # fmt: skip
