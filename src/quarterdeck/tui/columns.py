"""The columns of the fleet table, which of them fit a width, and how tables are sorted by them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from quarterdeck.tui.lines import Line

Row = TypeVar("Row")
Key = TypeVar("Key")

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


class Order(NamedTuple):
    """A way to sort; ``column`` is where its arrow stands."""

    id: str
    label: str
    column: str
    value: Callable[[Any], float | str | None]
    """What rows are compared by; a row without it comes last, whichever way round."""
    tie: Callable[[Any], Any] | None = None
    """What decides between equal ones, always the smaller first; else they stay as they are."""
    down: bool = False
    """Whether the largest comes first."""
    turned_label: str = ""
    turned: bool = False
    """Whether it is the other way round than usual."""

    @property
    def arrow(self) -> str:
        """Which way it goes."""
        return "↓" if self.down is not self.turned else "↑"

    @property
    def words(self) -> str:
        """How the rows stand."""
        return self.label if not self.turned else self.turned_label or f"{self.label}, turned round"


def in_order(rows: Iterable[Row], order: Order) -> list[Row]:
    """The rows, sorted."""
    ordered = list(rows) if order.tie is None else sorted(rows, key=order.tie)
    valued = [(order.value(row), row) for row in ordered]
    known = [pair for pair in valued if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=order.down is not order.turned)  # type: ignore[arg-type,return-value]
    return [row for _, row in known] + [row for value, row in valued if value is None]


def next_order(orders: Sequence[Order], order: Order, most: int | None = None) -> Order:
    """The one after ``order`` of the first ``most``; the first after any other."""
    ids = [each.id for each in orders[:most]]
    return orders[(ids.index(order.id) + 1) % len(ids)] if order.id in ids else orders[0]


def order_by(orders: Sequence[Order], order: Order, wanted: str) -> Order | None:
    """The order called ``wanted``; where that is in force, the other way round; ``None`` where there is none."""
    if order.id == wanted:
        return order._replace(turned=not order.turned)
    return next((each for each in orders if each.id == wanted), None)


def titled(title: str, column: str, order: Order | None) -> str:
    """A title, with the arrow where the table is sorted by it."""
    return title + order.arrow if order is not None and order.column == column else title


def title_at(titles: Line, x: int) -> str:
    """The first word of the title at cell ``x``, without its arrow; the gap before a title belongs to it."""
    reached = 0
    for run in titles.runs:
        reached += len(run.text)
        if x < reached:
            return (run.text.split() or [""])[0].strip("↑↓,")
    return ""


class RowsState(Generic[Key]):
    """Order, filter, selection and scroll of a table: what a view remembers while others are seen, since screens come and go."""

    def __init__(self, orders: Sequence[Order], in_turn: int | None = None) -> None:
        """As it is when the view is first opened; ``in_turn``: how many of ``orders`` come in turn."""
        self.orders = orders
        self.order = orders[0]
        self.needle = ""
        self.selected: Key | None = None
        """``None`` until somebody chooses: then it is the first row."""
        self.top = 0
        """The first line in view."""
        self._in_turn = in_turn

    def next_order(self) -> Order:
        """Sort otherwise."""
        self.order = next_order(self.orders, self.order, self._in_turn)
        return self.order

    def order_by(self, wanted: str) -> bool:
        """Sort by the order called so, or turn it round; ``False`` where there is none."""
        found = order_by(self.orders, self.order, wanted)
        self.order = found or self.order
        return found is not None


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

    def order_at(self, x: int, orders: Sequence[Order]) -> str:
        """The order that the title at ``x`` stands for; the gap before a title belongs to it."""
        column = next((place.column.id for place in self.places if x < place.x + place.width), "")
        return next((order.id for order in orders if order.column == column), "")

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
