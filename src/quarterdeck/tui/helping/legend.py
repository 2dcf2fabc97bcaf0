"""What a sign on the screen means: the shape in which tables and views say it to the help."""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.tui.lines import STRONG


class Sign(NamedTuple):
    """A title, glyph, letter, badge or label as it stands on the screen, and what it means in a sentence."""

    sign: str
    meaning: str
    tone: str = STRONG
    word: str = ""
    """What stands behind the sign, in a tone of its own."""
    word_tone: str = ""


class Legend(NamedTuple):
    """Signs that belong together, under a title."""

    title: str
    signs: tuple[Sign, ...]
