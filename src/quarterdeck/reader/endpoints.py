"""Endpoints in sentences. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.reader import speech
from quarterdeck.reader.speech import counted, lasting, listed, name, sentence, spoken

WORST_FIRST = (
    State.DOWN,
    State.STALLED,
    State.AUTH,
    State.STALE,
    State.RESTARTED,
    State.LOADING,
    State.BUSY,
    None,
    State.SLEEPING,
    State.OK,
)
TROUBLE = frozenset({State.DOWN, State.STALLED, State.AUTH, State.STALE, State.RESTARTED})
"""What is said also where only trouble is to be told."""
_WELL = frozenset({State.OK, State.SLEEPING})
_NEW_S = 2.0
"""Younger than this, a state has no age worth a word."""
_FEW = 12
"""So many endpoints are told one by one; of more, those that are well by their names."""
_NAMED = 30
_ALIKE = 3
"""So many that are alike are told one by one."""
_HAPPENED = 5
_REPLICAS = 16
_REASON = 400


def worst_first(views: Sequence[EndpointView]) -> list[EndpointView]:
    """In order of trouble; those alike as they stand in the fleet file."""
    return sorted(views, key=lambda view: WORST_FIRST.index(view.state))


def is_so(view: EndpointView, at: float) -> str:
    """ "vllm-a has been DOWN for 3 seconds: connection refused", without a full stop. ``at``: monotonic seconds of now."""
    if view.state is None:
        return f"{name(view.name)} has not answered yet"
    age = at - view.since if view.since is not None and view.state is not State.OK else 0.0
    how = f"has been {view.state.value} for {lasting(age)}" if age >= _NEW_S else f"is {view.state.value}"
    return f"{name(view.name)} {how}{because(view)}"


def because(view: EndpointView) -> str:
    """ ": connection refused", or "" where no reason is known."""
    return f": {spoken(view.reason, _REASON)}" if view.reason else ""


def counts(views: Sequence[EndpointView]) -> str:
    """ "1 is DOWN, 2 are BUSY and 5 are OK", the worst first; "" where there are none."""
    found = Counter(view.state for view in views)
    parts = [
        f"{found[state]} {'is' if found[state] == 1 else 'are'} {state.value}"
        if state is not None
        else _unasked(found[state])
        for state in WORST_FIRST
        if found[state]
    ]
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part) if parts else ""


def _unasked(number: int) -> str:
    return f"{number} {'has' if number == 1 else 'have'} not answered yet"


def troubled(snapshot: FleetSnapshot) -> list[str]:
    """A sentence for each endpoint that is not well, the worst first."""
    views = [view for view in worst_first(snapshot.endpoints) if view.state not in _WELL and view.state is not None]
    if len(views) > _FEW:
        return _in_groups(views, snapshot.at)
    return [sentence(is_so(view, snapshot.at)) for view in views]


def summary(snapshot: FleetSnapshot) -> str:
    """The fleet in a sentence."""
    if not snapshot.endpoints:
        return "No model server is watched."
    number, states = len(snapshot.endpoints), {view.state for view in snapshot.endpoints}
    if len(states) == 1 and None not in states:
        every = {1: "The only endpoint is", 2: "Both endpoints are"}.get(number, f"All {number} endpoints are")
        return f"{every} {next(iter(states))}."
    return f"Of {counted(number, 'endpoint')}, {counts(snapshot.endpoints)}."


def status(snapshot: FleetSnapshot, *, whole: bool = False) -> list[str]:
    """The fleet, the worst first. Of a large one those that are well come by their names only, unless ``whole``."""
    views = worst_first(snapshot.endpoints)
    if whole or len(views) <= _FEW:
        return [summary(snapshot), *(brief(view, snapshot.at) for view in views)]
    lines = [summary(snapshot), *_in_groups([view for view in views if view.state not in _WELL], snapshot.at)]
    for state in (State.SLEEPING, State.OK):
        names = [view.name for view in views if view.state is state]
        if names:
            lines.append(f"{state.value}: {listed(names, _NAMED)}.")
    return lines


def _in_groups(views: Sequence[EndpointView], at: float) -> list[str]:
    """A line each; many that are alike, for the same reason, in one."""
    alike: dict[tuple[State | None, str], list[EndpointView]] = {}
    for view in views:
        alike.setdefault((view.state, view.reason), []).append(view)
    lines: list[str] = []
    for (state, _), group in alike.items():
        if len(group) <= _ALIKE or state is None:
            lines += [brief(view, at) for view in group]
        else:
            names = listed([view.name for view in group], _NAMED)
            lines.append(sentence(f"{len(group)} are {state.value}{because(group[0])}: {names}"))
    return lines


def brief(view: EndpointView, at: float) -> str:
    """One endpoint in one line: state, models, load."""
    parts = [is_so(view, at)]
    models = [model for model in view.models if model.state is not ModelState.INSTALLED]
    if models and view.state is not State.DOWN:
        parts.append(f"{'model' if len(models) == 1 else 'models'} {listed([model.label for model in models])}")
    if view.state is not None and view.state.answers:
        parts += load(view)
    return sentence("; ".join(parts))


def load(view: EndpointView) -> list[str]:
    """What it has to do, as far as is known."""
    parts = []
    if view.running is not None:
        parts.append(f"{_about(view, 'running')}{counted(view.running, 'request')} running")
    if view.waiting and "waiting" not in view.reason:
        parts.append(f"{_about(view, 'waiting')}{view.waiting} waiting")
    if view.generation_tps is not None:
        parts.append(f"{_about(view, 'generation_tps')}{speech.number(view.generation_tps)} tokens per second")
    if view.kv_used is not None:
        parts.append(f"KV cache {speech.percent(view.kv_used)} full")
    return parts


def _about(view: EndpointView, field: str) -> str:
    return "about " if field in view.estimates else ""


def whole(view: EndpointView, snapshot: FleetSnapshot) -> list[str]:
    """All that is known of an endpoint, a line each."""
    known = [part for part in (view.engine, view.version) if part]
    serves = f"It is {name(' '.join(known))}" if known else "Its engine is unknown"
    lines = [sentence(is_so(view, snapshot.at))]
    lines += [sentence(f"Shown by: {spoken(line, _REASON)}") for line in view.evidence]
    lines.append(
        sentence(
            f"{serves}, at {name(view.url, 200)}, boundary {view.boundary.value}{', protected' if view.protected else ''}"
        )
    )
    if view.host:
        lines.append(f"It runs on {name(view.host)}.")
    if view.answered is not None:
        lines.append(f"Its numbers are {lasting(snapshot.at - view.answered)} old.")
    told = load(view)
    lines.append(sentence(f"Load: {', '.join(told)}") if told else "Its load is unknown.")
    lines += _times(view)
    lines += [sentence(f"Odd: {spoken(line, _REASON)}") for line in view.odd]
    lines += [
        sentence(f"Replica {name(each.engine)}: {_replica(each.running, each.generation_tps, each.kv_used)}")
        for each in view.replicas[:_REPLICAS]
    ]
    lines += [model_line(model, snapshot.time) for model in view.models]
    lines += [sentence(f"Note: {spoken(note, _REASON)}") for note in view.notes]
    lines += [
        _happened(view, snapshot, place) for place in range(max(0, len(view.events) - _HAPPENED), len(view.events))
    ]
    return lines


def _times(view: EndpointView) -> list[str]:
    lines = []
    if view.ttft_p95_s is not None:
        lines.append(
            f"95 percent of the requests of the last minute had a first token within {speech.seconds(view.ttft_p95_s)}."
        )
    if view.itl_p95_s is not None:
        lines.append(f"95 percent of the next tokens came within {speech.seconds(view.itl_p95_s)}.")
    if view.own is not None and view.own.ttft_p50_s is not None:
        lines.append(f"Our own requests had a first token after {speech.seconds(view.own.ttft_p50_s)} (median).")
    return lines


def _replica(running: int | None, tps: float | None, kv_used: float | None) -> str:
    run = speech.UNKNOWN if running is None else str(running)
    return f"{run} running, {speech.number(tps)} tokens per second, KV cache {speech.percent(kv_used)}"


def _happened(view: EndpointView, snapshot: FleetSnapshot, place: int) -> str:
    event = view.events[place]
    text = f": {spoken(event.text, _REASON)}" if event.text else ""
    return sentence(f"{lasting(snapshot.at - event.at)} ago: {name(event.word)}{text}")


def model_line(model: ModelReading, unix: float, where: str = "") -> str:
    """ "Model qwen3:8b on mac is loaded: 5.2 gibibytes, all of it on GPUs, context 32768 tokens." """
    parts = []
    if model.size_bytes is not None:
        parts.append(speech.size(model.size_bytes))
    if model.vram_bytes is not None and model.size_bytes and model.state is ModelState.LOADED:
        share = model.vram_bytes / model.size_bytes
        parts.append("all of it on GPUs" if share >= 1 else f"{speech.percent(share)} of it on GPUs")
    if model.context_length is not None:
        parts.append(f"context {model.context_length} tokens")
    if model.quantization:
        parts.append(name(model.quantization))
    if model.expires_at is not None and model.state is ModelState.LOADED:
        left = model.expires_at - unix
        parts.append(
            "stays for ever" if model.expires_at == float("inf") else f"leaves in {lasting(left)} if nobody asks it"
        )
    state = "on disk" if model.state is ModelState.INSTALLED else model.state.value
    at = f" on {name(where)}" if where else ""
    return sentence(f"Model {name(model.label)}{at} is {state}{': ' if parts else ''}{', '.join(parts)}")


def models(snapshot: FleetSnapshot) -> list[str]:
    """Every model on every endpoint: those in memory first."""
    found = [(model, view.name) for view in snapshot.endpoints for model in view.models]
    found.sort(key=lambda each: each[0].state is ModelState.INSTALLED)
    if not found:
        return ["No model is known."]
    there = sum(model.state is not ModelState.INSTALLED for model, _ in found)
    lines = [f"{counted(len(found), 'model')}, {there} of them ready or in memory."]
    return lines + [model_line(model, snapshot.time, where) for model, where in found]
