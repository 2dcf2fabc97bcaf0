"""Draws the pictures in docs/pictures: the console itself, headless, on the demo fleet or on that of a fleet file.

uv run python docs/make_pictures.py                demo-*.svg
uv run python docs/make_pictures.py NAME FILE      NAME-*.svg
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.load import load
from quarterdeck.demo.fleet import start
from quarterdeck.engine.engine import Engine
from quarterdeck.tui.app import ConsoleApp

FOLDER = Path(__file__).with_name("pictures")
SIZES = ((80, 24), (120, 36), (200, 60))
WATCH_S = 40.0
"""Long enough for trends, and for the first of the demo's trouble."""


async def draw(name: str, fleet: FleetConfig) -> None:
    """One picture per size in the dark theme, and one in the light; all of the same fleet at the same time."""
    apps = [(f"{name}-{columns}x{rows}", (columns, rows), fleet) for columns, rows in SIZES]
    light = replace(fleet, console=replace(fleet.console, theme="quarterdeck-day"))
    apps.append((f"{name}-light-120x36", (120, 36), light))
    for file, size, watched in apps:
        app = ConsoleApp(watched, make_engine=Engine)
        async with app.run_test(size=size) as pilot:
            await asyncio.sleep(WATCH_S)
            await pilot.pause()
            (FOLDER / f"{file}.svg").write_text(app.export_screenshot(title="quarterdeck"))
            if size == (120, 36) and watched is fleet:
                for view, keys in (("endpoint", ("enter",)), ("gpus", ("escape", "2")), ("gpu", ("enter",))):
                    await pilot.press(*keys)
                    await asyncio.sleep(1)
                    (FOLDER / f"{name}-{view}-120x36.svg").write_text(app.export_screenshot(title="quarterdeck"))


async def main(arguments: list[str]) -> None:
    """The demo's pictures, or those of a fleet file."""
    FOLDER.mkdir(exist_ok=True)
    if arguments:
        await draw(arguments[0], load(arguments[1]).config)
        return
    demo = await start()
    try:
        await draw("demo", demo.config)
    finally:
        await demo.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
