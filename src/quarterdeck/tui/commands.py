"""The one table of commands: it feeds the keys, the palette and the help. `do_ID` of a screen, or of the app, does it."""

from __future__ import annotations

from typing import NamedTuple

from textual.binding import Binding, BindingType

EVERYWHERE = ("fleet", "endpoint", "help")
PAGES = ("endpoint", "help")


class Command(NamedTuple):
    """Something the console does on request."""

    id: str
    keys: tuple[str, ...]
    """As the terminal library names them."""
    shown: str
    """The keys as people read them."""
    label: str
    help: str
    where: tuple[str, ...]
    """The screens on which it works."""
    listed: bool = True
    """Whether the palette offers it."""


COMMANDS = (
    Command("open", ("enter",), "Enter", "Open", "Open the selected endpoint: everything known of it.", ("fleet",)),
    Command("back", ("escape",), "Esc", "Back", "Go back; in the fleet, clear the filter.", EVERYWHERE, listed=False),
    Command("up", ("up", "k"), "↑ k", "Up", "Select the row above, or scroll up.", EVERYWHERE, listed=False),
    Command("down", ("down", "j"), "↓ j", "Down", "Select the row below, or scroll down.", EVERYWHERE, listed=False),
    Command("page_up", ("pageup", "ctrl+b"), "PgUp", "Page up", "Go one page up.", EVERYWHERE, listed=False),
    Command("page_down", ("pagedown", "ctrl+f"), "PgDn", "Page down", "Go one page down.", EVERYWHERE, listed=False),
    Command("top", ("home", "g"), "g Home", "Top", "Go to the first row.", EVERYWHERE, listed=False),
    Command("bottom", ("end", "G", "upper_g"), "G End", "Bottom", "Go to the last row.", EVERYWHERE, listed=False),
    Command("unfold", ("right",), "→", "Unfold", "Show the models and replicas below the endpoint.", ("fleet",), listed=False),
    Command("fold", ("left",), "←", "Fold", "Hide them again.", ("fleet",), listed=False),
    Command("toggle", ("x",), "x", "Unfold or fold", "Show or hide the models and replicas of the endpoint.", ("fleet",)),
    Command("filter", ("slash",), "/", "Filter", "Keep what contains a word (name, engine, model, host, state); !word drops it.", ("fleet",)),
    Command("sort", ("s",), "s", "Sort", "Sort by severity, name, tok/s or queue, in turn.", ("fleet",)),
    Command("refresh", ("r",), "r", "Refresh", "Ask all endpoints now (on an endpoint's screen: that one).", ("fleet", "endpoint")),
    Command("pause", ("p",), "p", "Pause", "Stop polling, or go on. The last numbers stay and grow old.", ("fleet", "endpoint")),
    Command("slower", ("plus",), "+", "Longer interval", "Poll less often.", ("fleet", "endpoint")),
    Command("faster", ("minus",), "-", "Shorter interval", "Poll more often.", ("fleet", "endpoint")),
    Command("palette", ("ctrl+p", "colon"), ": ^P", "Commands", "Find a command or an endpoint by name.", EVERYWHERE, listed=False),
    Command("help", ("question_mark",), "?", "Help", "Keys, states and columns.", ("fleet", "endpoint")),
    Command("theme", (), "", "Theme: dark or light", "Switch between the dark and the light theme.", EVERYWHERE),
    Command("repaint", ("ctrl+l",), "^L", "Draw the screen again", "For when something else wrote on the terminal.", EVERYWHERE),
    Command("suspend", ("ctrl+z",), "^Z", "Suspend", "Back to the shell; fg returns. Polling rests meanwhile.", EVERYWHERE, listed=False),
    Command("leave", ("q",), "q", "Quit", "Quit from the fleet; elsewhere go back.", EVERYWHERE, listed=False),
    Command("quit", ("ctrl+c",), "^C", "Quit", "Quit at once.", EVERYWHERE),
)  # fmt: skip

INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""What + and - choose from, in seconds."""


def commands_for(where: str) -> list[Command]:
    """The commands that work on a screen."""
    return [command for command in COMMANDS if where in command.where]


def bindings(where: str) -> list[BindingType]:
    """The keys of a screen."""
    return [
        Binding(",".join(command.keys), f"run('{command.id}')", command.label, show=False, id=command.id)
        for command in commands_for(where)
        if command.keys
    ]


def next_interval(current: float, step: int) -> float | None:
    """The interval after (+1) or before (-1) the current one; ``None`` at the end of the list."""
    further = [value for value in INTERVALS if (value > current if step > 0 else value < current)]
    if not further:
        return None
    return min(further) if step > 0 else max(further)
