"""The columns of the models view, and which of them fit a width. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from quarterdeck.tui.columns import MARKER, Column, Layout, Place

COLUMNS = (
    Column(
        "state",
        "where",
        10,
        "Where it is: in memory (loaded, loading, sleeping), on disk, served by a server that doesn't tell, or failed;"
        " of an endpoint that doesn't answer, the endpoint's state.",
    ),
    Column("name", "model", 12, "As its server calls it; of a path, the file. ├ └ a LoRA adapter of the model above."),
    Column("endpoint", "endpoint", 9, "The endpoint that has it."),
    Column("boundary", "boundary", 8, "How far a prompt travels: local, vpc or EXTERNAL."),
    Column("size", "size", 8, "Memory taken where it is in memory and its server tells, else its size on disk.", right=True),
    Column(
        "gpu",
        "on GPU",
        6,
        "How much of it lies on GPUs. ▲ the rest spilled into the machine's memory: it is slow.",
        right=True,
    ),
    Column("quant", "quant", 6, "Quantisation, as its server words it."),
    Column("params", "params", 6, "Parameters, as its server words them.", right=True),
    Column("context", "context", 7, "Tokens per sequence as in force now; on disk, what it was made for.", right=True),
    Column("stays", "stays", 7, "How long it stays in memory after its last request.", right=True),
    Column("price", "$/1M in/out", 11, "US dollars per 1M tokens of prompt and answer, by the provider's list.", right=True),
    Column("licence", "licence", 12, "Its licence, once its page was opened: no poll asks for it."),
    Column("host", "host", 6, "The machine it runs on."),
    Column("note", "also", 12, "What spilled where, whose adapter it is, jobs that work on it."),
)  # fmt: skip
"""In the order in which they are shown."""

_BY_ID = {column.id: column for column in COLUMNS}
_PRIORITY = (
    ("state", 0),
    ("name", 0),
    ("endpoint", 0),
    ("size", 0),
    ("boundary", 0),
    ("gpu", 0),
    ("stays", 0),
    ("quant", 88),
    ("context", 96),
    ("params", 104),
    ("price", 90),
    ("note", 132),
    ("host", 120),
    ("licence", 120),
)
"""Who gets a place first, and from which width on; the others are dropped from the end."""
_GROWTH = (
    ("name", 14),
    ("endpoint", 10),
    ("name", 22),
    ("endpoint", 12),
    ("name", 28),
    ("quant", 10),
    ("licence", 18),
    ("endpoint", 18),
    ("name", 36),
    ("params", 12),
    ("note", 28),
    ("host", 14),
    ("name", 48),
    ("licence", 24),
    ("endpoint", 32),
    ("quant", 16),
    ("note", 60),
    ("name", 120),
    ("host", 24),
)
"""Who gets the cells left over, in this order, up to what its texts need and no further than this."""
ALWAYS = frozenset({"state", "name", "endpoint"})
"""The other columns are shown where a model has something for them."""
_WIDE = 160
_NAME, _ROOMY = 18, 56
_AFTER_NUMBERS = ("quant", "licence", "host", "note")
"""Texts that may stand behind a number: where columns stand close, one cell more keeps them apart."""
_APART = 1


def layout(width: int, wanted: Mapping[str, int], told: Collection[str]) -> Layout:
    """The columns for a table of ``width`` cells; ``wanted``: cells that texts want, ``told``: columns with anything in them."""
    gap = 2 if width >= _WIDE else 1
    widths: dict[str, int] = {}
    room = width - MARKER + gap
    for name, from_width in _PRIORITY:
        column = _BY_ID[name]
        if width < from_width or not (name in ALWAYS or name in told):
            continue
        apart = gap + (_APART if name in _AFTER_NUMBERS and gap < 2 else 0)
        least = _least(column, width, wanted)
        if name not in ALWAYS and least + apart > room:
            continue
        widths[name] = max(0, min(least, room - apart))
        room -= widths[name] + apart
    for name, longest in _GROWTH:
        if name in widths:
            more = max(0, min(room, min(wanted.get(name, 0), longest) - widths[name]))
            widths[name] += more
            room -= more
    return Layout(width, _placed(widths, gap))


def _least(column: Column, width: int, wanted: Mapping[str, int]) -> int:
    """What a column needs at least; names come before the lesser columns, up to a length."""
    return (
        min(max(column.width, wanted.get("name", 0)), _NAME)
        if column.id == "name" and width >= _ROOMY
        else column.width
    )


def _placed(widths: Mapping[str, int], gap: int) -> tuple[Place, ...]:
    places: list[Place] = []
    x = MARKER
    for column in COLUMNS:
        if widths.get(column.id, 0) > 0:
            x += _APART if column.id in _AFTER_NUMBERS and gap < 2 else 0
            places.append(Place(column, x, widths[column.id]))
            x += widths[column.id] + gap
    return tuple(places)
