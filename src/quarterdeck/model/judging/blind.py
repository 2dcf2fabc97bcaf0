"""The order in which columns are shown while their names are hidden. Pure: the same seed gives the same order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from string import ascii_uppercase
from typing import TypeVar

T = TypeVar("T")


def shuffled(things: Sequence[T], seed: int | str) -> list[T]:
    """The same things in an order that the seed decides."""
    order = list(things)
    random.Random(f"quarterdeck {seed}").shuffle(order)  # noqa: S311  (columns in another order, no secret)
    return order


def letter(place: int) -> str:
    """What a column is called while its name is hidden: A, B, C …"""
    return ascii_uppercase[place] if 0 <= place < len(ascii_uppercase) else str(place + 1)
