"""Draws the pictures in docs/pictures: the console itself, headless, on the demo fleet or on that of a fleet file.

uv run python docs/make_pictures.py                demo-*.svg
uv run python docs/make_pictures.py NAME FILE      NAME-*.svg
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.load import load
from quarterdeck.demo.fleet import start
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.jobs.board import JobBoard
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.timeline.witness import Witness
from quarterdeck.tui.app import ConsoleApp

FOLDER = Path(__file__).with_name("pictures")
SIZES = ((80, 24), (120, 36), (200, 60))
WATCH_S = 40.0
"""Long enough for trends, and for the first of the demo's trouble."""

_FIND = ("escape", "1", "slash", *"workbench", "enter")
_PULL = ("escape", "P", *"mistral", "minus", *"small3", "full_stop", "2", "colon", *"24b")
_CHAT = ("4", "tab", "a", *"mistral-small", "enter", "tab", *"Why do requests wait?", "enter")
VIEWS = (
    ("endpoint", ("enter",), 1.0),
    ("gpus", ("escape", "2"), 1.0),
    ("gpu", ("enter",), 1.0),
    ("act", ("escape", *_FIND, "a"), 1.0),
    ("pull", _PULL, 4.0),
    ("jobs", ("enter", "6"), 9.0),
    ("alerts", ("escape", "escape", "5"), 1.0),
    ("models", ("escape", "3"), 1.0),
    ("chat", ("escape", "1", *_CHAT), 9.0),
)
"""What is drawn of one console after the other: its name, the keys that lead there, and how long it takes to be there (s)."""


async def draw(name: str, fleet: FleetConfig) -> None:
    """One picture per size in the dark theme, and one in the light; all of the same fleet at the same time."""
    apps = [(f"{name}-{columns}x{rows}", (columns, rows), fleet) for columns, rows in SIZES]
    light = replace(fleet, console=replace(fleet.console, theme="quarterdeck-day"))
    apps.append((f"{name}-light-120x36", (120, 36), light))
    for file, size, watched in apps:
        app = ConsoleApp(watched, make_engine=lambda found: Engine(found, board=JobBoard(), witness=Witness(found)))
        async with app.run_test(size=size) as pilot:
            await asyncio.sleep(WATCH_S)
            await pilot.pause()
            (FOLDER / f"{file}.svg").write_text(app.export_screenshot(title="quarterdeck"))
            if size == (120, 36) and watched is fleet:
                for view, keys, rest in VIEWS if name == "demo" else VIEWS[:3]:
                    await pilot.press(*keys)
                    await asyncio.sleep(rest)
                    (FOLDER / f"{name}-{view}-120x36.svg").write_text(app.export_screenshot(title="quarterdeck"))


async def main(arguments: list[str]) -> None:
    """The demo's pictures, or those of a fleet file."""
    FOLDER.mkdir(exist_ok=True)
    if arguments:
        await draw(arguments[0], load(arguments[1]).config)
        return
    demo = await start()
    try:
        with tempfile.TemporaryDirectory() as state:  # its jobs are nobody's
            os.environ["XDG_STATE_HOME"] = state
            await draw("demo", demo.config)
            for job in JobFolder().read_all():
                if not job.state.ended:
                    JobFolder().cancel(job.id)
    finally:
        await demo.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
