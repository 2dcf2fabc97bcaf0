"""Votes, differences and notes of the chat: what is asked, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from quarterdeck.engine.chat.columns import Column
from quarterdeck.format import printable
from quarterdeck.model.chat.answer import Ending
from quarterdeck.model.judging.difference import Change, Span, difference
from quarterdeck.model.judging.votes import METHOD, Choice, Standing, Vote, standings
from quarterdeck.tui.chat.wrapping import clean, wrapped
from quarterdeck.tui.lines import ACCENT, BAD, EMPTY_LINE, FAINT, MUTED, PLAIN, STRONG, Line, Run, cell_width, fit, wrap

if TYPE_CHECKING:
    from quarterdeck.tui.chat.sitting import Sitting


def name_of(column: Column) -> str:
    """As votes name it."""
    return f"{column.model}@{column.endpoint}"


def has_answer(column: Column) -> bool:
    """Whether there is something to judge: what failed says nothing of a model's words."""
    turn = column.last
    return turn is not None and turn.answer.ending is Ending.DONE and bool(turn.answer.text)


def votes_of(columns: Sequence[Column], best: Column | None, choice: Choice) -> list[Vote]:
    """One vote a pair of those that have an answer. ``best``: ``None`` where ``choice`` holds for all."""
    judged = [column for column in columns if has_answer(column)]
    if best is None:
        return [Vote(name_of(one), name_of(other), choice) for one, other in combinations(judged, 2)]
    return [Vote(name_of(best), name_of(one), Choice.FIRST) for one in judged if one is not best]


def why_no_vote(sitting: Sitting) -> str:
    """In words; "" where there is something to vote on."""
    columns = sitting.talk.columns
    if len(columns) < 2:
        return "a vote needs two columns; a adds one"
    if sitting.talk.busy:
        return "answers are still coming"
    return "" if sum(map(has_answer, columns)) > 1 else "a vote needs two answers that are done"


# ---- votes as a page


def standings_lines(votes: Sequence[Vote], width: int) -> list[Line]:
    """A pair a block: who won how often, and how sure that is."""
    found = standings(votes)
    if not found:
        return [
            EMPTY_LINE,
            Line((Run("  Nobody has voted yet.", STRONG),)),
            Line((Run("  v in the chat votes.", MUTED),)),
        ]
    lines: list[Line] = [EMPTY_LINE]
    for one in found:
        lines += _pair(one, width)
    return lines + [Line((Run(f"  {part}", FAINT),)) for part in wrap(METHOD, max(8, width - 4))]


def _pair(one: Standing, width: int) -> list[Line]:
    names = [printable(name, 80) for name in (one.first, one.second)]
    room = min(max(cell_width(name) for name in names), max(8, width - 12))
    lines = [
        Line((Run(f"  {fit(name, room)}  ", STRONG), Run(f"{won} better", PLAIN)))
        for name, won in zip(names, (one.first_better, one.second_better), strict=True)
    ]
    told = f"{one.ties} tie{'s' if one.ties != 1 else ''}, {one.both_bad} both bad"
    if (rate := one.win_rate) is not None:
        sure = "tells them apart" if rate.decides else "does not tell them apart yet"
        told += f"; the first wins {rate.share:.0%} ({rate.low:.0%} – {rate.high:.0%}): {sure}"
    return [*lines, *(Line((Run(f"  {part}", MUTED),)) for part in wrap(told, max(8, width - 4))), EMPTY_LINE]


# ---- differences as a page

_TONES = {Change.SAME: PLAIN, Change.REMOVED: BAD, Change.ADDED: ACCENT}
_MARKS = {Change.SAME: ("", ""), Change.REMOVED: ("[-", "-]"), Change.ADDED: ("{+", "+}")}


def difference_lines(first: str, second: str, width: int) -> list[Line]:
    """Both texts as one, what only one of them has in marks and in a colour."""
    spans = difference(clean(first), clean(second))
    if all(span.change is Change.SAME for span in spans):
        return [EMPTY_LINE, Line((Run("  Both answers are the same, word by word.", STRONG),))]
    return [EMPTY_LINE, *_wrapped(spans, max(8, width - 4))]


def _wrapped(spans: Sequence[Span], width: int) -> list[Line]:
    """Wrapped as one text; then each line gets its tones back."""
    marked = [(f"{_MARKS[change][0]}{text}{_MARKS[change][1]}", _TONES[change]) for change, text in spans]
    whole = "".join(text for text, _ in marked)
    ends: list[int] = []
    for text, _ in marked:
        ends.append((ends[-1] if ends else 0) + len(text))
    lines: list[Line] = []
    at = place = 0
    for line in wrapped(whole, width):
        at = whole.find(line, at) if line else at
        runs = [Run("  ")]
        end = at + len(line)
        while at < end:
            while ends[place] <= at:
                place += 1
            stop = min(end, ends[place])
            runs.append(Run(whole[at:stop], marked[place][1]))
            at = stop
        lines.append(Line(tuple(runs)))
    return lines
