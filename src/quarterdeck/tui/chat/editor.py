"""The prompt in the user's own editor. Its file lies in memory where that can be, and is gone afterwards."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from quarterdeck.format import printable

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.chat.prompt_box import PromptBox

_MOST = 4 * 1024 * 1024


def command() -> list[str]:
    """$VISUAL, $EDITOR, or vi."""
    for name in ("VISUAL", "EDITOR"):
        try:
            if words := shlex.split(os.environ.get(name, "")):
                return words
        except ValueError:
            continue
    return ["vi"]


def edit(app: ConsoleApp, box: PromptBox) -> asyncio.Task[None]:
    """Begin; answers go on coming in meanwhile, and are drawn afterwards."""
    return asyncio.get_running_loop().create_task(_edit(app, box))


async def _edit(app: ConsoleApp, box: PromptBox) -> None:
    words = command()
    if shutil.which(words[0]) is None:
        app.say(f"there is no {printable(words[0], 60)}; set $EDITOR", 8.0, topic="chat")
        return
    text = box.draft.unfolded(box.typed)
    try:
        with app.suspend(), app.batch_update():
            edited = await asyncio.to_thread(edited_text, words, text)
    except SuspendNotSupported:
        app.say("this terminal can't be lent to an editor", 8.0, topic="chat")
        return
    app.do_repaint()
    if edited is None:
        app.say("the editor failed; the prompt is as it was", 8.0, topic="chat")
    elif box.is_attached:
        box.set_text(box.draft.fold(edited))


def edited_text(words: list[str], text: str) -> str | None:
    """What the editor makes of ``text``; ``None`` where it fails. Blocks until it ends."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = tempfile.mkdtemp(prefix="quarterdeck-", dir=runtime if runtime and Path(runtime).is_dir() else None)
    try:
        path = Path(folder) / "prompt.md"
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8", errors="replace")
        if subprocess.run([*words, str(path)], check=False).returncode:
            return None
        return path.read_bytes()[:_MOST].decode("utf-8", "replace").rstrip("\n")
    except OSError:
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
