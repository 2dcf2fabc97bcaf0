"""A theme as a terminal with 16 or 256 colours can show it. Pure.

Such a terminal takes the nearest colour it has: two grounds may come out the same, a grey as its ground, a pale red as grey.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.color import ColorSystem
from textual.color import Color
from textual.theme import Theme

from quarterdeck.tui.colors.legible import MARKS, another_ground, least, legible, plain_grey

_SIXTEEN = {True: ("#000000", "#000000", "#aaaaaa"), False: ("#ffffff", "#ffffff", "#000000")}
"""Background, heads and dialogs, the selected row; for dark themes and for light ones.

Palettes differ, and black and white are all that can be relied on: a dark grey may be the ground itself, a blue so light
that no colour is read on it. So heads are bold, and dialogs have a frame.
"""
_ON_HEADS = "ink"
"""What is written on heads and in dialogs too, by rules that know one colour for all grounds."""


def adapted(theme: Theme, system: ColorSystem) -> Theme:
    """``theme`` in colours that stay apart on such a terminal. One that is made of the terminal's own stays as it is."""
    from quarterdeck.tui.colors.themes import VARIABLES, all_variables

    if theme.ansi:
        return theme
    variables = all_variables(theme)
    background, head, selected = _grounds(theme, variables, system)
    for name, value in variables.items():
        if name.startswith("ground-") or name not in VARIABLES:
            continue
        grounds = [background, head] if name.startswith(_ON_HEADS) else [background]
        variables[name] = _text(value, grounds, system, least(name))
    variables |= {"ground-head": head.hex6, "ground-selected": selected.hex6}
    ink = variables["ink"]
    colors: dict[str, Any] = {
        name: _text(value, [background], system, MARKS)
        for name in ("primary", "secondary", "accent", "success", "warning", "error")
        if (value := getattr(theme, name)) is not None
    }
    return replace(
        theme,
        variables=variables,
        background=background.hex6,
        surface=background.hex6,
        panel=head.hex6,
        foreground=ink,
        **colors,
    )


def _text(value: str, grounds: list[Color], system: ColorSystem, needed: float) -> str:
    return legible(Color.parse(value), grounds, system, needed).hex6


def _grounds(theme: Theme, variables: dict[str, str], system: ColorSystem) -> tuple[Color, Color, Color]:
    """Three that 256 colours show as three; of 16 only two are grounds."""
    if system is ColorSystem.STANDARD:
        one, two, three = (Color.parse(value) for value in _SIXTEEN[theme.dark])
        return one, two, three
    wanted = [Color.parse(theme.background or ("#121212" if theme.dark else "#efefef"))]
    wanted += [Color.parse(variables[name]) for name in ("ground-head", "ground-selected")]
    found: list[Color] = []
    for color in map(plain_grey, wanted):
        found.append(another_ground(color, found, system, dark=theme.dark))
    return found[0], found[1], found[2]
