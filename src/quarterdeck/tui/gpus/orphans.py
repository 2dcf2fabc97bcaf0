"""Ending an orphan from the console: asked first, done in the engine, the outcome said in the status line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.engine.audit import audit_path
from quarterdeck.engine.orphans import end_orphan, refusal
from quarterdeck.format import age, printable, size
from quarterdeck.tui.acting.flow import refused as nothing_may_be
from quarterdeck.tui.gpus.scene import Entry, orphans

if TYPE_CHECKING:
    from quarterdeck.model.gpu import GpuProcess
    from quarterdeck.tui.app import ConsoleApp

_READ_S = 12.0


def ask(app: ConsoleApp, entry: Entry | None, unix: float) -> None:
    """Ask whether to end the largest orphan of a GPU, or say why that can't be."""
    found = orphans(entry.gpu) if entry is not None else []
    if entry is None or not found:
        app.say("there is no orphan on this GPU")
        return
    if nothing_may_be(app, "End an orphan"):
        return
    process = found[0]
    refused = refusal(process, entry.host, read_only=app.read_only)
    if refused:
        app.say(f"it can't be ended: {refused}", _READ_S)
        return

    async def end() -> None:
        app.say(f"ending process {process.pid} …")
        app.say(await end_orphan(process, entry.host, read_only=app.read_only), _READ_S)
        if app.engine is not None:
            app.engine.refresh()

    def begin() -> None:
        # The app's worker: it goes on when this screen is left.
        app.run_worker(end(), exit_on_error=False)

    from quarterdeck.tui.screens.confirm import ConfirmScreen

    question = f"End the orphan {process.pid} ({printable(process.name or 'no title', 60)}) on {entry.host.name}?"
    app.push_screen(ConfirmScreen(question, impact(process, entry, unix, len(found)), "End it", begin))


def impact(process: GpuProcess, entry: Entry, unix: float, count: int) -> list[str]:
    """What ending it means, a sentence each."""
    held = sum(p.memory_bytes or 0 for gpu in entry.host.gpus for p in gpu.processes or () if p.pid == process.pid)
    old = f", {age(unix - process.started)} old" if process.started is not None and unix else ""
    lines = [
        f"It holds {size(held)} of GPU memory{old}. The server it worked for is gone, and no endpoint that is watched uses it.",
        "It and the other workers of that server get SIGTERM, and SIGKILL if they are still there after 5 s.",
    ]
    if count > 1:
        lines.append(f"There are {count} orphans on this GPU; this is the largest.")
    return [*lines, f"It will be written into {audit_path()}."]
