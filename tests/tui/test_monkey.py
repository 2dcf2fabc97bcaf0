"""Random keys, clicks, pastes, sizes and themes on a console whose servers come and go.

No exception, no frozen screen, nothing that piles up, and at the end it still shows the fleet.
`QUARTERDECK_MONKEY_STEPS` says how long each run is, `QUARTERDECK_MONKEY_SEED` repeats one that failed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from textual import events
from textual.css.query import NoMatches
from textual.screen import Screen

from chat_fakes import FakeDesk, Wire, answer, fleet_view, wire
from console_driver import Console
from fakes import FrozenClock
from fleets import many, mixed_fleet
from quarterdeck.model.actions import ACTIONS
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.colors import theme_list
from quarterdeck.tui.commands import COMMANDS

__all__ = ["wire"]
STEPS = int(os.environ.get("QUARTERDECK_MONKEY_STEPS", "150"))
FRESH = int(os.environ.get("QUARTERDECK_MONKEY_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
HOME_EVERY = 150
FROZEN_S = 60.0
"""So long no answer: it hangs. Far above what the slowest step takes on a busy machine."""
NEVER = {"ctrl+c", "ctrl+z", "q", "ctrl+e", "ctrl+q"}
"""They end the console, stop the test's process, or open an editor."""
KEYS = sorted(
    (
        {key for each in (*COMMANDS, *ACTIONS) for key in each.keys if not key.startswith("upper_")}
        | {
            "enter",
            "escape",
            "tab",
            "shift+tab",
            "space",
            "backspace",
            "x",
            "é",
            "日",
            "0",
            "ctrl+j",
            "delete",
            "ctrl+k",
        }
        | {"shift+left", "ctrl+a", "ctrl+u", "ctrl+w", "ctrl+v", "f5"}
    )
    - NEVER
)
SIZES = ((80, 24), (120, 36), (200, 60), (40, 10), (1, 1), (300, 100), (20, 5))
STATES = [*State, None]
PASTES = (
    "qwen3",
    "state:down !vllm",
    "a\nb\n\x1b[31mred\x1b[0m\x00",
    "日本語" * 50,
    "x" * 20_000,
    ":pull qwen3 --on lab",
)


def shaken(rng: random.Random, base: FleetSnapshot, at: float) -> FleetSnapshot:
    """Some servers gone, others in another state; alerts and happenings."""
    views = tuple(
        replace(view, state=rng.choice(STATES), models=view.models if rng.random() < 0.7 else (), since=at - 1)
        for view in base.endpoints
        if rng.random() < 0.9
    )
    alerts = tuple(
        Alert(f"r {view.name}", "r", rng.choice(list(Severity)), view.name, "what", at, at, ("it",), endpoint=view.name)
        for view in views[: rng.randrange(4)]
    )
    told = tuple(Happening(at, rng.choice(list(Topic)), view.name, "word", "text") for view in views[:20])
    return replace(
        base, endpoints=views, alerts=alerts, happenings=told, hosts=base.hosts if rng.random() < 0.8 else ()
    )


class Held(NamedTuple):
    """What a console holds; it must not grow without end."""

    tasks: int
    threads: int
    files: int
    screens: int
    objects: int
    resident: int
    """Bytes."""


def held() -> Held:
    """What this process holds now."""
    gc.collect()
    objects = gc.get_objects()
    own = Path("/proc/self")
    known = own.exists()
    return Held(
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        files=len(list((own / "fd").iterdir())) if known else 0,
        screens=sum(issubclass(type(each), Screen) for each in objects),
        objects=len(objects),
        resident=int((own / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if known else 0,
    )


class Monkey:
    """Does something; remembers what."""

    def __init__(self, it: Console, rng: random.Random) -> None:
        self.it, self.rng = it, rng
        self.done: list[str] = []
        self.count: Counter[str] = Counter()
        self.themes = [name for name, _ in theme_list.names(it.app.theme_folders)]

    async def step(self, number: int) -> None:
        """One key, mostly; now and then news, another size, a click, a paste, another theme."""
        rng, it = self.rng, self.it
        if number % 25 == 24:
            await self._did("resize", it.pilot.resize_terminal, *rng.choice(SIZES))
        if number % 10 == 9:
            it.clock.advance(rng.choice((0.1, 1.0, 30.0)))
            await it.show(shaken(rng, rng.choice((mixed_fleet(), many(60), fleet_view())), 10_000.0))
        if number % HOME_EVERY == HOME_EVERY - 1:
            await self.home()
        luck = rng.random()
        if luck < 0.05:
            await self._click()
        elif luck < 0.06:
            self.done.append("paste")
            it.app.post_message(events.Paste(rng.choice(PASTES)))
            await it.pilot.pause()
        elif luck < 0.065:
            self.done.append("theme")
            it.app.choose_theme(rng.choice(self.themes))
            await it.pilot.pause()
        else:
            await self._did("", it.pilot.press, rng.choice(KEYS))
        assert it.app._exception is None, self.told
        assert it.app.is_running, self.told

    async def _click(self) -> None:
        rng, app = self.rng, self.it.app
        place = (rng.randrange(max(1, app.size.width)), rng.randrange(max(1, app.size.height)))
        button = rng.choice((1, 1, 1, 3))
        await self._did(
            "click", lambda *at: self.it.pilot.click(offset=at, button=button, times=rng.choice((1, 1, 2))), *place
        )

    async def _did(self, name: str, do: object, *arguments: object) -> None:
        self.done.append(" ".join(map(str, (name, *arguments))).strip())
        try:
            await asyncio.wait_for(do(*arguments), FROZEN_S)  # type: ignore[operator]
        except TimeoutError:
            raise AssertionError(f"frozen: {self.told}") from None
        except NoMatches:  # what was clicked went away in the meantime
            assert name == "click", self.told

    async def home(self) -> None:
        """Back to the fleet, and it must be seen."""
        it = self.it
        await self._did("resize", it.pilot.resize_terminal, 120, 36)
        for _ in range(len(it.app.screen_stack) + 6):
            await self._did("", it.press, "escape")
        await self._did("", it.press, "1")
        await it.tick()
        assert len(it.app.screen_stack) == 1, self.told
        assert it.text.strip(), self.told

    @property
    def told(self) -> str:
        """What it did last, for who has to repeat it."""
        return f"after {len(self.done)}: " + " | ".join(self.done[-40:])


async def run(seed: int, steps: int, desk: FakeDesk) -> None:
    """One monkey. Raises AssertionError with what it did last."""
    clock = desk.frozen
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=clock.clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        monkey = Monkey(Console(app, pilot, desk, clock), random.Random(seed))
        before: Held | None = None
        warm = min(2 * HOME_EVERY, steps // 2)
        for number in range(steps):
            await monkey.step(number)
            if number == warm:
                await monkey.home()
                before = held()
            if number % 1000 == 999:
                print(f"{number + 1} steps, {held()}", flush=True)
        await monkey.home()
        after = held()
        assert before is not None
        print(f"seed {seed}: {steps} steps\n  {before}\n  {after}")
        assert after.tasks <= before.tasks + 10, monkey.told
        assert after.threads <= before.threads + 8, monkey.told
        assert after.files <= before.files + 10, monkey.told
        assert after.screens <= before.screens + 8, monkey.told
        assert after.objects <= before.objects * 2 + 40 * steps + 200_000, monkey.told
        assert after.resident <= before.resident + 200 * 2**20, monkey.told


@pytest.mark.timeout(0 if STEPS > 1000 else 300)
@pytest.mark.parametrize("seed", [0, 1, FRESH], ids=["0", "1", "fresh"])
async def test_random_keys(seed: int, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"QUARTERDECK_MONKEY_SEED={seed} QUARTERDECK_MONKEY_STEPS={STEPS} repeats it")
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ConsoleApp, "do_quit", lambda _: None)  # the palette offers it
    monkeypatch.setattr(ConsoleApp, "do_suspend", lambda _: None)
    wire.on("lab", answer("yes"))
    await run(seed, STEPS, FakeDesk(FrozenClock()))
