"""What can be asked of an endpoint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from quarterdeck.model.models import ModelState
from quarterdeck.model.query.field import Around, Field, Vocabulary
from quarterdeck.model.query.values import Kind

if TYPE_CHECKING:
    from quarterdeck.model.alerts.alert import Alert
    from quarterdeck.model.fleet import EndpointView, FleetSnapshot

_IN_MEMORY = (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING)
UNPOLLED = "unpolled"


def state_word(view: EndpointView) -> str:
    """The state in a word."""
    return view.state.value if view.state is not None else UNPOLLED


def _words(view: EndpointView) -> Iterable[str | None]:
    yield from (view.name, view.engine, view.host, state_word(view))
    for model in view.models:
        yield model.id


def _models(view: EndpointView, _: Around) -> Iterable[str]:
    for model in view.models:
        yield model.id
        if (label := model.label) != model.id:
            yield label


def _loaded(view: EndpointView, _: Around) -> Iterable[str]:
    return (model.id for model in view.models if model.state in _IN_MEMORY)


def alerts_of(fleet: FleetSnapshot) -> Mapping[str, Sequence[Alert]]:
    """The open alerts of each endpoint."""
    found: dict[str, list[Alert]] = defaultdict(list)
    for alert in fleet.alerts:
        if alert.open and alert.endpoint is not None:
            found[alert.endpoint].append(alert)
    return found


def _alerts(view: EndpointView, around: Around) -> Iterable[str]:
    for alert in around.found(alerts_of).get(view.name, ()):
        yield from (alert.severity.value, alert.rule, alert.what)


def busiest_gpus(fleet: FleetSnapshot) -> Mapping[str, float]:
    """Endpoint → utilisation of the busiest GPU on which a process of it holds memory."""
    found: dict[str, float] = {}
    for host in fleet.hosts:
        for gpu in host.gpus:
            for process in gpu.processes or ():
                if process.endpoint is not None and gpu.utilization is not None:
                    found[process.endpoint] = max(gpu.utilization, found.get(process.endpoint, 0.0))
    return found


def _since(at: float | None, now: float) -> float | None:
    return None if at is None else max(0.0, now - at)


_TEXTS: tuple[Field[EndpointView], ...] = (
    Field("state", "The state, in a word; unpolled before the first answer.", "state:down,stale", texts=lambda view, _: (state_word(view),)),
    Field("name", "As the fleet file calls it.", "name:vllm", texts=lambda view, _: (view.name,)),
    Field("engine", "What serves.", "engine:ollama", texts=lambda view, _: (view.engine,)),
    Field("version", "Its version.", "version:0.11", texts=lambda view, _: (view.version,)),
    Field("model", "A model that it has; compared: how many there are.", "model:qwen3", ("models",), _models, lambda view, _: len(view.models)),
    Field("loaded", "A model that is in memory; compared: how many are.", "loaded>1", (), _loaded, lambda view, _: sum(model.state in _IN_MEMORY for model in view.models)),
    Field("why", "Why the state is what it is.", "why:timeout", ("reason",), lambda view, _: (view.reason, *view.odd)),
    Field("host", "The machine it runs on.", "host:gpu-1", ("machine",), lambda view, _: (view.host,)),
    Field("url", "Where it is reached.", "url:11434", texts=lambda view, _: (view.url,)),
    Field("boundary", "How far a prompt travels: local, vpc or external.", "boundary:external", texts=lambda view, _: (view.boundary.value,)),
    Field("protected", "Whether its name has to be typed before it is disturbed.", "protected:yes", texts=lambda view, _: ("yes" if view.protected else "no",)),
    Field("alert", "Severity, rule or words of an open alert; compared: how many there are.", "alert:critical", ("alerts",), _alerts, lambda view, around: len(around.found(alerts_of).get(view.name, ()))),
)  # fmt: skip
_NUMBERS: tuple[Field[EndpointView], ...] = (
    Field("run", "Requests being answered now.", "run>0", ("running",), number=lambda view, _: view.running),
    Field("wait", "Requests in the queue.", "wait>0", ("waiting", "queue"), number=lambda view, _: view.waiting),
    Field("tps", "Generated tokens a second.", "tps<5", ("tok/s", "tok"), number=lambda view, _: view.generation_tps, unit="tok/s"),
    Field("prompt", "Prompt tokens a second.", "prompt>1k", ("prompt/s",), number=lambda view, _: view.prompt_tps),
    Field("ttft", "Time to the first token, 95 % are faster.", "ttft>500ms", number=lambda view, _: view.ttft_p95_s, kind=Kind.SECONDS),
    Field("itl", "Time between two tokens, 95 % are faster.", "itl>50ms", ("tpot",), number=lambda view, _: view.itl_p95_s, kind=Kind.SECONDS),
    Field("kv", "KV cache in use.", "kv>=90%", number=lambda view, _: view.kv_used, kind=Kind.SHARE),
    Field("mem", "GPU memory of its models.", "mem>20GiB", ("vram", "memory"), number=lambda view, _: view.vram_bytes, kind=Kind.BYTES),
    Field("gpu", "How busy the busiest GPU is that holds memory of it.", "gpu>80", ("util",), number=lambda view, around: around.found(busiest_gpus).get(view.name), kind=Kind.SHARE),
    Field("answer", "How long the last poll took to answer.", "answer>200ms", ("latency",), number=lambda view, _: view.latency_s, kind=Kind.SECONDS),
    Field("age", "How old the numbers are.", "age>1m", number=lambda view, around: _since(view.answered, around.now), kind=Kind.SECONDS, timed=True),
    Field("for", "How long it has been in this state.", "for<10m", ("since",), number=lambda view, around: _since(view.since, around.now), kind=Kind.SECONDS, timed=True),
)  # fmt: skip
ENDPOINTS: Vocabulary[EndpointView] = Vocabulary((*_TEXTS, *_NUMBERS), _words, "endpoints")
