"""What is known of requests from outside the engine: a server's access log, and our own requests to it."""

from __future__ import annotations

from quarterdeck.format import age, count, duration, printable, rate, tokens_per_second
from quarterdeck.model.fleet import EndpointView
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.detail.parts import LABEL, Number, Section, grid
from quarterdeck.tui.lines import MUTED, STRONG, WARN

_BAD = ("4", "5")
"""What classes of status begin with that are no success."""


def access_section(view: EndpointView, width: int) -> Section:
    """Requests, statuses and latency of the last minute, as a server's access log has them."""
    log = view.access_log
    if log is None:
        return Section("Access log", [])
    numbers = [Number("requests", f"{rate(log.requests_per_minute)}/min")]
    for status, number in log.by_status:
        bad = status.startswith(_BAD) and number > 0
        numbers.append(Number(printable(status, LABEL - 1), count(number), WARN if bad else STRONG))
    if log.latency_p50_s is not None:
        numbers.append(Number("latency p50", duration(log.latency_p50_s)))
    if log.latency_p95_s is not None:
        numbers.append(Number("latency p95", duration(log.latency_p95_s)))
    origin = f", from {printable(log.origin, 80)}" if log.origin else ""
    return Section("Access log", grid(numbers, width), f"last minute{origin}")


def own_section(view: EndpointView, moment: Moment, width: int) -> Section:
    """What our own requests took: all that some servers can be measured by."""
    own = view.own
    if own is None or not own.count:
        return Section("Our own requests", [])
    numbers = [
        Number("requests", count(own.count)),
        Number("TTFT p50", duration(own.ttft_p50_s)),
        Number("decoding p50", tokens_per_second(own.decode_tps_p50)),
    ]
    if own.last_at is not None:
        numbers.append(Number("the last one", f"{age(moment.now - own.last_at)} ago", MUTED))
    return Section("Our own requests", grid(numbers, width))
