"""What an alert says: the numbers then and now, and the rule. Pure."""

from __future__ import annotations

from quarterdeck.format import duration, percent, printable, size, tokens_per_second
from quarterdeck.model.alerts.hearing import Heard
from quarterdeck.model.alerts.measure import Moment, Unit
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.gpu import GpuView

_MOST_LINES = 8
_LONGEST = 200


def what(heard: Heard, moment: Moment) -> str:
    """What is wrong, with the number as it is now."""
    return printable(heard.check.measure.words(heard.row, moment), _LONGEST)


def numbers(heard: Heard, moment: Moment) -> str:
    """The value, and what else is known that belongs to it."""
    row, first = heard.row, what(heard, moment)
    if isinstance(row, EndpointView):
        more = _of_endpoint(row, heard.check.measure.id)
    elif isinstance(row, GpuView):
        more = _of_gpu(row, heard.check.measure.id)
    else:
        more = []
    return ", ".join((first, *more))


def _of_endpoint(view: EndpointView, measure: str) -> list[str]:
    known: list[tuple[str, object, str]] = [
        ("running", view.running, f"{view.running} running"),
        ("waiting", view.waiting, f"{view.waiting} waiting"),
        ("kv", view.kv_used, f"KV cache {percent(view.kv_used)}"),
        ("ttft_p95", view.ttft_p95_s, f"TTFT p95 {duration(view.ttft_p95_s)}"),
        ("generation", view.generation_tps, tokens_per_second(view.generation_tps)),
    ]
    return [text for name, value, text in known if value is not None and name != measure]


def _of_gpu(gpu: GpuView, measure: str) -> list[str]:
    known: list[tuple[str, object, str]] = [
        ("utilization", gpu.utilization, f"{percent(gpu.utilization)} busy"),
        ("temperature", gpu.temperature_c, f"{gpu.temperature_c or 0:.0f} °C"),
        ("power", gpu.power_w, f"{gpu.power_w or 0:.0f} W"),
        ("vram", gpu.memory_used_bytes, f"{size(gpu.memory_used_bytes)} in use"),
    ]
    return [text for name, value, text in known if value is not None and name != measure and not gpu.lost]


def evidence(rule: Rule, first: str, heard: Heard, moment: Moment) -> tuple[str, ...]:
    """The numbers when it began and now, what the state was concluded from, and the rule."""
    lines = [f"when it began: {first}", f"now: {numbers(heard, moment)}"]
    if isinstance(heard.row, EndpointView) and heard.check.of_state:
        lines += [printable(line, _LONGEST) for line in heard.row.evidence[:_MOST_LINES]]
    return (*lines, told(rule, heard.check.measure.unit))


def told(rule: Rule, unit: Unit) -> str:
    """A rule in words."""
    lasting = f" for {duration(rule.for_s)}" if rule.for_s else ""
    if unit is Unit.YES_NO:
        return (
            f"rule {rule.id}: {rule.severity.value}{lasting or ' at once'}; over after {duration(rule.calm_s)} without"
        )
    side, back = ("below", "more") if rule.below else ("above", "less")
    limit, clear = in_unit(rule.limit, unit), in_unit(rule.clear, unit)
    over = f"over after {duration(rule.calm_s)} at {clear} or {back}"
    return f"rule {rule.id}: {rule.severity.value} {side} {limit}{lasting}; {over}"


def in_unit(value: float, unit: Unit) -> str:
    """A limit as people read it."""
    match unit:
        case Unit.SHARE:
            return f"{value * 100:.4g}%"
        case Unit.SECONDS:
            return f"{value / 86_400:.3g} days" if value >= 172_800 else duration(value)
        case Unit.BYTES:
            return size(value)
        case Unit.CELSIUS:
            return f"{value:.4g} °C"
    return f"{value:.6g}"
