"""What is known beforehand of an order, as remarks under its form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quarterdeck.model.job import Order
from quarterdeck.tui.acting.choices import Target
from quarterdeck.tui.lines import BAD, MUTED, PLAIN, WARN
from quarterdeck.tui.screens.form import Remark

if TYPE_CHECKING:
    from quarterdeck.model.launch import Launch
    from quarterdeck.tui.app import ConsoleApp

_TONES = {"ok": PLAIN, "warn": WARN, "bad": BAD, "unknown": MUTED}


async def remarks(app: ConsoleApp, orders: Sequence[tuple[Target, Order]]) -> list[Remark]:
    """A line each; of several orders, with the place before it."""
    from quarterdeck.engine.preflight import preflight

    found: list[Remark] = []
    for _, order in orders[:4]:
        checks = await preflight(app.watched, app.fleet, order)
        before = f"{order.target}: " if len(orders) > 1 else ""
        found += [Remark(before + check.text, _TONES.get(check.level, PLAIN)) for check in checks]
    return found


async def launch_remarks(app: ConsoleApp, launch: Launch) -> list[Remark]:
    """A line each, of a vLLM that is to be started on this machine."""
    from quarterdeck.engine.preflight import preflight_launch

    return [Remark(check.text, _TONES.get(check.level, PLAIN)) for check in await preflight_launch(launch, app.fleet)]
