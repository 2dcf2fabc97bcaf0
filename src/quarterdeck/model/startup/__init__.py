"""What a model server's log tells while it starts: the phase, how far it is, what it found out, and why it failed.

A fold over lines: ``startup = begin("vllm")``, then ``startup = read(startup, line)`` for each, and ``ended(startup, code)`` where the
process ended before it served. Sources: the servers' own texts (vLLM 0.6 to 0.33, llama-server, `ollama serve`). Lines are a
stranger's: nothing of them is shown but numbers, names and, where the reason is none that is known, one cleaned line.
"""

from __future__ import annotations

from dataclasses import replace

from quarterdeck.model.startup import causes, llamacpp, ollama, other, vllm
from quarterdeck.model.startup.lines import EXCEPTION, BarLine, bar, quoted, segments
from quarterdeck.model.startup.state import Reader, Startup, StartupFacts

__all__ = ["Startup", "StartupFacts", "begin", "ended", "read"]

_READERS: dict[str, Reader] = {"vllm": vllm.READER, "llamacpp": llamacpp.READER, "ollama": ollama.READER}
_SIGNALS = {4: "an illegal instruction", 6: "an abort", 7: "a bus error", 11: "a segmentation fault", 15: "SIGTERM"}


def begin(engine: str) -> Startup:
    """Nothing read yet. ``engine`` as `quarterdeck.model.actions` names it; an unknown one is read for what all servers say."""
    return Startup(engine)


def read(startup: Startup, line: str) -> Startup:
    """``startup`` with one more line of the log. Never raises; what says nothing gives the same object."""
    for segment in segments(line):
        startup = _read(startup, segment)
    return startup


def ended(startup: Startup, exit_code: int | None = None) -> Startup:
    """``startup`` of a server whose process ended: there is a reason, even where the log gave none.

    ``exit_code`` as `subprocess` has it (minus the signal), or 128 plus the signal, as a shell has it; ``None`` where it isn't known.
    """
    if startup.sure:
        return startup
    cause, advice = _of_exit(startup, exit_code)
    return replace(startup, cause=cause, advice=advice, sure=True, ready_hint=False)


def _of_exit(startup: Startup, exit_code: int | None) -> tuple[str, str]:
    signal = _signal(exit_code)
    if signal == 9:
        return causes.KILLED
    if startup.failed and startup.suspect:
        return f"the server failed to start: {startup.suspect}", causes.SEE_LOG
    if signal is not None:
        return f"the server was ended by {_SIGNALS.get(signal, f'signal {signal}')}", startup.advice or causes.SEE_LOG
    code = "" if exit_code is None else f" with exit code {exit_code}"
    when = "" if startup.ready_hint else f" while {startup.phase}"
    return f"the server ended{code}{when}" + (f": {startup.suspect}" if startup.suspect else ""), causes.SEE_LOG


def _signal(exit_code: int | None) -> int | None:
    if exit_code is None:
        return None
    if exit_code < 0:
        return -exit_code
    return exit_code - 128 if 128 < exit_code < 160 else None


def _read(startup: Startup, line: str) -> Startup:
    reader = _READERS.get(startup.engine, other.READER)
    startup = reader.facts(startup, line)
    found = bar(line)
    return _blamed(_advanced(startup, reader, line, found), reader, line)


def _advanced(startup: Startup, reader: Reader, line: str, found: BarLine | None) -> Startup:
    place = reader.place(line, found)
    if place is None:
        return startup
    index, progress = place
    known = min(max(0, startup.step), len(reader.phases) - 1)
    begins = reader.phases[index][1]
    ends = reader.phases[index + 1][1] if index + 1 < len(reader.phases) else 1.0
    fraction = max(startup.fraction, begins + min(1.0, max(0.0, progress)) * (ends - begins))
    detail = f"{found.done} of {found.total}" if found is not None and index >= known and found.total else ""
    step = max(known, index)
    serves = index == len(reader.phases) - 1
    if serves and not startup.ready_hint:
        startup = replace(startup, cause=None, advice="", sure=False, suspect="", failed=False)
    ready = startup.ready_hint or serves
    if index < known:
        detail = startup.detail
    return replace(startup, phase=reader.phases[step][0], step=step, fraction=fraction, detail=detail, ready_hint=ready)


def _blamed(startup: Startup, reader: Reader, line: str) -> Startup:
    """``startup`` with what the line says of a failure. The first cause stays; a server that serves has none."""
    if startup.ready_hint or startup.sure:
        return startup
    found = causes.of(line, (*reader.causes, *causes.COMMON))
    if found == causes.in_use("") and startup.facts.port is not None:
        found = causes.in_use(str(startup.facts.port))
    if found is not None:
        return replace(startup, cause=found[0], advice=found[1], sure=True)
    failed = next((text for text in reader.failures if text in line), None)
    suspect = startup.suspect
    if failed is not None and not startup.failed and failed in reader.heads:
        suspect = ""  # the traceback follows; what was reported before it was survived
    elif failed is None and not suspect:
        suspect = _suspicion(reader, line)
    if failed is None and suspect == startup.suspect:
        return startup
    startup = replace(startup, suspect=suspect, failed=startup.failed or failed is not None)
    if failed is None or failed in reader.heads:
        return startup
    if not suspect:
        return replace(startup, cause=causes.SILENT[0], advice=causes.SILENT[1])
    return replace(startup, cause=f"the server failed to start: {suspect}", advice=causes.SEE_LOG)


def _suspicion(reader: Reader, line: str) -> str:
    found = (reader.error or EXCEPTION).search(line)
    return quoted(found[1]) if found is not None else ""
