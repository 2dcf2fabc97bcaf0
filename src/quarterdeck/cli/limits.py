"""The options of `quarterdeck check` that select and limit. A limit is WARN:CRIT; a number alone is critical, "20:" only warns."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from quarterdeck.model.demands import Limit


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    for name, what in (
        ("endpoint", "endpoints of this name"),
        ("host", "what runs on this host"),
        ("model", "endpoints with this model"),
    ):
        parser.add_argument(f"--{name}", action="append", default=[], metavar="GLOB", help=f"only {what} (repeatable)")
    for name, number, example, text in (
        ("max-waiting", _plain, "20:50", "requests waiting at one endpoint"),
        ("max-kv", _share, "90%:97%", "share of the KV cache"),
        ("max-ttft-p95", _span, "1s:5s", "TTFT p95 over the next 2 s (takes that long), and of --probe"),
        ("min-vram-free", _bytes, "4GiB:1GiB", "memory free on each GPU"),
        ("max-gpu-temp", _plain, "80:90", "degrees Celsius of each GPU"),
        ("min-endpoints-up", _plain, "4:2", "endpoints that are well"),
    ):
        parser.add_argument(
            f"--{name}", type=_limit(number), metavar="WARN:CRIT", help=f"{text}, such as {example}".replace("%", "%%")
        )
    parser.add_argument(
        "--expect-model",
        action="append",
        default=[],
        metavar="GLOB",
        help="critical where no endpoint that is well has such a model (repeatable)",
    )
    parser.add_argument(
        "--probe", action="store_true", help="ask every model that is ready for one token; it may cost money"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="a further line for each finding: since when, and what to try"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the line")


def _limit(number: Callable[[str], float | None]) -> Callable[[str], Limit]:
    def parse(text: str) -> Limit:
        first, colon, second = text.partition(":")
        warn, crit = (first, second) if colon else ("", first)
        values = [number(part) if part else None for part in (warn, crit)]
        if any(part and value is None for part, value in zip((warn, crit), values, strict=True)) or values == [
            None,
            None,
        ]:
            raise argparse.ArgumentTypeError(f"expected WARN:CRIT, or one number that is critical, got {text[:40]!r}")
        return Limit(*values)

    return parse


def _plain(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e12 else None


def _share(text: str) -> float | None:
    from quarterdeck.config.units import fraction

    return fraction(text if text.endswith("%") else _plain(text))


def _span(text: str) -> float | None:
    from quarterdeck.config.units import duration

    return duration(text) if not text.replace(".", "", 1).isdigit() else _plain(text)


def _bytes(text: str) -> float | None:
    from quarterdeck.config.units import size

    return size(int(text) if text.isdigit() else text)
