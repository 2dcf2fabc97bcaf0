"""Colours that can be read on their ground, as the terminal shows them: one with 16 or 256 colours takes the nearest it has. Pure.

What is near may be hard to tell from the ground. So a colour is moved, no further than needed, until what comes out of it
contrasts with the ground; then the terminal may round as it likes.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import lru_cache

from rich.color import Color as TerminalColor
from rich.color import ColorSystem
from rich.palette import Palette
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from textual.color import Color

TEXT = 4.5
"""The contrast that text needs (WCAG 2, level AA)."""
MARKS = 3.0
"""The contrast that bars and frames need, and what is told again elsewhere."""
TRACKS = 1.4
"""The contrast of what is only the rest of a bar."""
_STEPS = 20
_GREY = 0.15
"""Less difference than this between red, green and blue is grey."""
_HUES = 35 / 360
"""Two colours whose hues differ by more (of the whole circle) are not the same colour any more …"""
_NAMES = (25 / 360, 75 / 360, 160 / 360, 200 / 360, 265 / 360, 340 / 360)
"""… and where the hues end that people call red, yellow, green, cyan, blue and magenta."""
_BLACK, _WHITE = Color(0, 0, 0), Color(255, 255, 255)
_DARK_GREY = 8
_LOST_ON_DARK, _LOST_ON_LIGHT = (8,), (3, 7, 8)
"""Of 16 colours, those that palettes make too like such a ground: light and dark grey, and a brown that is mostly a yellow."""


def few(system: str | None) -> ColorSystem | None:
    """The colours of a terminal by the name that rich gives them; ``None`` where it shows all, or none at all."""
    return {"standard": ColorSystem.STANDARD, "windows": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT}.get(
        system or ""
    )


@lru_cache(maxsize=4096)
def shown(color: Color, system: ColorSystem | None) -> Color:
    """What a terminal shows of a colour; the 16 as rich takes them to be."""
    if system is None:
        return color
    triplet = TerminalColor.from_rgb(*color.rgb).downgrade(system).get_truecolor(DEFAULT_TERMINAL_THEME)
    if system is ColorSystem.STANDARD:
        triplet = _palette()[number(color)]
    return Color(*triplet)


def _palette() -> Palette:
    from rich._palettes import STANDARD_PALETTE

    return STANDARD_PALETTE


def number(color: Color) -> int:
    """Which of the 16 it is, for a terminal that has no more."""
    return TerminalColor.from_rgb(*color.rgb).downgrade(ColorSystem.STANDARD).number or 0


@lru_cache(maxsize=4096)
def luminance(color: Color) -> float:
    """Relative luminance (WCAG 2): 0 to 1."""
    parts = (part / 255 for part in color.rgb)
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """1 (the same) to 21 (WCAG 2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def legible(wanted: Color, grounds: Sequence[Color], system: ColorSystem | None = None, needed: float = TEXT) -> Color:
    """The colour nearest to ``wanted`` that can be read on all ``grounds`` (as they are shown) in a terminal's colours.

    Where none has the contrast, black or white, whichever is better. A terminal's own colours stay as they are.
    """
    if wanted.ansi is not None or any(ground.ansi is not None for ground in grounds):
        return wanted
    behind = [shown(ground, system) for ground in grounds]
    if system is ColorSystem.STANDARD:
        return _of_sixteen(wanted, behind, needed)
    for color in _ways(wanted if system is None else plain_grey(wanted), behind):
        if _is_read(shown(color, system), behind, needed):
            return color
    return _extreme(behind)


def least(tone: str) -> float:
    """The contrast that a variable of a theme needs."""
    if tone == "bar-rest":
        return TRACKS
    return MARKS if tone == "ink-faint" or tone.startswith("bar-") else TEXT


def chroma(color: Color) -> float:
    """0 (grey) to 1: the saturation of `Color.hsl` makes much of a shade in what is nearly white or black."""
    return (max(color.rgb) - min(color.rgb)) / 255


def plain_grey(color: Color) -> Color:
    """A grey with a shade as a grey: of the 256 colours the nearest to it would be a pink or an olive."""
    level = round(sum(color.rgb) / 3)
    return Color(level, level, level) if chroma(color) < _GREY else color


def _ways(wanted: Color, grounds: Sequence[Color]) -> Iterator[Color]:
    """The colour itself, then ever nearer to black or white."""
    yield wanted
    end = _extreme(grounds)
    yield from (wanted.blend(end, step / _STEPS) for step in range(1, _STEPS + 1))


def _is_read(color: Color, grounds: Sequence[Color], needed: float) -> bool:
    return all(contrast(color, ground) >= needed for ground in grounds)


def _extreme(grounds: Sequence[Color]) -> Color:
    """Black or white, whichever differs more from the ground that it differs least from."""
    return max((_WHITE, _BLACK), key=lambda end: min(contrast(end, ground) for ground in grounds))


def _of_sixteen(wanted: Color, grounds: Sequence[Color], needed: float) -> Color:
    """One of the 16: of the same hue if it has one, else a grey. The nearest by distance would be a grey for every pale colour."""
    dark = _extreme(grounds) == _WHITE
    palette = [Color(*_palette()[number]) for number in range(16)]
    lost = [palette[number] for number in (_LOST_ON_DARK if dark else _LOST_ON_LIGHT)]
    read = [color for color in palette if color not in lost and _is_read(color, grounds, needed)]
    hue, _, lightness = wanted.hsl
    if chroma(wanted) >= _GREY:
        near = [color for color in read if chroma(color) >= _GREY and _apart(color.hsl.h, hue) <= _HUES]
        named = [color for color in near if _name(color.hsl.h) == _name(hue)]
        return min(
            named or near,
            key=lambda color: (_apart(color.hsl.h, hue), abs(color.hsl.l - lightness)),
            default=_extreme(grounds),
        )
    greys = [color for color in read if chroma(color) < _GREY]
    return min(greys, key=lambda color: abs(color.hsl.l - lightness), default=_extreme(grounds))


def _name(hue: float) -> int:
    return bisect(_NAMES, hue) % len(_NAMES)


def _apart(one: float, other: float) -> float:
    """How far two hues are apart on their circle of length 1."""
    return min(abs(one - other), 1 - abs(one - other))


def another_ground(wanted: Color, others: Sequence[Color], system: ColorSystem | None, *, dark: bool) -> Color:
    """The ground nearest to ``wanted`` that a terminal shows otherwise than ``others``: lighter on dark ones, else darker."""
    seen = {shown(other, system).rgb for other in others}
    end = _WHITE if dark else _BLACK
    ways = (wanted.blend(end, step / _STEPS) for step in range(_STEPS + 1))
    return next((color for color in ways if shown(color, system).rgb not in seen), end)


def brightens(color: Color, ground: Color, system: ColorSystem) -> bool:
    """Whether bold text can't be read: many terminals with 16 colours take the light one of a dark one for it."""
    if system is not ColorSystem.STANDARD or number(color) >= _DARK_GREY:
        return False
    return contrast(Color(*_palette()[number(color) + _DARK_GREY]), ground) < TEXT
