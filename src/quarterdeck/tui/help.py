"""The help, made from the command table and from what tables and views say of their columns, signs and figures. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.model.actions import ACTIONS, Action, Danger
from quarterdeck.tui.commands import COMMANDS, ROWS, Command, is_there, keys_shown
from quarterdeck.tui.fields_help import filter_lines
from quarterdeck.tui.helping.fleet import COMMON, STATUS_LINE
from quarterdeck.tui.helping.legend import Legend
from quarterdeck.tui.helping.places import legends
from quarterdeck.tui.lines import EMPTY_LINE, FAINT, MUTED, PLAIN, STRONG, TITLE, Line, Run, cell_width, cut, fit, wrap

if TYPE_CHECKING:
    from quarterdeck.tui.keys.keymap import KeyTable

_LABEL = 14
_SCREENS = {
    "fleet": "in the fleet",
    "endpoint": "on an endpoint's page",
    "gpus": "among the GPUs",
    "gpu": "on a GPU's page",
    "models": "among the models",
    "model": "on a model's page",
    "chat": "in the chat",
    "jobs": "among the jobs",
    "alerts": "among the alerts",
    "cases": "among the cases",
    "log": "in a log",
    "audit": "in the audit log",
    "reading": "on a page to read",
}


def help_lines(
    width: int,
    where: str = "fleet",
    *,
    replay: bool = False,
    ascii_only: bool = False,
    keys: KeyTable | None = None,
) -> list[Line]:
    """Keys and signs, those of the screen ``where`` first. ``replay``: while a recording is played.

    ``ascii_only``: how signs read then is told, too. ``keys``: those in force, where some are others.
    """
    lines = [Line((Run("  Help  ", STRONG), Run("Esc goes back", MUTED)), "head")]
    for place, (title, commands) in enumerate(_keys(where, keys, replay=replay)):
        lines += _titled(title)
        for command in commands:
            lines += _entry((Run(fit(command.shown, _LABEL), STRONG),), command.help, width)
        if place == 0:
            lines += _here(where, width, keys, replay=replay)
    for legend in (STATUS_LINE, COMMON):
        lines += _explained(legend, width)
    lines += _plain_signs(width, ascii_only=ascii_only)
    lines += [
        EMPTY_LINE,
        Line((Run("  All commands: ", FAINT), Run(" or ".join(keys_shown("palette", where, keys).split()), MUTED))),
    ]
    return [Line(cut(line.runs, width), line.ground) for line in lines]


def _plain_signs(width: int, *, ascii_only: bool) -> list[Line]:
    """How signs read where there is nothing but ASCII."""
    if not ascii_only:
        return []
    from quarterdeck.tui.terminal.plain import SIGNS

    lines = _titled("Signs in ASCII")
    for sign, text in SIGNS:
        lines += _entry((Run(fit(sign, _LABEL), STRONG),), text, width)
    return lines


def _here(where: str, width: int, keys: KeyTable | None, *, replay: bool) -> list[Line]:
    """What goes with the keys of the screen: the mouse, columns and signs, what can be done, what the filter understands."""
    lines: list[Line] = []
    if where in ("fleet", "gpus", "models", "jobs"):
        mouse = "A click selects, two open, the wheel scrolls."
        right = " The right button asks what can be done." if where in ("fleet", "models") else ""
        lines += _entry((Run(fit("mouse", _LABEL), STRONG),), mouse + right, width)
    for legend in legends(where):
        lines += _explained(legend, width)
    if where in ROWS and not replay:
        lines += _actions(where, width, keys)
    return lines + filter_lines(where, width)


def _explained(legend: Legend, width: int) -> list[Line]:
    """A sign with its meaning beside it; below it where the sign is long."""
    lines = _titled(legend.title)
    for sign, meaning, tone, word, word_tone in legend.signs:
        room = _LABEL - cell_width(sign)
        label: tuple[Run, ...] = (Run(sign, tone), Run(fit(f" {word}" if word else "", max(0, room)), word_tone))
        if room < 1:
            lines.append(Line((Run("  "), *label)))
            label = (Run(" " * _LABEL),)
        lines += _entry(label, meaning, width)
    return lines


def _actions(where: str, width: int, keys: KeyTable | None) -> list[Line]:
    lines = _titled("What can be done to the selected endpoint or model, or to all that are marked")
    for known in ACTIONS:
        action = known if keys is None else keys.action(known, where)
        text = f"{action.label}. {action.help}{_told(action)}"
        lines += _entry((Run(fit(action.shown or keys_shown("act", where, keys), _LABEL), STRONG),), text, width)
    return lines


def _told(action: Action) -> str:
    """When it asks first."""
    if action.danger is Danger.DESTROYS:
        return " Always asks first."
    return " Asks first where it would disturb something." if action.danger is Danger.DISTURBS else ""


def _keys(where: str, keys: KeyTable | None, *, replay: bool) -> list[tuple[str, list[Command]]]:
    """The keys that work where the help was asked for, and those that work elsewhere only, each once."""
    screens = {where: _SCREENS.get(where, where), **_SCREENS}
    left = [command for command in COMMANDS if is_there(command, replay=replay)]
    left.sort(key=lambda command: not command.replay)
    found = []
    for screen, name in screens.items():
        here = [command for command in left if screen in command.where]
        left = [command for command in left if command not in here]
        here = [command if keys is None else keys.command(command, screen) for command in here]
        here = [command for command in here if command.keys]
        if here:
            found.append((f"Keys {name}" if screen == where else f"Only {name}", here))
    return found


def _titled(text: str) -> list[Line]:
    return [EMPTY_LINE, Line((Run(f"  {text}", TITLE),))]


def _entry(label: tuple[Run, ...], text: str, width: int) -> list[Line]:
    parts = wrap(text, max(8, min(90, width - _LABEL - 4))) or [""]
    first = Line((Run("  "), *label, Run(parts[0], PLAIN)))
    return [first, *(Line((Run(" " * (_LABEL + 2) + part, PLAIN),)) for part in parts[1:])]
