"""Markdown as lines. Slow (7 ms for 1 KB), so only answers that are done are rendered, and a small part at a time.

In a thread a key would wait longer: at each turn of the event loop the interpreter has to be got back from it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from functools import lru_cache
from io import StringIO
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.style import Style
from rich.text import Text
from rich.theme import Theme

from quarterdeck.tui.chat.wrapping import clean
from quarterdeck.tui.lines import ACCENT, EMPTY_LINE, FAINT, MUTED, PLAIN, STRONG, TITLE, Line, Run

if TYPE_CHECKING:
    from rich.segment import Segment

LONGEST = 400_000
"""Characters; what is longer stays as it came."""
_PART = 1000
_LARGE = 4000
"""Parts without a place to cut them (a long block of code) go to a thread, after all."""
_BREATH_S = 0.01
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
ITALIC, UNDERLINE = "/i", "/u"
"""Endings of tones that `quarterdeck.tui.chat.stream_text` knows."""
_TONES = {
    "markdown.h1": TITLE,
    "markdown.h2": TITLE,
    "markdown.h3": STRONG,
    "markdown.h4": STRONG,
    "markdown.h5": STRONG,
    "markdown.h6": STRONG,
    "markdown.h1.border": FAINT,
    "markdown.strong": STRONG,
    "markdown.em": PLAIN + ITALIC,
    "markdown.emph": PLAIN + ITALIC,
    "markdown.s": MUTED,
    "markdown.code": ACCENT,
    "markdown.code_block": ACCENT,
    "markdown.block_quote": MUTED,
    "markdown.item.bullet": ACCENT,
    "markdown.item.number": ACCENT,
    "markdown.hr": FAINT,
    "markdown.link": PLAIN + UNDERLINE,
    "markdown.link_url": PLAIN + UNDERLINE,
    "markdown.table.border": FAINT,
    "markdown.table.header": STRONG,
    "markdown.kbd": STRONG,
}

_THEME = Theme({name: Style.from_meta({"tone": tone}) for name, tone in _TONES.items()})


class _Code(CodeBlock):
    """As it stands: no colours of another theme, no guess at the language."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The text, folded where it is too wide."""
        yield Text(str(self.text).rstrip("\n"), style="markdown.code_block", overflow="fold", no_wrap=False)


class _Title(Heading):
    """At the left, where people look."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The text."""
        self.text.justify = "left"
        yield self.text


class _Plain(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Title,
        "fence": _Code,
        "code_block": _Code,
    }


async def rendered(text: str, width: int) -> list[Line]:
    """``text`` (safe to show) at ``width``, a part at a time; keys come in between."""
    lines: list[Line] = []
    for part in parts(text):
        if len(part) > _LARGE:
            lines += await asyncio.to_thread(part_lines, part, width)
        else:
            lines += part_lines(part, width)
        await asyncio.sleep(_BREATH_S)
    return trimmed(lines)


def part_lines(part: str, width: int) -> list[Line]:
    """A part, with an empty line at its end. Links are shown, never made clickable: the model wrote them."""
    console = Console(
        width=max(8, width), file=StringIO(), theme=_THEME, color_system=None, legacy_windows=False, _environ={}
    )
    lines: list[Line] = []
    for segments in console.render_lines(_Plain(part, hyperlinks=False), pad=False):
        line = Line(tuple(_runs(segments)))
        if line.runs or (lines and lines[-1].runs):
            lines.append(line)
    return [*trimmed(lines), EMPTY_LINE]


def trimmed(lines: list[Line]) -> list[Line]:
    """Without the empty lines at the end."""
    while lines and not lines[-1].runs:
        lines.pop()
    return lines


def parts(text: str) -> Iterator[str]:
    """``text`` cut where one paragraph ends and another begins, not in a block of code, into parts of some thousand characters or more."""
    part: list[str] = []
    length, fence = 0, ""
    for line in text.splitlines(keepends=True):
        if (mark := _FENCE.match(line)) is not None and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        if length > _PART and not fence and not line.strip():
            yield "".join(part)
            part, length = [], 0
        part.append(line)
        length += len(line)
    if part:
        yield "".join(part)


def _runs(segments: list[Segment]) -> list[Run]:
    """Neighbours of one tone become one run. (An entity may have become a control character.)"""
    runs: list[Run] = []
    for text, style, control in segments:
        if control or not text:
            continue
        tone = _tone(style) if style else PLAIN
        shown = text if text.isprintable() else clean(text).replace("\n", " ")
        if runs and runs[-1].tone == tone:
            runs[-1] = Run(runs[-1].text + shown, tone)
        else:
            runs.append(Run(shown, tone))
    while runs and not runs[-1].text.strip():
        runs.pop()
    if runs:
        runs[-1] = Run(runs[-1].text.rstrip(), runs[-1].tone)
    return runs


@lru_cache(maxsize=512)
def _tone(style: Style) -> str:
    tone = style.meta.get("tone", PLAIN)
    return tone if isinstance(tone, str) else PLAIN
