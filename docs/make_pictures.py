"""Draws the pictures in docs/pictures: the console itself, headless, on the demo fleet or on that of a fleet file.

uv run python docs/make_pictures.py                        demo-*.svg: every view in three sizes, dark and light
uv run python docs/make_pictures.py --only gpus,jobs       these views only
uv run python docs/make_pictures.py NAME FILE              NAME-*.svg: fleet, endpoint, GPUs of that fleet
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.load import load
from quarterdeck.demo.fleet import start
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.jobs.board import JobBoard
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.timeline.witness import Witness
from quarterdeck.tui.app import ConsoleApp

if TYPE_CHECKING:
    from textual.pilot import Pilot

FOLDER = Path(__file__).with_name("pictures")
SIZES = ((80, 24), (120, 36), (200, 60))
WATCH_S = 40.0
"""Long enough for trends, and for the first of the demo's trouble."""


class View(NamedTuple):
    """What is drawn: its name, the keys that lead there from the one before, and how long it takes to be there (s)."""

    name: str
    keys: tuple[str, ...]
    rest: float = 1.0


_HOME = ("escape", "escape", "escape", "1")
_FIND = (*_HOME, "slash", *"workbench", "enter")
_PULL = ("escape", "P", *"mistral", "minus", *"small3", "full_stop", "2", "colon", *"24b")
_CHAT = ("4", "tab", "a", *"mistral-small", "enter", "tab", *"Why do requests wait?", "enter")
OF_ANY = (View("fleet", (), 0.0), View("endpoint", ("enter",)), View("gpus", ("escape", "2")))
"""What any fleet has."""
VIEWS = (
    *OF_ANY,
    View("gpu", ("enter",)),
    View("palette", (*_HOME, "colon", *"pu")),
    View("help", ("escape", "question_mark")),
    View("act", (*_FIND, "a")),
    View("pull", _PULL, 4.0),
    View("jobs", ("enter", "6"), 9.0),
    View("log", ("l",), 2.0),
    View("confirm", ("escape", "6", "x")),
    View("launch", (*_HOME, "escape", "n"), 2.0),
    View("alerts", (*_HOME, "5")),
    View("events", ("tab",)),
    View("models", (*_HOME, "3")),
    View("model", ("enter",)),
    View("chat", (*_HOME, *_CHAT), 9.0),
)
"""One after the other in one console."""


def smaller(svg: str) -> str:
    """The same picture: without fonts of the net, which GitHub doesn't load, and with fewer digits."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+-", "t-", svg)
    svg = re.sub(r"(\d+\.\d\d)\d+", r"\1", svg)
    return re.sub(r"\n\s+", "\n", svg)


async def draw(name: str, fleet: FleetConfig, size: tuple[int, int], views: tuple[View, ...], only: set[str]) -> None:
    """All views in one size; those not wanted are passed through."""
    light = "light-" if fleet.console.theme == "quarterdeck-day" else ""
    app = ConsoleApp(fleet, make_engine=lambda found: Engine(found, board=JobBoard(), witness=Witness(found)))
    async with app.run_test(size=size) as pilot:
        await asyncio.sleep(WATCH_S)
        for view in views:
            await _go(pilot, view)
            if only and view.name not in only:
                continue
            shown = "" if view.name == "fleet" else f"{view.name}-"  # the fleet is what all begins with
            file = FOLDER / f"{name}-{shown}{light}{size[0]}x{size[1]}.svg"
            file.write_text(smaller(app.export_screenshot(title="quarterdeck")), encoding="utf-8")


async def _go(pilot: Pilot[None], view: View) -> None:
    await pilot.press(*view.keys)
    await asyncio.sleep(view.rest)
    await pilot.pause()


async def one_size(name: str, file: str, only: set[str], size: tuple[int, int], *, light: bool) -> None:
    """Every view in one size and theme, of the demo or of a fleet file."""
    FOLDER.mkdir(exist_ok=True)
    os.environ["COLORTERM"] = "truecolor"  # whatever terminal this is started from
    os.environ.pop("NO_COLOR", None)
    demo = None if file else await start()  # each size sees the demo from its beginning
    try:
        fleet = load(file).config if demo is None else demo.config
        theme = "quarterdeck-day" if light else "quarterdeck-night"
        fleet = replace(fleet, console=replace(fleet.console, theme=theme))
        await _alone(name, fleet, size, only, VIEWS if demo else OF_ANY)
    finally:
        if demo is not None:
            await demo.stop()


async def every_size(words: list[str]) -> None:
    """Each size and theme in a process of its own, so many at a time as there are processors to spare."""
    turn = asyncio.Semaphore(max(1, (os.cpu_count() or 2) - 1))

    async def one(size: tuple[int, int], theme: str) -> None:
        async with turn:
            told = [*words, "--size", f"{size[0]}x{size[1]}", "--theme", theme]
            process = await asyncio.create_subprocess_exec(sys.executable, __file__, *told)
            if await process.wait():
                raise SystemExit(f"{size[0]}x{size[1]} {theme} failed")

    await asyncio.gather(*(one(size, theme) for size in SIZES for theme in ("dark", "light")))


async def _alone(name: str, fleet: FleetConfig, size: tuple[int, int], only: set[str], views: tuple[View, ...]) -> None:
    """With a state folder of its own: its jobs are nobody's."""
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state
        try:
            await draw(name, fleet, size, views, only)
        finally:
            for job in JobFolder().read_all():
                if not job.state.ended:
                    JobFolder().cancel(job.id)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name", nargs="?", default="demo")
    parser.add_argument("file", nargs="?", default="")
    parser.add_argument("--only", default="", help="views, with commas between them")
    parser.add_argument("--size", default="", help="such as 80x24 (default: all three)")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    given = parser.parse_args()
    if given.size:
        columns, _, rows = given.size.partition("x")
        views = {one for one in given.only.split(",") if one}
        light = given.theme == "light"
        asyncio.run(one_size(given.name, given.file, views, (int(columns), int(rows)), light=light))
    else:
        begun = time.monotonic()
        asyncio.run(every_size(sys.argv[1:]))
        sys.stderr.write(f"{time.monotonic() - begun:.0f} s\n")
