"""What rules can look at of an endpoint, and the words for it. Pure; ``None`` = not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quarterdeck.format import duration, percent, size
from quarterdeck.model.alerts.measure import Measure, Moment, Of, Unit
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.holdings import spilled

_CLIENTS_REASONS = frozenset({"stop", "length", "abort", "success", "all", "validation", "repetition", "tool_calls"})
_ENGINES_REASONS = frozenset({"error", "failure", "rejected", "overloaded", "generation", "timeout", "unknown"})


def _down(view: EndpointView, moment: Moment) -> float | None:
    if view.state is None or view.state is State.STALE:
        return None
    return 1.0 if view.state is State.DOWN else 0.0


def _is(state: State) -> Callable[[EndpointView, Moment], float | None]:
    """1 where an endpoint is in ``state``; not known while it doesn't answer."""

    def value(view: EndpointView, moment: Moment) -> float | None:
        return float(view.state is state) if view.state is not None and view.state.answers else None

    return value


def _field(name: str) -> Callable[[EndpointView, Moment], float | None]:
    """A field of the view as it is."""

    def value(view: EndpointView, moment: Moment) -> float | None:
        number: float | None = getattr(view, name)
        return number

    return value


def _state_words(view: EndpointView, moment: Moment) -> str:
    state = view.state.value if view.state is not None else "not polled yet"
    return f"{state}: {view.reason}" if view.reason else state


def _waiting_words(view: EndpointView, moment: Moment) -> str:
    return f"{view.waiting} request{'s' if view.waiting != 1 else ''} waiting"


def _kv_words(view: EndpointView, moment: Moment) -> str:
    return f"KV cache {percent(view.kv_used)} full"


def _ttft_words(view: EndpointView, moment: Moment) -> str:
    return f"TTFT p95 {duration(view.ttft_p95_s)}"


def _itl_words(view: EndpointView, moment: Moment) -> str:
    return f"ITL p95 {duration(view.itl_p95_s)}"


def _preemptions_words(view: EndpointView, moment: Moment) -> str:
    return f"{view.preemptions_ps or 0:.1f} requests a second lose their KV cache to others (preempted)"


def _errors(view: EndpointView, moment: Moment) -> float | None:
    failed, every = failures(view)
    return failed / every if every > 0 else None


def _errors_words(view: EndpointView, moment: Moment) -> str:
    failed, every = failures(view)
    return f"{percent(failed / every if every > 0 else None)} of the requests fail"


def failures(view: EndpointView) -> tuple[float, float]:
    """Requests that failed by the server's fault, and all of them, a second; (0, 0) where nothing ended or nobody tells."""
    if view.finished_ps:
        failed = sum(rate for reason, rate in view.finished_ps if is_failure(reason))
        return failed, sum(rate for _, rate in view.finished_ps)
    if view.access_log is not None:
        counts: Mapping[str, int] = dict(view.access_log.by_status)
        return counts.get("5xx", 0) / 60, sum(counts.values()) / 60
    return 0.0, 0.0


def is_failure(reason: str) -> bool:
    """Whether a request that ended for this reason (a word, or an HTTP status) failed, and not by its sender's fault."""
    word = reason.lower()
    if word in _CLIENTS_REASONS:
        return False
    return word in _ENGINES_REASONS or (word.isdigit() and (int(word) >= 500 or int(word) == 429))


def _spill(view: EndpointView, moment: Moment) -> float | None:
    if not view.models:
        return None
    return max((part for (_, part), _ in _spilt(view, moment)), default=0.0)


def _spilt(view: EndpointView, moment: Moment) -> list[tuple[tuple[int, float], str]]:
    """Bytes, share and name of every model that is not all on a GPU. One that is not at all is no trouble where there is none."""
    found = [(spilt, model.label) for model in view.models if (spilt := spilled(model)) is not None]
    if not found or (view.host or "") in moment.with_gpus:
        return found
    return [each for each in found if each[0][1] < 1]


def _spill_words(view: EndpointView, moment: Moment) -> str:
    spilt = _spilt(view, moment)
    if not spilt:
        return "every model lies on the GPU"
    (below, part), name = max(spilt, key=lambda each: each[0][1])
    more = f" (and {len(spilt) - 1} more)" if len(spilt) > 1 else ""
    return f"{percent(part)} of {name} ({size(below)}) lies in system memory{more}"


def _certificate(view: EndpointView, moment: Moment) -> float | None:
    return None if view.certificate_ends is None else view.certificate_ends - moment.time


def _certificate_words(view: EndpointView, moment: Moment) -> str:
    left = (view.certificate_ends or moment.time) - moment.time
    if left <= 0:
        return "its certificate has expired"
    days = int(left // 86_400)
    return (
        f"its certificate expires in {days} day{'s' if days != 1 else ''}" if days else "its certificate expires today"
    )


_E = Of.ENDPOINT
ENDPOINT_MEASURES = (
    Measure("down", _E, Unit.YES_NO, "DOWN", _down, _state_words, of_state=True),
    Measure("auth", _E, Unit.YES_NO, "AUTH: the key is missing or wrong", _is(State.AUTH), _state_words, of_state=True),
    Measure("stalled", _E, Unit.YES_NO, "STALLED: work, and no token", _is(State.STALLED), _state_words, of_state=True),
    Measure("waiting", _E, Unit.NUMBER, "requests waiting", _field("waiting"), _waiting_words),
    Measure("kv", _E, Unit.SHARE, "share of the KV cache in use", _field("kv_used"), _kv_words),
    Measure("ttft_p95", _E, Unit.SECONDS, "TTFT p95 of the last minute", _field("ttft_p95_s"), _ttft_words),
    Measure("itl_p95", _E, Unit.SECONDS, "ITL p95 of the last minute", _field("itl_p95_s"), _itl_words),
    Measure(
        "preemptions", _E, Unit.NUMBER, "requests preempted a second", _field("preemptions_ps"), _preemptions_words
    ),
    Measure("errors", _E, Unit.SHARE, "share of the requests that fail", _errors, _errors_words),
    Measure("spill", _E, Unit.SHARE, "share of a loaded model in system memory", _spill, _spill_words),
    Measure("certificate", _E, Unit.SECONDS, "time left to its certificate", _certificate, _certificate_words),
)
