"""Whether an order may be carried out. Every way to one goes through here, and the worker that carries it out looks again."""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import size
from quarterdeck.model.actions import BY_ID, Action, Danger, On
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.job import Order
from quarterdeck.model.models import ModelReading, ModelState

NOTHING, YES, NAME = "nothing", "yes", "name"
_ENDS_REQUESTS = ("stop", "restart", "sleep", "unload", "unload_all", "delete")


class Refused(QuarterdeckError):  # noqa: N818  (it is an answer)
    """What is asked for is forbidden here, or nobody agreed to it."""

    exit_code = 3


class Asking(NamedTuple):
    """What must be asked before an order is carried out."""

    refused: str = ""
    """Why it can't be, in words."""
    needs: str = NOTHING
    """ "nothing", "yes", or "name": the name of what is protected has to be typed."""
    name: str = ""
    impact: tuple[str, ...] = ()
    """What it would disturb or destroy, a sentence each."""


def asks(fleet: FleetConfig, order: Order, *, view: EndpointView | None, read_only: bool) -> Asking:
    """What ``order`` needs. ``view`` is its endpoint as last seen; ``read_only`` that of the console or command line. Pure.

    What is protected has its name typed before anything at all is done to it, a pull or a wake-up included.
    """
    action = BY_ID.get(order.action)
    if action is None:
        return Asking(f"there is no action {order.action!r}")
    if read_only or fleet.console.read_only:
        return Asking("read-only: nothing may be changed from here")
    told = impact(action, order, view)
    if is_protected(fleet, order, view):
        return Asking(needs=NAME, name=order.target, impact=told)
    if action.danger is Danger.DESTROYS or (action.danger is Danger.DISTURBS and told):
        return Asking(needs=YES, impact=told)
    return Asking(impact=told)


def check(
    fleet: FleetConfig, order: Order, confirmed: str, *, read_only: bool = False, view: EndpointView | None = None
) -> None:
    """Raise Refused unless ``order`` may be carried out as it was ``confirmed`` ("", "yes", or the typed name)."""
    asking = asks(fleet, order, view=view, read_only=read_only)
    if asking.refused:
        raise Refused(asking.refused)
    if asking.needs == NAME and confirmed != asking.name:
        raise Refused(f"{asking.name} is protected", hint="Its name has to be typed first.")
    if asking.needs == YES and confirmed not in ("yes", order.target):
        raise Refused(f"{order.action.replace('_', ' ')} {order.about} has to be agreed to first")


def is_protected(fleet: FleetConfig, order: Order, view: EndpointView | None) -> bool:
    """Whether the target, the endpoint that it becomes, or the host that either is on, is protected."""
    deployment = deployment_of(fleet, order)
    name = deployment.endpoint if deployment is not None else order.target
    endpoint = endpoint_of(fleet, name)
    hosts = {endpoint.host if endpoint else None, deployment.host if deployment else None}
    return (
        (view is not None and view.protected)
        or (endpoint is not None and endpoint.protected)
        or (deployment is not None and deployment.protected)
        or any(host.protected for host in fleet.hosts if host.name in hosts or (host.ssh and host.ssh in hosts))
    )


def endpoint_of(fleet: FleetConfig, name: str) -> EndpointSpec | None:
    """The endpoint of that name."""
    return next((spec for spec in fleet.endpoints if spec.name == name), None)


def deployment_of(fleet: FleetConfig, order: Order) -> DeploymentSpec | None:
    """The deployment that an order is for; ``None`` where it is for an endpoint, or there is none of that name."""
    action = BY_ID.get(order.action)
    if action is None or action.on is not On.DEPLOYMENT:
        return None
    return next((spec for spec in fleet.deployments if spec.name == order.target), None)


def impact(action: Action, order: Order, view: EndpointView | None) -> tuple[str, ...]:
    """What the action would disturb or destroy, a sentence each; () = nothing that is known of. Pure."""
    model = _model(order, view)
    told = _requests(action, view)
    if action.id == "delete":
        on_disk = (
            model is not None and model.state is ModelState.INSTALLED
        )  # loaded, its size is what it takes in memory
        known = model.size_bytes if model is not None and on_disk else None
        told.append(f"deletes {size(known)} from its disk" if known is not None else "deletes it from its disk")
        if model is not None and model.state is ModelState.LOADED:
            told.append("it is in memory now")
    if action.id == "unload_all" and view is not None:
        told.append(_leaving([each.size_bytes for each in view.models if each.state is ModelState.LOADED]))
    if action.id == "rename":
        told.append(f"requests that name it {order.model} will fail")
    if action.id == "lora_unload":
        told.append(f"requests that name it {order.options.get('name', '')} will fail")
    if action.id == "reset_prefix_cache":
        told.append("every cached prompt is forgotten; the next ones take longer")
    if action.id == "sleep":
        told.append("requests wait or fail until it is woken")
    return tuple(told)


def _requests(action: Action, view: EndpointView | None) -> list[str]:
    """The requests that would be cut off or made to wait."""
    if action.id not in _ENDS_REQUESTS or view is None or view.state is None or not view.state.answers:
        return []
    if view.running is None:
        return ["how many requests are running is not known"] if action.id in ("stop", "restart", "sleep") else []
    about = "~" if "running" in view.estimates else ""
    told = []
    if view.running:
        told.append(f"{about}{view.running} request{'s are' if view.running != 1 else ' is'} running")
    if view.waiting:
        told.append(f"{view.waiting} {'are' if view.waiting != 1 else 'is'} waiting")
    return told


def _leaving(sizes: list[int | None]) -> str:
    """ "2 models leave memory: 41 GiB", as far as is known."""
    known = [each for each in sizes if each is not None]
    about = "" if len(known) == len(sizes) else "at least "
    held = f": {about}{size(sum(known))}" if known else ""
    return f"{len(sizes)} model{'s leave' if len(sizes) != 1 else ' leaves'} memory{held}"


def _model(order: Order, view: EndpointView | None) -> ModelReading | None:
    models = view.models if view is not None else ()
    return next((model for model in models if model.id == order.model), None)
