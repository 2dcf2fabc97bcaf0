"""`quarterdeck doctor`: what this program is, what it found, what it can't see, and why.

Exit codes: 0 nothing is bad, 1 something is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck import __version__
from quarterdeck.cli.fleets import Chosen, chosen, searched
from quarterdeck.engine.engine import Engine
from quarterdeck.model.verdict import judged
from quarterdeck.report.doctor import BAD, NOTE, OK, WARN, Finding, Names, Section, document, of_fleet, text

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig
    from quarterdeck.model.fleet import FleetSnapshot

LIBRARIES = ("textual", "rich", "httpx", "h11", "nvidia-ml-py", "ollama", "psutil", "pydantic", "platformdirs")
BETWEEN_SAMPLES_S = 1.0


def run(arguments: argparse.Namespace) -> int:
    """Look at everything and say it."""
    choice = chosen(arguments)
    fleet, seen, skews = asyncio.run(_asked(choice))
    sections = [program(), terminal(os.environ), state(), configuration(arguments, choice), *of_fleet(seen, skews)]
    if arguments.bundle:
        _write_bundle(Path(arguments.bundle), sections, fleet, seen)
        sys.stderr.write(
            f"{arguments.bundle} written; names, addresses and paths are taken out, look through it all the same\n"
        )
    if arguments.json:
        sys.stdout.write(json.dumps(document(sections), ensure_ascii=False, indent=2) + "\n")
    elif not arguments.bundle:
        sys.stdout.write(text(sections))
    return int(any(found.level == BAD for section in sections for found in section.findings))


async def _asked(choice: Chosen) -> tuple[FleetConfig, FleetSnapshot, dict[str, float]]:
    from quarterdeck.engine.skews import clock_skews

    fleet, _ = await searched(choice)
    engine = Engine(fleet)
    try:
        await engine.once()
        skews = await clock_skews(engine)
        await asyncio.sleep(BETWEEN_SAMPLES_S)
        await engine.once()
        return engine.fleet, engine.snapshot(), skews
    finally:
        await engine.stop()


# ---- this program


def program() -> Section:
    """Versions, and where it runs."""
    return Section("Program", tuple(_program()))


def _program() -> Iterator[Finding]:
    yield Finding(OK, "quarterdeck", f"{__version__} in {Path(__file__).parents[1]}")
    yield Finding(OK, "Python", f"{platform.python_version()} ({sys.executable})")
    yield Finding(OK, "system", f"{platform.system()} {platform.release()} {platform.machine()}")
    for name in LIBRARIES:
        try:
            yield Finding(OK, name, version(name))
        except PackageNotFoundError:
            yield Finding(BAD, name, "not installed")
    for tool, use in (
        ("ssh", "for hosts and tunnels by ssh"),
        ("nvidia-smi", "not needed: GPUs are read by NVML itself"),
    ):
        found = shutil.which(tool)
        yield Finding(OK if found else NOTE, tool, found or f"not there; {use}")


def terminal(environ: os._Environ[str] | dict[str, str]) -> Section:
    """What the terminal says it can."""
    size = shutil.get_terminal_size(fallback=(0, 0))
    encoding = (sys.stdout.encoding or "").lower()
    findings = [
        Finding(
            OK if sys.stdout.isatty() else NOTE,
            "terminal",
            f"{size.columns}×{size.lines}" if sys.stdout.isatty() else "none: stdout is no terminal",
        ),
        Finding(OK if environ.get("TERM") else WARN, "TERM", environ.get("TERM") or "not set"),
        Finding(NOTE, "colours", _colours(environ)),
        Finding(OK if "utf" in encoding else WARN, "encoding", encoding or "unknown"),
    ]
    within = [
        name
        for name, variable in (("tmux", "TMUX"), ("screen", "STY"), ("ssh", "SSH_CONNECTION"))
        if environ.get(variable)
    ]
    if within:
        findings.append(Finding(NOTE, "within", ", ".join(within)))
    return Section("Terminal", tuple(findings))


def _colours(environ: os._Environ[str] | dict[str, str]) -> str:
    if environ.get("NO_COLOR"):
        return "none: NO_COLOR is set"
    if environ.get("COLORTERM", "").casefold() in ("truecolor", "24bit"):
        return "true colour (COLORTERM)"
    return "256" if "256" in environ.get("TERM", "") else "16, as far as TERM tells"


def state() -> Section:
    """The folder in which jobs and the audit log are kept."""
    from quarterdeck.engine.audit import audit_path
    from quarterdeck.engine.jobs.folder import JobFolder

    folder = audit_path().parent
    findings = [Finding(OK, "folder", str(folder))]
    if folder.exists():
        mode = folder.stat().st_mode & 0o777
        findings.append(
            Finding(
                OK if not mode & 0o077 else WARN,
                "mode",
                f"{mode:04o}" + ("" if not mode & 0o077 else ": others can read it"),
            )
        )
        findings.append(
            Finding(
                OK if os.access(folder, os.W_OK) else BAD,
                "writable",
                "yes" if os.access(folder, os.W_OK) else "no: nothing can be done from here",
            )
        )
        jobs = JobFolder().read_all()
        going = sum(not job.state.ended for job in jobs)
        findings.append(Finding(NOTE, "jobs", f"{len(jobs)}, {going} of them going on"))
    else:
        findings.append(Finding(NOTE, "folder", "not there yet: nothing was done"))
    return Section("State", tuple(findings))


def configuration(arguments: argparse.Namespace, choice: Chosen) -> Section:
    """Which file is in force, what is wrong with it, and where each value comes from."""
    from quarterdeck.config.load import load, places

    if arguments.url:
        return Section("Configuration", (Finding(OK, "from", "the command line (--url); no file is read"),))
    loaded = load(arguments.fleet, origins=True)
    findings = [Finding(OK if loaded.path else NOTE, "file", str(loaded.path or "none found"))]
    if loaded.path is None:
        findings += [Finding(NOTE, "looked for", str(place)) for place in places(arguments.fleet)]
    findings += [Finding(BAD, "problem", str(problem)) for problem in loaded.problems]
    if choice.fleet.console.read_only:
        findings.append(Finding(NOTE, "read-only", "nothing can be changed"))
    written = [(path, origin) for path, origin in loaded.origins.items() if origin != "default"]
    findings += [Finding(NOTE, path, origin) for path, origin in written[:200]]
    return Section("Configuration", tuple(findings))


# ---- a bundle for a bug report


def _write_bundle(path: Path, sections: list[Section], fleet: FleetConfig, seen: FleetSnapshot) -> None:
    import zipfile

    from quarterdeck.config.render import render_config
    from quarterdeck.report.json import document as status

    names = Names(_names(fleet, seen))
    parts = {
        "doctor.txt": text(sections),
        "status.json": json.dumps(
            status(seen, judged(seen, fleet.limits)), allow_nan=False, ensure_ascii=False, indent=2
        ),
        "fleet.txt": render_config(fleet),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in parts.items():
            bundle.writestr(name, names.out(content))


def _names(fleet: FleetConfig, seen: FleetSnapshot) -> dict[str, str]:
    """What tells whose fleet it is, and the word that stands for it."""
    from urllib.parse import urlsplit

    from quarterdeck.engine.audit import user_name

    words: dict[str, str] = {str(Path.home()): "~", platform.node(): "this-machine", user_name(): "user"}
    for number, host in enumerate(fleet.hosts, 1):
        words |= {host.name: f"host-{number}", host.ssh or "": f"ssh-{number}"}
        words[urlsplit(host.gpus).hostname or ""] = f"host-{number}.example"
    for number, spec in enumerate(fleet.endpoints, 1):
        words[urlsplit(spec.url).hostname or ""] = f"server-{number}.example"
        words[spec.name] = f"endpoint-{number}"
        words |= {f"{name}": f"header-{number}" for name in spec.headers.values()}
    for number, view in enumerate(seen.hosts, 1):
        words.setdefault(view.name, f"host-{number}")
        words |= {gpu.uuid: f"gpu-{number}-{gpu.index}" for gpu in view.gpus if gpu.uuid}
    for kept in ("", "127.0.0.1", "localhost", "::1", "root", "local"):
        words.pop(kept, None)
    return {name: word for name, word in words.items() if len(name) > 1}
