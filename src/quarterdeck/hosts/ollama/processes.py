"""The processes of an Ollama on this machine: its server, and the runners that the server starts, one for each loaded model."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from quarterdeck.hosts.ollama.store import names_of
from quarterdeck.model.ollama import Runner

_SERVES = ("serve", "start")
_MOST_WORDS = 512
_MOST_CHILDREN = 64
_BLOBS = "/blobs/sha256-"
_SLEEPS = "--sleep-idle-seconds"
_SLEEPS_ENV = "LLAMA_ARG_SLEEP_IDLE_SECONDS"


class Told(NamedTuple):
    """What a runner's command line tells."""

    port: int
    model: str = ""
    """The file of its model, or the model's name."""
    context: int | None = None
    sleeps: bool = False


def servers(load: Callable[[], Any]) -> list[Any]:
    """Every ``ollama serve`` of this machine whose command line may be read. ``load``: psutil, asked for only where one may be."""
    pids = _called_ollama()
    if pids is None:
        psutil = load()
        found = [one for one in psutil.process_iter(["name"]) if "ollama" in (one.info["name"] or "").lower()]
    elif pids:
        psutil = load()
        found = _living(pids, psutil)
    else:
        return []
    return [process for process in found if any(word in _SERVES for word in words_of(process, psutil)[1:])]


def _called_ollama() -> list[int] | None:
    """The processes with such a name; ``None`` where only psutil can tell. In half the time that psutil takes."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  (a Path for each costs more)
    except OSError:
        return None
    return [pid for pid in pids if b"ollama" in _name_of(pid)]


def _name_of(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:  # noqa: PTH123
            return file.read().lower()
    except OSError:
        return b""


def _living(pids: Iterable[int], psutil: Any) -> list[Any]:
    found = []
    for pid in pids:
        try:
            found.append(psutil.Process(pid))
        except psutil.Error:
            continue
    return found


def words_of(process: Any, psutil: Any) -> list[str]:
    """A process's command line; empty where it has gone or may not be read."""
    try:
        return list(process.cmdline()[:_MOST_WORDS])
    except (psutil.Error, OSError):
        return []


def children(process: Any, psutil: Any) -> list[Any]:
    """The processes it started that live. Raises psutil.Error or OSError."""
    folder = Path(f"/proc/{process.pid}/task")
    try:
        # Any thread of the server may have started one. This takes a tenth of what looking through all processes does.
        pids = [int(pid) for thread in folder.iterdir() for pid in (thread / "children").read_text().split()]
    except OSError:
        return list(process.children())[:_MOST_CHILDREN]
    return _living(sorted(pids)[:_MOST_CHILDREN], psutil)


def told_by(words: Sequence[str]) -> Told | None:
    """What a command line with ``--port`` tells; ``None`` for any other."""
    given = _options(words)
    port = _number(given.get("--port"))
    if port is None or not 0 < port < 65536:
        return None
    context = _number(given.get("--ctx-size") or given.get("-c"))
    parallel = _number(given.get("--parallel") or given.get("-np")) or 1
    model = given.get("--model") or given.get("-m") or ""
    return Told(port, model, context // parallel if context else None, _SLEEPS in given)


def _options(words: Sequence[str]) -> dict[str, str]:
    """Options with the word behind them, whether after a space or a "="."""
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            found[name] = value if equals else following
    return found


def _number(word: str | None) -> int | None:
    return int(word) if word and word.isascii() and word.isdigit() and len(word) < 12 else None


def runner_of(process: Any, psutil: Any) -> tuple[Runner, str] | None:
    """A child of the server as a runner, and its model's file; ``None`` where it is none, or has gone."""
    told = told_by(words_of(process, psutil))
    try:
        began = float(process.create_time())
    except (psutil.Error, OSError):
        return None
    if told is None:
        return None
    sleeps = told.sleeps or _told_to_sleep(process, psutil)
    return Runner(process.pid, told.port, began, None, told.context, sleeps), told.model


def _told_to_sleep(process: Any, psutil: Any) -> bool:
    """By its environment, where that may be read."""
    try:
        return _SLEEPS_ENV in process.environ()
    except (psutil.Error, OSError):
        return False


def named(model: str, names: Collection[str]) -> str | None:
    """Which of these Ollama models has ``model`` as its weights: a file of Ollama's store, or a name."""
    if _BLOBS not in model:
        return model if model in names else None
    return next((name for name in names_of(model) if name in names), None)


def unit_of(pid: int) -> tuple[str, bool] | None:
    """The systemd service that a process belongs to, and whether it is a user's own; ``None`` where it belongs to none."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2) if line.count(":") > 1 else ("", "-", "")
        unit = path.rpartition("/")[2]
        if controllers in ("", "name=systemd") and unit.endswith(".service"):
            return unit, "/user@" in path
    return None
