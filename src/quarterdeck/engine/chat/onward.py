"""Where a prompt goes on to behind the endpoint that takes it: gateways forward, and some models run in somebody's cloud. Pure.

A boundary says how far it is to the endpoint. What is known of the models there may say that a prompt travels further; in doubt it
does. What can't be seen from here: a gateway's fallbacks, and whether it tells the truth.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.problem import BadValueError
from quarterdeck.config.urls import http_url
from quarterdeck.engine.chat.circumstances import model_of
from quarterdeck.format import printable
from quarterdeck.model.fleet import Boundary

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec, FleetConfig
    from quarterdeck.model.fleet import EndpointView, FleetSnapshot
    from quarterdeck.model.reading import Deployment

_GATEWAY = "litellm"
_BESIDE_IT = ("ollama", "ollama_chat", "lm_studio", "llamafile", "hosted_vllm", "vllm", "docker_model_runner")
"""LiteLLM's providers whose default address is the machine that the gateway runs on; all others are somebody's API."""
_OLLAMA = ("ollama", "ollama_chat")
_CLOUD = ("-cloud", ":cloud")
_ITS_CLOUD = "ollama.com"
_LONGEST = 120


class Onward(NamedTuple):
    """A prompt to this model leaves, though its endpoint doesn't lie outside."""

    place: str
    """Where to: a host, a provider, "" = nobody knows."""
    reason: str
    """In words."""


def onward_of(fleet: FleetConfig, snapshot: FleetSnapshot, name: str, model: str) -> Onward | None:
    """What holds for a model of the endpoint ``name``, by what is known of it now."""
    spec = next((spec for spec in fleet.endpoints if spec.name == name), None)
    view = next((view for view in snapshot.endpoints if view.name == name), None)
    return onward(fleet, spec, view, model) if spec is not None else None


def onward(fleet: FleetConfig, spec: EndpointSpec, view: EndpointView | None, model: str) -> Onward | None:
    """Where a prompt to ``model`` goes on to; ``None``: it stays at the endpoint, or that is external itself."""
    if spec.boundary is Boundary.EXTERNAL:
        return None
    engine = (view.engine if view is not None else None) or (None if spec.engine == "auto" else spec.engine)
    if engine == _GATEWAY:
        return _forwarded(fleet, spec, view.deployments if view is not None else (), model)
    return _in_a_cloud(view, model) if engine in ("ollama", "openai", None) else None


def _in_a_cloud(view: EndpointView | None, model: str) -> Onward | None:
    """Ollama forwards what has a ``remote_host``, and names that end in "cloud" even where it lists no such model."""
    found = model_of(view, model) if view is not None else None
    remote = found.remote if found is not None else None
    if remote is not None and default_boundary(remote) is not Boundary.EXTERNAL:
        return None
    if remote is None and not model.casefold().endswith(_CLOUD):
        return None
    place = _host(remote or "") or _ITS_CLOUD
    return Onward(place, f"{printable(model, _LONGEST)} doesn't run there: Ollama forwards it to {place}")


def _forwarded(fleet: FleetConfig, spec: EndpointSpec, known: tuple[Deployment, ...], model: str) -> Onward | None:
    own = [one for one in known if one.model == model] or [
        one for one in known if "*" in one.model and fnmatchcase(model, one.model)
    ]
    outside = [place for one in own or known if (place := _place(fleet, one.backend)) is not None]
    gateway, named = printable(spec.name, _LONGEST), printable(model, _LONGEST)
    if not own and (outside or not known):  # an alias of what all stays inside stays inside, too
        return Onward("", f"the gateway {gateway} doesn't tell where it forwards {named}, so it counts as external")
    if not outside:
        return None
    places = ", ".join(sorted({place or "an unknown place" for place in outside}))[: _LONGEST * 2]
    return Onward(places, f"the gateway {gateway} forwards {named} to {places}")


def _place(fleet: FleetConfig, backend: str) -> str | None:
    """Where a backend ("provider/model at URL", either may be missing) lies; ``None`` = inside, "" = not told."""
    model, at, url = backend.rpartition(" at ")
    if not at:
        model, url = ("", backend) if "://" in backend else (backend, "")
    provider = model.partition("/")[0].casefold() if "/" in model else ""
    if provider in _OLLAMA and model.casefold().endswith(_CLOUD):
        return _ITS_CLOUD
    if url:
        return None if _boundary(fleet, url) is not Boundary.EXTERNAL else _host(url)
    return None if provider in _BESIDE_IT else printable(provider or model, _LONGEST)


def _boundary(fleet: FleetConfig, url: str) -> Boundary:
    """What the fleet file says of an endpoint at that address, else what the address tells."""
    authority = _authority(url)
    known = [spec.boundary for spec in fleet.endpoints if authority and _authority(spec.url) == authority]
    if Boundary.EXTERNAL in known:
        return Boundary.EXTERNAL
    return known[0] if known else default_boundary(url)


def _authority(url: str) -> str:
    try:
        return http_url(url).authority
    except BadValueError:
        return ""


def _host(url: str) -> str:
    try:
        return http_url(url).host
    except BadValueError:
        return ""
