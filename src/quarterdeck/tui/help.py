"""The help, made from the command table, the states and the columns. Pure."""

from __future__ import annotations

from quarterdeck.model.actions import ACTIONS, Action, Danger
from quarterdeck.model.models import ModelState
from quarterdeck.tui.columns import COLUMNS, Column
from quarterdeck.tui.commands import COMMANDS, ROWS, Command, is_there
from quarterdeck.tui.lines import BAD, EMPTY_LINE, FAINT, MUTED, PLAIN, STRONG, TITLE, WARN, Line, Run, cut, fit, wrap
from quarterdeck.tui.states import LOOKS, WAITING, model_look

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


def help_lines(width: int, where: str = "fleet", *, replay: bool = False) -> list[Line]:
    """Keys, those of the screen ``where`` first; states and columns. ``replay``: while a recording is played."""
    lines = [Line((Run("  Help  ", STRONG), Run("Esc goes back", MUTED)), "head")]
    for place, (title, commands) in enumerate(_keys(where, replay=replay)):
        lines += _titled(title)
        for command in commands:
            lines += _entry((Run(fit(command.shown, _LABEL), STRONG),), command.help, width)
        if place == 0 and where in ("fleet", "gpus", "models", "jobs"):
            mouse = "A click selects, two open, the wheel scrolls."
            right = " The right button asks what can be done." if where in ("fleet", "models") else ""
            lines += _entry((Run(fit("mouse", _LABEL), STRONG),), mouse + right, width)
        if place == 0 and where in ROWS and not replay:
            lines += _actions(width)
        if place == 0 and where in ("gpus", "gpu"):
            lines += _gpu_signs(width)
    lines += _titled("States, the worst first")
    for seen in (*LOOKS.values(), WAITING):
        word = seen.word if seen is not WAITING else ""
        label = (Run(seen.glyph, seen.tone), Run(fit(f" {word}", _LABEL - 1), seen.tone + "-word"))
        lines += _entry(label, seen.meaning, width)
    if where == "models":
        lines += _model_signs(width)
    lines += _titled("Columns; the wider the terminal, the more of them")
    for column in _columns(where):
        lines += _entry((Run(fit(column.title, _LABEL), STRONG),), column.meaning, width)
    lines += _entry((Run(fit("–", _LABEL), STRONG),), "Not known. It never means zero.", width)
    lines += _entry(
        (Run(fit("!", _LABEL), BAD),),
        "Left of a name: it has an alert that nobody has acknowledged; 5 shows it.",
        width,
    )
    lines += [EMPTY_LINE, Line((Run("  All commands: ", FAINT), Run(": or ctrl+p", MUTED)))]
    return [Line(cut(line.runs, width), line.ground) for line in lines]


def _actions(width: int) -> list[Line]:
    lines = _titled("What can be done to the selected endpoint or model, or to all that are marked")
    for action in ACTIONS:
        text = f"{action.label}. {action.help}{_told(action)}"
        lines += _entry((Run(fit(action.shown or "a", _LABEL), STRONG),), text, width)
    return lines


_GPU_SIGNS = (
    ("A B C …", PLAIN, "In the bar of the memory: a model, the same letter on every GPU; the legend names it."),
    ("!", BAD, "ORPHAN: memory of a worker whose server is gone; x ends it."),
    ("o ╍", MUTED, "Other processes."),
    ("?", "bar-memory", "Used, not told by whom."),
    ("r ┄", FAINT, "Reserved by the driver; ─ is free."),
    ("✗ LOST", BAD, "The GPU doesn't answer any more; its row is grey, its values are as old as is said."),
    ("✗ STALE", BAD, "The driver hangs; its row is grey, its values are as old as is said."),
    ("✗ XID", BAD, "The driver reported an error; yellow after ten minutes."),
    ("✗ ECC, REMAP", BAD, "Memory errors that were not corrected, rows that can't be remapped."),
    ("▲ RESET, HOT", WARN, "It needs a reset; it is within 3 °C of where it slows down."),
    ("▼ …", WARN, "Its clocks are held back, and why; red where heat or hardware does it."),
)


def _gpu_signs(width: int) -> list[Line]:
    lines = _titled("Letters and marks of the GPUs; red is grave, yellow is to be looked at")
    for sign, tone, text in _GPU_SIGNS:
        lines += _entry((Run(fit(sign, _LABEL), tone),), text, width)
    return lines


def _columns(where: str) -> tuple[Column, ...]:
    """The columns of the screen, or of the fleet."""
    if where != "models":
        return COLUMNS
    from quarterdeck.tui.models.columns import COLUMNS as OF_MODELS

    return OF_MODELS


def _model_signs(width: int) -> list[Line]:
    lines = _titled("Where a model is")
    for state in ModelState:
        seen = model_look(state)
        label = (Run(seen.glyph, seen.tone), Run(fit(f" {seen.word}", _LABEL - 1), PLAIN))
        lines += _entry(label, seen.meaning, width)
    return lines


def _told(action: Action) -> str:
    """When it asks first."""
    if action.danger is Danger.DESTROYS:
        return " Always asks first."
    return " Asks first where it would disturb something." if action.danger is Danger.DISTURBS else ""


def _keys(where: str, *, replay: bool) -> list[tuple[str, list[Command]]]:
    """The keys that work where the help was asked for, and those that work elsewhere only, each once."""
    screens = {where: _SCREENS.get(where, where), **_SCREENS}
    left = [command for command in COMMANDS if command.keys and is_there(command, replay=replay)]
    left.sort(key=lambda command: not command.replay)
    found = []
    for screen, name in screens.items():
        here = [command for command in left if screen in command.where]
        left = [command for command in left if command not in here]
        if here:
            found.append((f"Keys {name}" if screen == where else f"Only {name}", here))
    return found


def _titled(text: str) -> list[Line]:
    return [EMPTY_LINE, Line((Run(f"  {text}", TITLE),))]


def _entry(label: tuple[Run, ...], text: str, width: int) -> list[Line]:
    parts = wrap(text, max(8, min(90, width - _LABEL - 4))) or [""]
    first = Line((Run("  "), *label, Run(parts[0], PLAIN)))
    return [first, *(Line((Run(" " * (_LABEL + 2) + part, PLAIN),)) for part in parts[1:])]
