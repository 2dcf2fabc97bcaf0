"""What the help tells of filters: the language, and the fields of the place, with an example each. Pure."""

from __future__ import annotations

from quarterdeck.tui.lines import MUTED, PLAIN, STRONG, TITLE, Line, Run, fit, wrap
from quarterdeck.tui.sieve import VIEWS, vocabulary

_EXAMPLE = 24
_ROOMY = 70
_TITLES = {"alerts": "Fields of alerts", "events": "Fields of events"}
_LANGUAGE = (
    ("qwen3 mac", "Both words, whatever column they are in. Quotes keep blanks."),
    ("!qwen3 !state:down", "Drops what fits."),
    ("state:down,stale", "The field has one of these in it; = instead of : wants the whole text."),
    ("gpu>80", "Also >= < <=. What isn't known is neither: a comparison drops it, its inverse keeps it."),
    ('host=""', "Nothing is known of it."),
)


def filter_lines(where: str, width: int) -> list[Line]:
    """Of the screen ``where``; nothing where it has no fields."""
    if where not in VIEWS:
        return []
    lines = _titled("Filter: what / understands")
    for example, text in _LANGUAGE:
        lines += _entry(example, text, width)
    for view in (where, "events") if where == "alerts" else (where,):
        lines += _titled(_TITLES.get(view, "Fields, with an example each"))
        for field in vocabulary(view).fields:
            also = f" Also {', '.join(field.also)}." if field.also else ""
            lines += _entry(field.example, field.meaning + also, width)
    return lines


def _titled(text: str) -> list[Line]:
    return [Line(()), Line((Run(f"  {text}", TITLE),))]


def _entry(example: str, text: str, width: int) -> list[Line]:
    """The example at the left; above the text where there is little room."""
    if width < _ROOMY:
        parts = wrap(text, max(8, width - 5))
        return [Line((Run(f"  {example}", STRONG),)), *(Line((Run(f"    {part}", MUTED),)) for part in parts)]
    parts = wrap(text, min(90, width - _EXAMPLE - 4)) or [""]
    first = Line((Run(f"  {fit(example, _EXAMPLE)}", STRONG), Run(parts[0], PLAIN)))
    return [first, *(Line((Run(" " * (_EXAMPLE + 2) + part, PLAIN),)) for part in parts[1:])]
