"""Downloads of a simulated Ollama: progress by layer, kept when the client goes away, shared by two who pull the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from quarterdeck.demo.ollama_models import OllamaModel

BYTES_S = 450e6
TICK_S = 0.06
"""How often a progress line is written."""


class Trouble(StrEnum):
    """What can go wrong with a download."""

    DROPPED = "the connection drops"
    HALF_LINE = "the connection drops in the middle of a line"
    DISK_FULL = "the disk is full"
    STALLED = "lines come, bytes don't"


@dataclass(slots=True)
class Fault:
    """What goes wrong with the downloads of a model, and where: once its first layer is ``at`` (0 to 1) there, ``times`` times."""

    trouble: Trouble
    at: float = 0.4
    times: int = 1


@dataclass(slots=True)
class _Blob:
    done: int = 0
    at: float = 0.0
    """When ``done`` was last brought up to date."""


class Downloads:
    """What has been downloaded so far, by layer. Times are seconds of the simulation's clock."""

    def __init__(self) -> None:
        self._blobs: dict[str, _Blob] = {}
        self.faults: dict[str, Fault] = {}
        """Model → what goes wrong with it."""
        self.bytes_s = BYTES_S

    def trouble(self, model: OllamaModel, layer: Layer) -> Trouble | None:
        """What goes wrong now."""
        fault = self.faults.get(model.name)
        if fault is None or fault.times <= 0 or layer.done < fault.at * layer.size or layer.size < model.size / 2:
            return None
        fault.times -= 1
        return fault.trouble

    def have(self, model: OllamaModel) -> None:
        """Its layers are all there."""
        for digest, size in model.layers:
            self._blobs[digest] = _Blob(done=size)

    def forget(self, model: OllamaModel) -> None:
        """Its layers are gone."""
        for digest, _ in model.layers:
            self._blobs.pop(digest, None)

    def begin(self, model: OllamaModel, now: float) -> Iterator[Layer]:
        """Its layers in the order in which they are downloaded, one after another."""
        for digest, size in model.layers:
            blob = self._blobs.setdefault(digest, _Blob())
            blob.at = max(blob.at, now - TICK_S)
            yield Layer(digest, size, blob, self.bytes_s)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer being downloaded."""

    digest: str
    size: int
    _blob: _Blob
    bytes_s: float = BYTES_S

    @property
    def done(self) -> int:
        """Bytes that are there."""
        return self._blob.done

    def advance(self, now: float) -> dict[str, Any]:
        """The progress line of now."""
        blob = self._blob
        blob.done = min(self.size, blob.done + max(0, int((now - blob.at) * self.bytes_s)))
        blob.at = max(blob.at, now)
        line: dict[str, Any] = {"status": f"pulling {self.digest[:12]}", "digest": f"sha256:{self.digest}"}
        line["total"] = self.size
        return {**line, "completed": blob.done} if blob.done else line

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return self._blob.done >= self.size
