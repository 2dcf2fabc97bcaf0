"""How full the file system is that models lie on. Asking one that is mounted from elsewhere can block, so a thread does."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

READ_EVERY_S = 30.0
_UNKNOWN = "disk: does not answer"


class DiskReading(NamedTuple):
    """Bytes; ``None`` with a problem in words where they can't be read."""

    used_bytes: int | None = None
    total_bytes: int | None = None
    problem: str = ""


class Disk:
    """Looks now and then; in between the last numbers hold."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        environment: Mapping[str, str] | None = None,
        usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        """Looks at nothing yet. ``usage`` gives total, used and free bytes, or raises OSError."""
        self._monotonic = monotonic
        self._environment = os.environ if environment is None else environment
        self._usage = usage
        self._last = DiskReading()
        self._at = -math.inf
        self._looking: asyncio.Future[DiskReading] | None = None

    async def read(self, timeout: float) -> DiskReading:  # noqa: ASYNC109  (bounds the wait, not the look)
        """The numbers, within ``timeout`` seconds; after that the last ones and, if there are none, a problem."""
        loop = asyncio.get_running_loop()
        if self._looking is None or self._looking.get_loop() is not loop:
            if self._monotonic() - self._at < READ_EVERY_S:
                return self._last
            try:
                self._looking = loop.run_in_executor(None, self._look)
            except RuntimeError:
                return self._last._replace(problem="disk: no thread can be started to look")
            await asyncio.wait({self._looking}, timeout=timeout)
        if not self._looking.done():
            return self._last._replace(problem=_UNKNOWN)
        self._last, self._at, self._looking = self._looking.result(), self._monotonic(), None
        return self._last

    def _look(self) -> DiskReading:
        try:
            total, used, _ = self._usage(models_folder(self._environment))
        except Exception as error:  # noqa: BLE001  (a failure is a reading)
            return DiskReading(problem=f"disk: {getattr(error, 'strerror', None) or type(error).__name__}")
        return DiskReading(used, total)


def models_folder(environment: Mapping[str, str]) -> Path:
    """The first that there is of the folders where Ollama and Hugging Face keep models, else the root."""
    try:
        home = Path(environment.get("HOME") or Path.home())
    except RuntimeError:  # a container's user that no list of users knows
        home = Path("/")
    named = [environment.get("OLLAMA_MODELS"), environment.get("HF_HUB_CACHE"), environment.get("HF_HOME")]
    usual = [
        home / ".ollama/models",
        home / ".cache/huggingface/hub",
        Path("/usr/share/ollama/.ollama/models"),
        Path("/var/lib/ollama/.ollama/models"),
    ]
    for folder in (*(Path(name) for name in named if name), *usual):
        try:
            if folder.is_dir():
                return folder
        except (OSError, ValueError):
            continue
    return Path(home.anchor or "/")
