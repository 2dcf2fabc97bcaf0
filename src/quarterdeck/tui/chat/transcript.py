"""What was said in one column, as lines: prompts, thoughts, answers and how they ended. Grows by the line, without a screen."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence

from quarterdeck.engine.chat.columns import Phase, Turn
from quarterdeck.format import count, duration, printable
from quarterdeck.model.chat.answer import Answer, Ending, ToolCall
from quarterdeck.tui.chat.wrapping import Cleaner, Wrapped, clean, wrapped
from quarterdeck.tui.lines import ACCENT, BAD, EMPTY_LINE, FAINT, MUTED, PLAIN, WARN, Line, Run, wrap

SLICE = 64 * 1024
"""Characters taken in at a time …"""
_LONGEST_S = 0.01
"""… and for so long at one paint: a flood goes on at the next, and keys come in between."""
_PROMPT_LINES = 8
_TOOL_CHARACTERS = 2000
BAR = "▌ "


class Written:
    """One stream of pieces (the text, or the thoughts) as wrapped lines."""

    def __init__(self, pieces: Sequence[str], width: int, *, counting: bool = False) -> None:
        """``counting``: whether anybody wants to know how many words there are."""
        self._pieces = pieces
        self._counting = counting
        self._at = 0
        self._rest = ""
        self._cleaner = Cleaner()
        self.lines = Wrapped(width)
        self.words = 0
        self._in_word = False

    @property
    def behind(self) -> bool:
        """Whether there is more than was taken in."""
        return bool(self._rest) or self._at < len(self._pieces)

    def take(self, most: int) -> int:
        """Take in what came, up to ``most`` characters; how many they were."""
        pieces = self._pieces
        if self._at < len(pieces):
            end, length = self._at, len(self._rest)
            while end < len(pieces) and length < most:
                length += len(pieces[end])
                end += 1
            self._rest += "".join(pieces[self._at : end])
            self._at = end
        text, self._rest = self._rest[:most], self._rest[most:]
        if text:
            if self._counting:
                self._count(text)
            self.lines.append(self._cleaner.take(text))
        return len(text)

    def _count(self, text: str) -> None:
        self.words += len(text.split()) - (self._in_word and not text[0].isspace())
        self._in_word = not text[-1].isspace()


class Said:
    """One turn as lines. The order is fixed: prompt, thoughts, text, tools, how it ended."""

    def __init__(self, turn: Turn, width: int) -> None:
        self.turn = turn
        self.answer: Answer = turn.answer
        self.width = max(4, width)
        self.unfolded = False
        self.head = _prompt_lines(turn, self.width)
        self.text = Written(self.answer.parts, self.width)
        self.thoughts = Written(self.answer.thoughts, self.width - 2, counting=True)
        self.rendered: list[Line] | None = None
        self.rendering = self.raw = False
        self.tail: list[Line] = []
        self.settled = False
        """Whether nothing will change any more."""
        self._tail_of: tuple[object, ...] = ()
        self._thought: list[Line] = []

    @property
    def behind(self) -> bool:
        """Whether more has come than is in the lines."""
        return self.text.behind or self.thoughts.behind

    @property
    def length(self) -> int:
        """Lines."""
        return len(self.head) + self._thinking + self._body + len(self.tail)

    @property
    def _thinking(self) -> int:
        return len(self._thought) + (len(self.thoughts.lines) if self.unfolded else 0)

    @property
    def _body(self) -> int:
        return len(self._markdown) if self._markdown is not None else len(self.text.lines)

    @property
    def _markdown(self) -> list[Line] | None:
        return None if self.raw else self.rendered

    def take(self, now: float) -> None:
        """Take in what came since."""
        left = SLICE - self.thoughts.take(SLICE)
        if left > 0:
            self.text.take(left)
        self._thought = self._thought_lines(now)
        self.settled = self.turn.ended and not self.behind
        state = (self.turn.phase, self.answer.ending, tuple(self.answer.tools.values()), self.turn.note)
        if state != self._tail_of:
            self._tail_of = state
            self.tail = _tail_lines(self.turn, self.answer, self.width)

    def line(self, place: int) -> Line:
        """A line, from 0."""
        for part in (self.head, self._thought):
            if place < len(part):
                return part[place]
            place -= len(part)
        if self.unfolded:
            if place < len(self.thoughts.lines):
                return Line((Run("│ ", FAINT), Run(self.thoughts.lines.line(place), MUTED)))
            place -= len(self.thoughts.lines)
        if place < self._body:
            rendered = self._markdown
            return Line((Run(self.text.lines.line(place)),)) if rendered is None else rendered[place]
        place -= self._body
        return self.tail[place] if place < len(self.tail) else EMPTY_LINE

    def _thought_lines(self, now: float) -> list[Line]:
        """The fold of the thoughts."""
        if not self.answer.thoughts:
            return []
        begun = self.answer.first_at if self.answer.first_at is not None else now
        mark = "▾ " if self.unfolded else "▸ "
        words = f"{count(self.thoughts.words)} words"
        until = self.answer.text_at if self.answer.parts else self.answer.last_at
        if not self.answer.parts and self.answer.ending is None:
            text = f"thinking for {int(max(0.0, now - begun))} s, {words}"
        else:
            text = f"thought for {duration(until - begun if until is not None else None)}, {words}"
        return [Line((Run(mark, ACCENT), Run(text, MUTED)))]


def _prompt_lines(turn: Turn, width: int) -> list[Line]:
    """What was asked, its beginning where it is long, and what was attached."""
    lines = wrapped(clean(turn.prompt.typed[: width * 40]), width - len(BAR))
    more = len(turn.prompt.typed) > width * 40
    if len(lines) > _PROMPT_LINES or more:
        left = len(turn.prompt.typed) - sum(len(line) for line in lines[: _PROMPT_LINES - 1])
        lines = [*lines[: _PROMPT_LINES - 1], f"… {left} more characters"]
    shown = [Line((Run(BAR, ACCENT), Run(line, MUTED))) for line in lines]
    for one in turn.prompt.attached:
        shown += [
            Line((Run(BAR, ACCENT), Run(part, FAINT)))
            for part in wrap(printable(f"attached {one.about}", 300), width - len(BAR))
        ]
    return [*shown, EMPTY_LINE]


def _tail_lines(turn: Turn, answer: Answer, width: int) -> list[Line]:
    lines: list[Line] = []
    for call in answer.tools.values():
        lines += _tool_lines(call, width)
    if turn.ended and answer.ending is not None:
        text, tone = ending_words(answer)
        if text:
            lines += [Line((Run(part, tone),)) for part in wrap(text, width)]
    if turn.note:
        lines += [Line((Run(part, ACCENT),)) for part in wrap(f"note: {printable(turn.note, 400)}", width)]
    return [*lines, EMPTY_LINE] if turn.ended else lines


def _tool_lines(call: ToolCall, width: int) -> list[Line]:
    """A call as it would be written."""
    arguments = clean(call.arguments[:_TOOL_CHARACTERS]) + ("…" if len(call.arguments) > _TOOL_CHARACTERS else "")
    text = f"calls {printable(call.name, 80) or '?'}({arguments})"
    return [
        Line((Run("⚙ " if place == 0 else "  ", ACCENT), Run(part, PLAIN)))
        for place, part in enumerate(wrapped(text, width - 2))
    ]


def ending_words(answer: Answer) -> tuple[str, str]:
    """How it ended, in words, and their tone; "" where it ended as it should."""
    reason = printable(answer.reason, 300)
    if answer.ending is Ending.CANCELLED:
        return "── cancelled ──", WARN
    if answer.ending is Ending.FAILED:
        kept = "; what came before is kept" if answer.parts or answer.thoughts else ""
        return f"FAILED: {reason or 'for an unknown reason'}{kept}", BAD
    if answer.ending is Ending.FORBIDDEN:
        return f"NOT SENT: {reason}", BAD
    if not answer.parts and not answer.tools:
        return "── the answer is empty ──", WARN
    return "", PLAIN


class Transcript:
    """All turns of a column at one width."""

    def __init__(self) -> None:
        self.width = 0
        self.said: list[Said] = []
        self.unfolded = False
        """Whether thoughts are shown."""
        self.raw = False
        """Whether answers stay as they came."""
        self._starts: list[int] = []

    def update(self, turns: Sequence[Turn], width: int, now: float) -> None:
        """Take in what is new; at another width everything is broken anew (rendered Markdown has to be made again)."""
        if width != self.width:
            self.width, self.said = width, []
        for place, turn in enumerate(turns):
            known = self.said[place] if place < len(self.said) else None
            if known is None or known.turn is not turn or known.answer is not turn.answer:
                self.said[place:] = [Said(turn, width)]
        del self.said[len(turns) :]
        starts, length = [], 0
        deadline = time.perf_counter() + _LONGEST_S
        for one in self.said:
            one.unfolded, one.raw = self.unfolded, self.raw
            if one.behind or not one.settled or one is self.said[-1]:
                one.take(now)
            while one.behind and time.perf_counter() < deadline:
                one.take(now)
            starts.append(length)
            length += one.length
        self._starts, self.length = starts, length

    length = 0
    """Lines."""

    @property
    def behind(self) -> bool:
        """Whether more has come than is in the lines."""
        return any(one.behind for one in self.said)

    def line(self, place: int) -> Line:
        """A line, from 0; empty behind the end."""
        if not 0 <= place < self.length:
            return EMPTY_LINE
        at = bisect_right(self._starts, place) - 1
        return self.said[at].line(place - self._starts[at])

    def unrendered(self) -> list[Said]:
        """Answers that are done and not rendered yet."""
        return [
            one
            for one in self.said
            if not (one.rendering or self.raw) and one.turn.phase is Phase.ENDED and one.answer.parts and one.settled
        ]
