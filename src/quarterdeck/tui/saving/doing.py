"""`ctrl+s`: asks as what, asks for a file, and writes it; a file that is there is not overwritten without a yes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.errors import UsageError
from quarterdeck.format import printable, size
from quarterdeck.tui.lines import BAD
from quarterdeck.tui.screens.choose import ChooseScreen, Item
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.form import Answers, Field, FormScreen, Remark

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.screens.base import ConsoleScreen

READ_S = 10.0


class Kind(NamedTuple):
    """A way to save."""

    label: str
    suffix: str
    """Of the file's name, with its point; "" = it asks for its file itself, and ``make`` is called for that alone."""
    help: str
    make: Callable[[], Callable[[], str]]
    """Takes the view as it is now, at once; what it returns makes the text of it, in a thread."""
    reason: str = ""
    """Why it can't be had."""
    key: str = ""


def kinds(app: ConsoleApp, screen: ConsoleScreen) -> list[Kind]:
    """What a view can be saved as."""
    document = screen.document()
    none = "" if document is not None else "there is no data behind this view"
    return [
        Kind("Text", ".txt", "As it is on the screen, with every row of its tables.", lambda: _text(app, screen)),
        Kind("Picture (SVG)", ".svg", "What is seen now, in the colours of the theme.", lambda: _picture(app, screen)),
        Kind("Data (JSON)", ".json", _of_data(screen), lambda: _data(screen), none),
        *screen.more_kinds(),
    ]


def _of_data(screen: ConsoleScreen) -> str:
    commands = {"fleet": "status", "jobs": "jobs", "alerts": "alerts", "audit": "audit"}
    command = commands.get(screen.where)
    if command is None:
        return "What is known, unknown as null; filters don't matter."
    return f"As `quarterdeck {command} --json` prints it; filters don't matter."


def _text(app: ConsoleApp, screen: ConsoleScreen) -> Callable[[], str]:
    from quarterdeck.tui.saving.text import view_text

    when = _local(app.moment[1]).strftime("%Y-%m-%d %H:%M:%S %Z").strip()
    made = view_text(screen, f"Quarterdeck, {screen.where}, {when}")
    return lambda: made


def _picture(app: ConsoleApp, screen: ConsoleScreen) -> Callable[[], str]:
    from quarterdeck.tui.saving.picture import drawn, seen

    view, (width, height), title = seen(screen), app.size, f"Quarterdeck: {screen.where}"
    return lambda: drawn(view, width, height, title)


def _data(screen: ConsoleScreen) -> Callable[[], str]:
    from quarterdeck.tui.saving.documents import dumped

    document = screen.document()
    return lambda: dumped(document)


def _local(unix: float) -> datetime:
    try:
        return datetime.fromtimestamp(unix).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0).astimezone()


def proposed(where: str, suffix: str, unix: float) -> str:
    """ "quarterdeck-fleet-2026-11-23T14-03-21.svg": sorts by time, and no system forbids it."""
    return f"quarterdeck-{where}-{_local(unix):%Y-%m-%dT%H-%M-%S}{suffix}"


def ask(app: ConsoleApp, screen: ConsoleScreen) -> None:
    """As what?"""
    found = kinds(app, screen)
    keys = "tpdm"
    items = [
        Item(each.label, each.suffix, each.key or keys[at : at + 1], each.reason, each.help)
        for at, each in enumerate(found)
    ]
    app.push_screen(ChooseScreen("Save the view", items, lambda at: begin(app, screen, found[at])))


def begin(app: ConsoleApp, screen: ConsoleScreen, kind: Kind) -> None:
    """The view as it is now, and where to."""
    made = kind.make()
    if not kind.suffix:
        return
    name = proposed(screen.where, kind.suffix, app.moment[1])
    folder = app.saved_in
    Saving(app, kind, made).where(str(folder / name) if folder is not None else name)


def save_as(app: ConsoleApp, screen: ConsoleScreen, name: str) -> None:
    """The view as it is now, as the ending of the file's name says; other names are asked for."""
    kind = next((each for each in kinds(app, screen) if each.suffix and name.endswith(each.suffix)), None)
    if kind is None or kind.reason:
        app.say(kind.reason if kind is not None else "the ending of the name says as what: .txt, .svg or .json")
    else:
        Saving(app, kind, kind.make()).to(name)


class Saving:
    """One file on its way."""

    def __init__(self, app: ConsoleApp, kind: Kind, made: Callable[[], str]) -> None:
        """``made`` makes the text; in a thread, once."""
        self._app, self._kind, self._made = app, kind, made
        self._text: str | None = None

    def where(self, name: str, problem: str = "") -> None:
        """Ask for the file; after a failure with what was typed."""

        def filled(answers: Answers | None) -> None:
            if answers is not None:
                self.to(answers["file"])

        text = f"From {_here()}, unless it begins with / or ~."
        field = Field("file", "file", name, f"view{self._kind.suffix}", text, _needed)
        remarks = [Remark(problem, BAD)] if problem else []
        self._app.push_screen(FormScreen(f"Save as {self._kind.label}", [field], filled, remarks=remarks))

    def to(self, typed: str, *, over: bool = False) -> None:
        """Write it, in the background."""
        self._app.run_worker(self._write(typed, over=over), exit_on_error=False, group="saving")

    async def _write(self, typed: str, *, over: bool) -> None:
        from quarterdeck.tui.saving.writing import ThereError

        try:
            path, length = await asyncio.to_thread(self._written, typed, over)
        except ThereError as error:
            self._overwrite(typed, error.message)
        except UsageError as error:
            self._again(typed, error.message)
        else:
            self._app.saved_in = None if path.parent == _here() else path.parent
            self._app.say(printable(f"saved {path} ({size(length)})", 300), READ_S, topic="save")

    def _written(self, typed: str, over: bool) -> tuple[Path, int]:
        """In a thread."""
        from quarterdeck.tui.saving.writing import place, write

        path = place(typed)
        if self._text is None:
            self._text = self._made()
        write(path, self._text, over=over)
        return path, len(self._text.encode("utf-8", "replace"))

    def _again(self, typed: str, problem: str) -> None:
        """Nothing of what was typed is lost; where something else is asked by now, it is only said."""
        if self._app.screen.is_modal:
            self._app.say(printable(f"not saved: {problem}", 300), READ_S, topic="save")
        else:
            self.where(typed, problem)

    def _overwrite(self, typed: str, problem: str) -> None:
        if self._app.screen.is_modal:
            self._again(typed, problem)
            return
        lines = [f"{problem}. What is in it will be gone."]
        self._app.push_screen(
            ConfirmScreen(f"Overwrite {typed}?", lines, "Overwrite", lambda: self.to(typed, over=True))
        )


def _needed(text: str) -> str:
    return "" if text else "a file is needed"


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return Path("/")
