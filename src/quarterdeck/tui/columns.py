"""The columns of the fleet table, and which of them fit a width. Pure."""

from __future__ import annotations

from typing import NamedTuple

MARKER = 3
"""Cells left of the first column: the bar of the selected row, the triangle of what can be opened, a gap."""


class Column(NamedTuple):
    """One column. ``width`` is what it needs: numbers are never cut, so theirs holds every number a format makes."""

    id: str
    title: str
    width: int
    meaning: str
    right: bool = False
    from_width: int = 0
    """Not before the table is so wide."""


COLUMNS = (
    Column("state", "state", 11, "How the endpoint is, in a word."),
    Column("name", "name", 10, "As the fleet file calls it."),
    Column("engine", "engine", 8, "What serves, and its version."),
    Column("models", "model", 8, "The model, or how many there are."),
    Column("running", "run", 5, "Requests being answered now.", right=True),
    Column("waiting", "wait", 5, "Requests in the queue.", right=True),
    Column("tps", "tok/s", 6, "Generated tokens a second, over all requests.", right=True),
    Column("prompt", "prompt/s", 8, "Prompt tokens a second.", right=True, from_width=150),
    Column(
        "ttft",
        "TTFT p95",
        8,
        "Time to the first token in the last minute: 95 % are faster.",
        right=True,
        from_width=140,
    ),
    Column(
        "itl", "ITL p95", 7, "Time between two tokens in the last minute: 95 % are faster.", right=True, from_width=145
    ),
    Column("memory", "KV/VRAM", 8, "KV cache in use (%), or GPU memory of the loaded models.", right=True),
    Column("latency", "answer", 6, "How long the last poll took to answer.", right=True, from_width=210),
    Column("age", "age", 4, "How old the numbers are.", right=True),
    Column("since", "for", 4, "How long it has been in this state.", right=True, from_width=90),
    Column("trend", "tok/s trend", 18, "tok/s at the last polls, the newest at the right.", from_width=110),
    Column("reason", "why", 20, "Why the state is what it is.", from_width=140),
    Column("host", "host", 6, "The machine it runs on.", from_width=165),
    Column("url", "url", 18, "Where it is reached.", from_width=225),
)
"""In the order in which they are shown."""

FIRST_TEXT = "trend"
"""The first column of text after the numbers: one cell more keeps it apart from them where columns stand close."""
_APART = 1
BY_ID = {column.id: column for column in COLUMNS}

PRIORITY = (
    "state",
    "name",
    "tps",
    "waiting",
    "running",
    "memory",
    "age",
    "models",
    "engine",
    "since",
    "trend",
    "reason",
    "ttft",
    "itl",
    "prompt",
    "host",
    "latency",
    "url",
)
"""Who gets a place first; the others are dropped from the end."""

GROWTH = (
    ("name", 14),
    ("host", 14),
    ("models", 14),
    ("name", 22),
    ("engine", 12),
    ("models", 20),
    ("reason", 28),
    ("models", 28),
    ("reason", 48),
    ("trend", 24),
    ("models", 36),
    ("name", 32),
    ("engine", 20),
    ("reason", 72),
    ("url", 48),
    ("host", 20),
    ("reason", 200),
    ("trend", 30),
)
"""Who gets the cells left over, in this order, up to what its texts need and no further than this."""


class Place(NamedTuple):
    """A column at its place in the line."""

    column: Column
    x: int
    width: int


class Layout(NamedTuple):
    """Which columns are shown, and where."""

    width: int
    places: tuple[Place, ...]

    def title(self, column: Column) -> str:
        """What stands above a column. Where there is no room for reasons, they take the place of the trend."""
        return "trend · why" if column.id == "trend" and not self.has("reason") else column.title

    def has(self, column: str) -> bool:
        """Whether a column is shown."""
        return any(place.column.id == column for place in self.places)


def layout(width: int, wanted: dict[str, int]) -> Layout:
    """The columns for a table of ``width`` cells, given how many cells the texts of the growing columns want."""
    gap = 2 if width >= 160 else 1
    widths: dict[str, int] = {}
    room = width - MARKER + gap
    for name in PRIORITY:
        column = BY_ID[name]
        if width < column.from_width:
            continue
        needed = column.width + gap + (_APART if name == FIRST_TEXT and gap < 2 else 0)
        if needed > room:
            break
        widths[name] = column.width
        room -= needed
    for name, longest in GROWTH:
        if name in widths:
            more = min(room, max(0, min(wanted.get(name, 0), longest) - widths[name]))
            widths[name] += more
            room -= more
    return Layout(width, _placed(widths, gap))


def _placed(widths: dict[str, int], gap: int) -> tuple[Place, ...]:
    places: list[Place] = []
    x = MARKER
    for column in COLUMNS:
        if column.id in widths:
            x += _APART if column.id == FIRST_TEXT and gap < 2 else 0
            places.append(Place(column, x, widths[column.id]))
            x += widths[column.id] + gap
    return tuple(places)
