"""One side of chat_streams.py, in this terminal for a while; then what it cost goes to a file as JSON.

chat_probe.py console|markdown|large URL WARM_UP_S SECONDS OUT
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual.app import App, ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Input, Markdown

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.endpoints.chat.open import stream
from quarterdeck.engine.engine import Engine
from quarterdeck.model.chat.request import ChatRequest, Message, Role
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.chat.entering import open_chat
from quarterdeck.tui.chat.sitting import sitting_of
from quarterdeck.tui.chat.stream_text import StreamText
from quarterdeck.tui.screens.chat import ChatScreen

STREAMS = 4


def newest(text: str) -> float | None:
    """When the last whole token of a text was sent."""
    words = text[-90:].split(" ")[:-1]  # the last may be a part
    told = [word for word in "\n".join(words).split() if word[0].isdigit()]
    try:
        return float(told[-1]) if told else None
    except ValueError:
        return None


class Meter:
    """CPU, lags and paints between two marks."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.paints = 0
        self.on = False
        self._last: dict[int, float] = {}

    def begin(self) -> None:
        """The first mark."""
        self.on, self.cpu, self.wall = True, time.process_time(), time.perf_counter()

    def painted(self, texts: list[str]) -> None:
        """A paint reached the terminal: of each text that grew, how old the oldest token is that was not on the screen before.

        That one waited longest.
        """
        now = time.monotonic()
        self.paints += self.on
        for place, text in enumerate(texts):
            sent = newest(text)
            if sent is None or sent == self._last.get(place):
                continue
            if self.on and place in self._last:
                self.lags.append(now - self._last[place])
            self._last[place] = sent

    def result(self, lost: int) -> dict[str, Any]:
        """The second mark."""
        wall = time.perf_counter() - self.wall
        cpu = (time.process_time() - self.cpu) / wall
        return {"cpu": cpu, "lags": self.lags, "paints": self.paints / wall, "lost": lost}


class ConsoleProbe(ConsoleApp):
    """The console in its chat."""

    def __init__(self, url: str, warm_up: float, seconds: float, out: Path) -> None:
        names = [f"bench-{n}" for n in range(STREAMS)]
        fleet = FleetConfig(endpoints=tuple(EndpointSpec(name, url, engine="openai", poll=30.0) for name in names))
        super().__init__(fleet, make_engine=Engine)
        self.names, self.spans, self.out, self.meter = names, (warm_up, seconds), out, Meter()

    def on_mount(self) -> None:
        """Begin once the engine runs."""
        super().on_mount()
        self.set_timer(1.0, self.open)
        self.set_timer(self.spans[0], self.meter.begin)
        self.set_timer(sum(self.spans), self.finish)

    def open(self) -> None:
        """Four columns, one prompt."""
        sitting = sitting_of(self)
        assert sitting is not None
        for name in self.names:
            sitting.talk.add(name, "bench")
        sitting.draft.text = "go"
        open_chat(self)
        self.set_timer(0.3, self.send)

    def send(self) -> None:
        """Enter."""
        assert isinstance(self.screen, ChatScreen)
        self.screen.send()

    def shown(self) -> list[str]:
        """The last lines of each column, as they were painted."""
        return [_tail(pane) for pane in self.screen.query(StreamText)] if isinstance(self.screen, ChatScreen) else []

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        self.meter.painted(self.shown())

    def finish(self) -> None:
        """Cancel, and compare what is shown with what came."""
        assert isinstance(self.screen, ChatScreen)
        result = self.meter.result(0)
        sitting = self.screen.sitting
        sitting.talk.cancel_all()
        for pane in self.screen.query(StreamText):
            pane.again()
        for pane, column in zip(self.screen.query(StreamText), sitting.talk.columns, strict=True):
            said = pane.transcript.said[0]
            lines = said.text.lines
            shown = "".join("".join([*lines.lines, lines.tail]).split())
            result["lost"] += len("".join(column.turns[0].answer.text.split())) - len(shown)
        self.out.write_text(json.dumps(result))
        self.exit()


def _tail(pane: StreamText) -> str:
    said = pane.transcript.said
    if not said:
        return ""
    lines = said[-1].text.lines
    return " ".join([*lines.lines[-2:], lines.tail])


class LargeProbe(ConsoleProbe):
    """One answer of 200 KB."""

    def __init__(self, url: str, warm_up: float, seconds: float, out: Path) -> None:
        super().__init__(url, warm_up, seconds, out)
        self.names = self.names[:1]
        self.done: dict[str, float] = {}

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        panes = list(self.screen.query(StreamText)) if isinstance(self.screen, ChatScreen) else []
        said = panes[0].transcript.said if panes else []
        if said and said[0].settled:
            now = self.engine.clock.monotonic()  # type: ignore[union-attr]
            self.done.setdefault("shown", now - (said[0].answer.ended_at or now))
            if said[0].rendered is not None:
                self.done.setdefault("rendered", now - (said[0].answer.ended_at or now))

    def finish(self) -> None:
        """What it took."""
        assert isinstance(self.screen, ChatScreen)
        text = self.screen.sitting.talk.columns[0].turns[0].answer.text
        self.out.write_text(json.dumps({"characters": len(text), "shown": -1.0, "rendered": -1.0} | self.done))
        self.exit()


class MarkdownProbe(App[None]):
    """Four of Textual's streaming Markdown widgets, as its documentation has them."""

    CSS = "Horizontal { height: 1fr; } VerticalScroll { width: 1fr; } Input { dock: bottom; }"

    def __init__(self, url: str, warm_up: float, seconds: float, out: Path) -> None:
        super().__init__()
        self.url, self.spans, self.out, self.meter = url, (warm_up, seconds), out, Meter()
        self.animation_level = "none"
        self.came = [""] * STREAMS
        self.written = [""] * STREAMS

    def compose(self) -> ComposeResult:
        """Columns and a line to type in."""
        with Horizontal():
            for _ in range(STREAMS):
                with VerticalScroll():
                    yield Markdown()
        yield Input()

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(Input).focus()
        for place, widget in enumerate(self.query(Markdown)):
            assert isinstance(widget.parent, VerticalScroll)
            widget.parent.anchor()
            self.run_worker(self.follow(place, widget))
        self.set_timer(self.spans[0], self.meter.begin)
        self.set_timer(sum(self.spans), self.finish)

    async def follow(self, place: int, widget: Markdown) -> None:
        """One stream into one widget."""
        await asyncio.sleep(1.3)
        request = ChatRequest("bench", (Message(Role.USER, "go"),))
        updates = Markdown.get_stream(widget)
        async for piece in stream(EndpointSpec("bench", self.url, engine="openai"), "openai", request):
            self.came[place] += piece.text
            await updates.write(piece.text)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        self.meter.painted([widget.source for widget in self.query(Markdown)])

    def finish(self) -> None:
        """What is not in the widgets yet is lost for who looks at them now."""
        shown = sum(len(widget.source) for widget in self.query(Markdown))
        self.out.write_text(json.dumps(self.meter.result(sum(map(len, self.came)) - shown)))
        self.exit()


if __name__ == "__main__":
    probes: dict[str, Any] = {"console": ConsoleProbe, "markdown": MarkdownProbe, "large": LargeProbe}
    name, url, warm_up, seconds, out = sys.argv[1:]
    probes[name](url, float(warm_up), float(seconds), Path(out)).run()
