"""What the tests need of Debian: OpenSSH's server and node_exporter. Installed by apt where that may be done."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NoReturn

import pytest

PROGRAMS = {
    "sshd": ("/usr/sbin/sshd", "openssh-server"),
    "node": ("prometheus-node-exporter", "prometheus-node-exporter"),
}
"""Part → program and package."""


def program(part: str) -> str | None:
    """Where the program of a part is; ``None`` while it is not installed."""
    return shutil.which(PROGRAMS[part][0])


def required() -> bool:
    """Whether nothing may be skipped."""
    return os.environ.get("QUARTERDECK_REAL_REQUIRED") == "1"


def not_now(reason: str) -> NoReturn:
    """End the test: skipped, or failed where nothing may be skipped."""
    if required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def install_debian() -> list[str]:
    """Install what is missing; what is missing still, and why it is not installed."""
    missing = [package for name, package in PROGRAMS.values() if shutil.which(name) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (("update", "-q"), ("install", "-q", "-y", "--no-install-recommends", *missing)):
            subprocess.run(("apt-get", *command), env=environ, stdin=subprocess.DEVNULL, check=False)
    return [package for name, package in PROGRAMS.values() if shutil.which(name) is None]


if __name__ == "__main__":
    left = install_debian()
    raise SystemExit(f"not installed (needs root and apt): {', '.join(left)}" if left else 0)
