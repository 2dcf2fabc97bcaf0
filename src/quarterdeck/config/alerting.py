"""[alerts] and [[alert]]: which rules hold, and what is different from the built-in ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.config import units
from quarterdeck.config.alert_kinds import Globs, Level, MeasureId, RuleId, Switches, meant
from quarterdeck.config.fleet import ENGINES, AlertSettings
from quarterdeck.config.kinds import Choice, Duration, Flag
from quarterdeck.config.problem import shown
from quarterdeck.config.specs import AlertSpec
from quarterdeck.config.table import Key, Table

if TYPE_CHECKING:
    from quarterdeck.model.alerts.measure import Measure
    from quarterdeck.model.alerts.rules import Rule
    from quarterdeck.model.limits import Limits

_DAY = 86_400.0
USUAL_FOR_S = 30.0
"""How long a rule that says nothing of it must hold."""


# ---- what single keys can't tell


def _check_alert(given: Mapping[str, object], values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    from quarterdeck.model.alerts.builtin import IDS, builtin
    from quarterdeck.model.alerts.measures import MEASURES

    name, measure = values.get("name"), values.get("measure")
    if "measure" in given and measure is None:
        return  # what it is can't be told; that is said already
    changed = next((rule for rule in builtin() if rule.id == name and measure in (None, rule.measure)), None)
    if measure is None and changed is None:
        if isinstance(name, str):
            yield "measure", f"missing; only a rule called as a built-in one goes without{meant(name, IDS)}"
        return
    known = MEASURES[changed.measure if changed is not None else str(measure)]
    yield from _check_scope(known, given)
    yield from _check_limits(known, given, values, changed)


def _check_scope(measure: Measure, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    from quarterdeck.model.alerts.measure import Of

    if measure.of is not Of.ENDPOINT:
        for name in ("endpoints", "models", "engine"):
            if name in given:
                yield name, f'has no effect: "{measure.id}" is of a {_OF[measure.of.value]}; hosts says of which'


_OF = {"gpu": "GPU", "host": "machine"}


def _check_limits(
    measure: Measure, given: Mapping[str, object], values: Mapping[str, object], changed: Rule | None
) -> Iterator[tuple[str, str]]:
    from quarterdeck.model.alerts.measure import Unit

    limits = [name for name in ("above", "below", "clear") if name in given]
    if measure.unit is Unit.YES_NO:
        yield from ((name, f'has no effect: "{measure.id}" is yes or no') for name in limits)
        return
    for name in limits:
        wrong = "" if name not in values else _misfit(measure.unit.value, given[name], values[name])
        if wrong:
            yield name, wrong
            return
    if "above" in given and "below" in given:
        yield "below", "expected above or below, not both"
    elif "above" not in given and "below" not in given and changed is None:
        yield "above", f"missing; a rule on {measure.id} needs above or below: expected {_WRITTEN[measure.unit.value]}"
    else:
        yield from _check_clear(values, changed)


def _check_clear(values: Mapping[str, object], changed: Rule | None) -> Iterator[tuple[str, str]]:
    below = "below" in values or ("above" not in values and changed is not None and changed.below)
    limit = values.get("below" if below else "above", changed.limit if changed is not None else None)
    clear = values.get("clear")
    if isinstance(clear, float) and isinstance(limit, float) and (clear < limit if below else clear > limit):
        side = "below" if below else "above"
        yield "clear", f"must not be {side} the limit ({limit:g}): the alert would be over while it holds"


_WRITTEN = {
    "share": 'a share such as 0.9 or "90%"',
    "seconds": 'a duration such as "5s"',
    "bytes": 'a size such as "4GiB"',
    "number": "a number such as 20",
    "°C": "a number of °C such as 85",
}


def _misfit(unit: str, written: object, value: object) -> str:
    """Why a limit is none of this unit; "" where it is one."""
    fits = {"share": units.fraction, "seconds": units.duration, "bytes": units.size}.get(unit, units.number)
    if fits(written) is not None or (unit == "bytes" and units.number(written) is not None):
        return ""
    return f"expected {_WRITTEN[unit]}, got {shown(written)}"


ALERTS = Table(
    "alerts",
    AlertSettings,
    "Alerts: what is told when something is wrong for a while.",
    "a table: [alerts] (rules are [[alert]])",
    (
        Key("enabled", Flag(), "false: no alerts at all.", "true", ("on", "active")),
        Key(
            "builtin",
            Switches(),
            "Built-in rules that are switched off, by name; [[alert]] changes one.",
            "{ spill = false }",
            ("builtins", "rules", "disable", "off"),
        ),
        Key("keep", Duration(3600, 3650 * _DAY), "How long a cleared alert is remembered.", '"30d"', ("retention",)),
    ),
)

ALERT = Table(
    "alert",
    AlertSpec,
    "A rule: when somebody is to be told. One called as a built-in rule changes that.",
    "tables: [[alert]]",
    (
        Key("name", RuleId(), "Its name; that of a built-in rule changes it.", '"long-queue"', ("id", "rule")),
        Key("measure", MeasureId(), "What it looks at.", '"waiting"', ("metric", "what", "on", "value")),
        Key("above", Level(), "It holds above this.", "40", ("limit", "over", "max", "threshold", "gt")),
        Key("below", Level(), "It holds below this, and is over when it is not below clear any more.", "10", ("under", "min", "lt")),
        Key(
            "clear",
            Level(),
            "It is over when it is not above this any more; unset: the limit.",
            "20",
            ("clear_at", "reset"),
        ),
        Key("for", Duration(0, _DAY), "So long it must hold.", '"2m"', ("duration", "lasting")),
        Key("calm", Duration(0, _DAY), "So long it must be over before it is cleared.", '"30s"', ("clear_after",)),
        Key("severity", Choice(("warning", "critical"), {"warn": "warning", "crit": "critical"}), "How bad it is.", '"critical"', ("level", "priority")),
        Key("endpoints", Globs(), "Globs of endpoints; unset: all.", '["vllm-*"]', ("endpoint",)),
        Key("hosts", Globs(), "Globs of machines; unset: all.", '["gpu-*"]', ("host",)),
        Key("models", Globs(), "Only endpoints that have such a model.", '["qwen3*"]', ("model",)),
        Key("engine", Choice(ENGINES[1:]), "Only endpoints of this engine.", '"vllm"', ("type",)),
    ),
    _check_alert,
    repeated=True,
)  # fmt: skip


def rules(settings: AlertSettings, specs: Sequence[AlertSpec], limits: Limits) -> tuple[Rule, ...]:
    """The rules in force: the built-in ones that are on, as the file changes them, then those of the file."""
    from quarterdeck.model.alerts.builtin import builtin

    if not settings.enabled:
        return ()
    written = {spec.name: spec for spec in specs}
    found = []
    for rule in builtin(limits):
        spec = written.pop(rule.id, None)
        if settings.builtin.get(rule.id, True) or spec is not None:
            found.append(rule if spec is None else _rule(spec, rule))
    return (*found, *(_rule(spec, None) for spec in specs if spec.name in written))


class _Limits(NamedTuple):
    limit: float
    clear: float
    below: bool


def _rule(spec: AlertSpec, changed: Rule | None) -> Rule:
    from quarterdeck.model.alerts.alert import Severity
    from quarterdeck.model.alerts.rules import Rule

    base = changed if changed is not None and spec.measure in (None, changed.measure) else None
    limits = _limits(spec, base)
    return Rule(
        spec.name,
        spec.measure or (base.measure if base is not None else ""),
        Severity(spec.severity) if spec.severity else base.severity if base is not None else Severity.WARNING,
        limits.limit,
        limits.clear,
        limits.below,
        for_s=_either(spec.for_, base.for_s if base is not None else USUAL_FOR_S),
        calm_s=_either(spec.calm, base.calm_s if base is not None else 10.0),
        endpoints=spec.endpoints,
        hosts=spec.hosts,
        models=spec.models,
        engine=spec.engine,
    )


def _either(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _limits(spec: AlertSpec, base: Rule | None) -> _Limits:
    """Where only the limit of a built-in rule is another one, its clear level moves along."""
    if spec.above is None and spec.below is None:
        if base is None:
            return _Limits(0.5, 0.5, below=False)  # yes or no
        return _Limits(base.limit, _either(spec.clear, base.clear), base.below)
    below = spec.below is not None
    limit = _either(spec.below, _either(spec.above, 0.0))
    clear = limit
    if base is not None and base.below is below and base.limit > 0:
        clear = limit * (base.clear / base.limit)
    if not math.isfinite(clear):
        clear = limit
    return _Limits(limit, _either(spec.clear, clear), below)
