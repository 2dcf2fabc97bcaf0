"""What everybody who acts on a model server is, whatever its engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from quarterdeck.model.job import Order, Progress

Report = Callable[[Progress], None]
"""Told how far it is, as often as the server says so."""


class Deed(NamedTuple):
    """An order, with what was known when it was given."""

    order: Order
    expected_bytes: int | None = None
    """Of a download, where somebody knows."""


class Interrupted(Exception):  # noqa: N818  (it is no end: doing the order again goes on)
    """The connection went, or nothing came for long; what was done so far is kept by the server. The message is in words."""


class Actor(Protocol):
    """Does orders on one server of one engine."""

    async def act(self, deed: Deed, report: Report) -> str:
        """Do it and wait until it is done; the result in words. Cancelling the task ends it as well as the server allows.

        Raises `quarterdeck.wire.failure.Failure` (reason in words) where the server refuses or can't be reached; `Interrupted` where
        doing it again can go on from where it was.
        """
        ...

    async def show(self, model: str) -> Mapping[str, object]:
        """What the server tells of a model: parameters, template, capabilities, licence, sizes. Raises Failure."""
        ...

    async def newer(self, model: str) -> str:
        """Whether the registry has another one under the same tag, in words ("newer upstream", "up to date"). Raises Failure."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...
