"""What the chat says of itself: the title's right side, empty columns, hints. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.engine.chat.columns import Column
from quarterdeck.format import count
from quarterdeck.tui.chat.figures import money
from quarterdeck.tui.chat.sheet import in_words
from quarterdeck.tui.lines import ACCENT, EMPTY_LINE, MUTED, STRONG, WARN, Line, Run, wrap

if TYPE_CHECKING:
    from quarterdeck.tui.chat.sitting import Sitting

_TYPING = (("submit", "send"), ("write", "columns"), ("^J", "new line"), ("@path", "attach"), ("editor", "editor"))
_READING = (
    ("write", "write"),
    ("add_column", "add"),
    ("change_column", "model"),
    ("retry_column", "retry"),
    ("chat_settings", "settings"),
    ("vote", "vote"),
    ("copy", "copy"),
    ("formatted", "raw"),
    ("help", "help"),
)


def hints(*, typing: bool, busy: bool) -> tuple[tuple[str, str], ...]:
    """The commands that matter now, by id."""
    if typing:
        return (("back", "cancel all"), *_TYPING[1:]) if busy else _TYPING
    return (
        (("back", "cancel all"), ("cancel_column", "cancel this"), *_READING) if busy else (("back", "back"), *_READING)
    )


def asides(sitting: Sitting) -> list[tuple[str, str]]:
    """What holds for all columns, the most important first."""
    talk, totals = sitting.talk, sitting.talk.totals
    settings = talk.settings
    said: list[tuple[str, str]] = []
    if talk.blind:
        said.append(("blind", ACCENT))
    if settings.serial:
        said.append(("one by one", ACCENT))
    elif crowded := talk.crowded():
        said.append((f"{', '.join(crowded)} runs several: p asks one by one, which is fairer", WARN))
    if settings.repeat > 1:
        said.append((f"{settings.repeat} times", ACCENT))
    if settings.warm_up:
        said.append(("warm-up", ACCENT))
    if totals.prompt_tokens or totals.output_tokens or totals.priced:
        tokens = f"{count(totals.prompt_tokens)} in, {count(totals.output_tokens)} out"
        unpriced = totals.answers - totals.priced
        cost = f", {money(totals.cost)}{f' + {unpriced} unpriced' if unpriced else ''}" if totals.priced else ""
        said.append((f"session: {tokens}{cost}", MUTED))
    if words := in_words(settings.sampling):
        said.append((words, MUTED))
    return said


def empty_lines(column: Column | None, sitting: Sitting, width: int) -> list[Line]:
    """Nothing was said yet: what can be done."""
    if column is None:
        texts = [
            "No model is chosen yet.",
            "Tab, then a: adds one, of any endpoint. C on a row of the fleet does, too.",
        ]
    else:
        texts = ["Nothing was asked yet.", "Enter sends what you type to all columns."]
        if len(sitting.talk.columns) == 1:
            texts.append("Tab, then a: adds another model beside this one; ? tells of all keys.")
        if own := in_words(column.own):
            texts.append(f"This column: {own}.")
    lines = [EMPTY_LINE]
    for place, text in enumerate(texts):
        lines += [Line((Run(f" {part}", STRONG if place == 0 else MUTED),)) for part in wrap(text, max(8, width - 2))]
    return lines
