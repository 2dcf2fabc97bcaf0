"""What a listing of GPUs is made of and what it comes to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from quarterdeck.model.host import HostView
from quarterdeck.tui.columns import Order
from quarterdeck.tui.gpus.scene import Entry, Key, Letters
from quarterdeck.tui.lines import Line


class Spot(NamedTuple):
    """Where a GPU stands: its lines, and its place in the grid that the arrow keys walk."""

    key: Key
    line: int
    height: int
    row: int
    column: int


class Listing(NamedTuple):
    """All lines, and where the GPUs are on them."""

    lines: list[Line]
    spots: list[Spot]
    cards: bool


class Shown(NamedTuple):
    """All that a listing is made of."""

    entries: Sequence[Entry]
    hosts: Sequence[HostView]
    """The machines, those without a GPU that is shown among them."""
    letters: Letters
    order: Order
    selected: Key | None
    now: float
    filtered: bool = False


def groups(shown: Shown) -> list[tuple[HostView | None, list[Entry]]]:
    """The GPUs below their machines; all together where they are sorted otherwise."""
    if shown.order.id != "host":
        return [(None, list(shown.entries))]
    found = {name: list(group) for name, group in groupby(shown.entries, key=lambda entry: entry.host.name)}
    hosts = [host for host in shown.hosts if host.name in found or not (host.gpus or shown.filtered)]
    return [(host, found.get(host.name, [])) for host in hosts]
