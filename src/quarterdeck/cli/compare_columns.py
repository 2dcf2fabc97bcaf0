"""Answers side by side on a terminal while they stream, and in full once all have ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import unicodedata
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from quarterdeck.format import count, duration, printable, rate
from quarterdeck.model.cases.cells import circumstances, dollars, rates, times
from quarterdeck.model.chat.answer import Answer, Ending
from quarterdeck.model.chat.fairness import comparable, spread

if TYPE_CHECKING:
    from quarterdeck.cli.compare_prompt import Column
    from quarterdeck.engine.clock import Clock

EVERY_S = 0.1
_NARROWEST = 36
"""Cells of a column; narrower, they come one below the other."""
_GAP = " │ "
_LIVE_TAIL = 4000
"""Characters of an answer that are looked at while it streams: only its end is shown."""


def cells(text: str) -> int:
    """How many columns of the terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cleaned(text: str) -> str:
    """Without anything that a terminal could take as a command; line breaks stay, tabs become spaces."""
    return "".join(c if c.isprintable() or c == "\n" else "  " if c == "\t" else "" for c in text)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells, broken at spaces where there are any."""
    lines: list[str] = []
    for paragraph in cleaned(text).split("\n"):
        line, used = "", 0
        for word in _words(paragraph):
            taken = cells(word)
            if used + taken > width and line:
                if line.strip():  # else an indentation that leaves no room
                    lines.append(line.rstrip())
                line, used = "", 0
                word = word.lstrip()  # noqa: PLW2901  (the space was the break)
                taken = cells(word)
            while taken > width:
                head = _head(word, width)
                lines.append(head)
                word = word[len(head) :]  # noqa: PLW2901
                taken = cells(word)
            line, used = line + word, used + taken
        lines.append(line.rstrip())
    return lines


def _words(paragraph: str) -> list[str]:
    """Each with the space before it."""
    found: list[str] = []
    for piece in paragraph.split(" "):
        found.append((" " if found else "") + piece)
    return found


def _head(word: str, width: int) -> str:
    used = 0
    for place, character in enumerate(word):
        used += _width(character)
        if used > width:
            return word[: max(1, place)]
    return word


def _cut(text: str, width: int) -> str:
    """A name in at most so many cells."""
    name = printable(text, 200)
    return name if cells(name) <= width else _head(name, width - 1) + "…"


# ---- numbers


def numbers(answer: Answer) -> str:
    """What was measured, in one line."""
    parts = [
        f"TTFT {duration(answer.ttft_s)}",
        f"{rate(answer.decode_tps)} tok/s",
        f"{count(answer.usage.prompt_tokens)} → {count(answer.output_tokens)} tok",
        duration(answer.total_s),
        dollars(answer.cost) if answer.cost is not None else "",
        answer.finish or "",
        {True: "cold", False: "warm"}.get(answer.cold, "") if answer.cold is not None else "",
        circumstances(answer.circumstances),
    ]
    timings = answer.timings
    if timings is not None and timings.decode_tps is not None:
        parts.append(f"its own word: {rate(timings.decode_tps)} tok/s")
    return " · ".join(printable(part, 100) for part in parts if part)


def told(column: Column) -> list[str]:
    """Under an answer: how it ended, the numbers, what has to be known."""
    if not column.answers:
        return ["not asked"]
    answer = column.answers[-1]
    lines = []
    if answer.ending is not None and answer.ending is not Ending.DONE:
        reason = printable(answer.reason, 300)
        lines.append(f"{answer.ending.value}: {reason}" if reason != answer.ending.value else reason)
    lines.append(numbers(answer))
    if len(column.answers) > 1:
        counted = comparable(column.answers)
        ttft = spread([one.ttft_s for one in counted if one.ttft_s is not None])
        tps = spread([one.decode_tps for one in counted if one.decode_tps is not None])
        lines.append(f"{len(column.answers)} times: TTFT {times(ttft)}, {rates(tps)} tok/s (median, middle half)")
    return [*lines, *(printable(note, 300) for note in answer.notes)]


# ---- at the end


def final(columns: Sequence[Column]) -> str:
    """Everything: side by side where there is room, else one below the other."""
    width, _ = _size()
    each = _column_width(width, len(columns))
    blocks = []
    for column in columns:
        room = each or width - 1
        name = _cut(column.target.label, room)
        shown = [name, "─" * max(8, cells(name))]
        shown += wrapped(_whole(column), room)
        shown += ["", *(line for text in told(column) for line in wrapped(text, room))]
        blocks.append(shown)
    if each:
        return _beside(blocks, each)
    return "\n".join("\n".join(block) + "\n" for block in blocks)


def _whole(column: Column) -> str:
    if not column.answers:
        return ""
    answer = column.answers[-1]
    calls = "".join(f"\n[calls {call.name}({call.arguments})]" for call in answer.tools.values())
    thought = len(answer.reasoning)
    head = f"[thought for {thought} characters]\n" if thought else ""
    return f"{head}{answer.text.strip()}{calls}"


def _beside(blocks: Sequence[Sequence[str]], width: int) -> str:
    height = max(len(block) for block in blocks)
    lines = []
    for place in range(height):
        row = [block[place] if place < len(block) else "" for block in blocks]
        lines.append(_GAP.join(text + " " * (width - cells(text)) for text in row).rstrip())
    return "\n".join(lines) + "\n"


def _column_width(width: int, many: int) -> int:
    """Cells of one of ``many`` columns; 0 where they don't fit beside each other."""
    each = (width - 1 - len(_GAP) * (many - 1)) // many
    return each if many > 1 and each >= _NARROWEST else 0


# ---- while they stream


async def showing(asking: Coroutine[Any, Any, None], columns: Sequence[Column], clock: Clock) -> None:
    """Draw until all have ended; then nothing of it is left on the screen."""
    task = asyncio.ensure_future(asking)
    screen = _Screen()
    try:
        while not task.done():
            screen.draw(_live(columns, clock))
            await asyncio.wait([task], timeout=EVERY_S)
        await task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task], timeout=1.0)
        screen.draw([])


def _live(columns: Sequence[Column], clock: Clock) -> list[str]:
    """The end of each answer, in what fits the screen."""
    width, height = _size()
    each = _column_width(width, len(columns))
    room = max(3, height - 3) if each else max(3, (height - 2) // max(1, len(columns)))
    blocks = []
    for column in columns:
        cut = each or width - 1
        body = _tail(column, cut)[-(room - 2) :]
        state = _state(column, clock)
        head = f"{_cut(column.target.label, max(8, cut - len(state) - 2))}  {state}"
        blocks.append([head, *body])
    lines = _beside(blocks, each).split("\n")[:-1] if each else [line for block in blocks for line in block]
    return lines[: max(1, height - 2)]


def _tail(column: Column, width: int) -> list[str]:
    if not column.answers:
        return []
    answer = column.answers[-1]
    parts = answer.parts or answer.thoughts
    taken: list[str] = []
    size = 0
    for part in reversed(parts):
        taken.append(part)
        size += len(part)
        if size > _LIVE_TAIL:
            break
    return wrapped("".join(reversed(taken)), width)


def _state(column: Column, clock: Clock) -> str:
    if not column.answers:
        return "waiting"
    answer = column.answers[-1]
    if answer.ending is not None and column.ended:
        return answer.ending.value
    waited = duration(clock.monotonic() - answer.sent_at)
    if answer.first_at is None:
        return f"no token yet, {waited}"
    return f"{'thinking' if answer.text_at is None else 'answering'}, {waited}"


class _Screen:
    """Lines drawn over each other: only those that changed are sent."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def draw(self, lines: list[str]) -> None:
        """These instead of those before."""
        if lines == self._drawn:
            return
        out = f"\x1b[{len(self._drawn)}A\r" if self._drawn else ""
        for place, line in enumerate(lines):
            same = place < len(self._drawn) and self._drawn[place] == line
            out += "\x1b[1B" if same else f"{line}\x1b[K\n"
        if len(lines) < len(self._drawn):
            out += "\r\x1b[J"
        sys.stdout.write(out)
        sys.stdout.flush()
        self._drawn = lines


def _size() -> tuple[int, int]:
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return 80, 24
    return found.columns or 80, found.lines or 24
