"""Builds the simulated NVIDIA driver (tests/fakenvml) and runs programs on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FROZEN = "1795000000.5"
"""The moment at which the clock of the simulated GPUs stands."""


def can_build() -> bool:
    """Whether this machine can compile it and loads it as a driver."""
    return sys.platform == "linux" and shutil.which("cc") is not None and shutil.which("make") is not None


def build(folder: Path) -> None:
    """Compile the driver into ``folder``."""
    subprocess.run(
        ["make", "-s", "-C", str(HERE / "fakenvml"), f"OUT={folder}"], check=True, capture_output=True, timeout=100
    )


@dataclass(frozen=True, slots=True)
class Simulated:
    """A machine with eight simulated GPUs whose clock stands still. ``control``: what steers them."""

    driver: Path
    control: Path

    def environment(self, **more: str) -> dict[str, str]:
        """For a process that shall see them."""
        own = {
            "LD_LIBRARY_PATH": str(self.driver),
            "FAKE_NVML_GPUS": "8",
            "FAKE_NVML_FREEZE": FROZEN,
            "FAKE_NVML_PCIE_MS": "0",
            "FAKE_NVML_FILE": str(self.control),
            "PYTHONPATH": str(HERE),
        }
        return {**os.environ, **own, **more}

    def run(self, *command: str, **more: str) -> str:
        """The output of ``command``, run on them."""
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=100, env=self.environment(**more)
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def read(self, *arguments: str, **more: str) -> dict[str, Any]:
        """What `gpu_probe` finds."""
        found: dict[str, Any] = json.loads(self.run(sys.executable, str(HERE / "gpu_probe.py"), *arguments, **more))
        return found

    def python(self, code: str, **more: str) -> Any:
        """The JSON that ``code`` prints."""
        return json.loads(self.run(sys.executable, "-c", code, **more))
