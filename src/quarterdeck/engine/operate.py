"""The one way from a wish to a job: what may not be done is refused here, whoever asks."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.arguments import wrong
from quarterdeck.engine.audit import user_name
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.safety import check, deployment_of, endpoint_of
from quarterdeck.errors import UsageError
from quarterdeck.model.actions import BY_ID, Action, On
from quarterdeck.model.capability import why_not
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.job import Job, Order

HERE = "this machine"


async def submit(
    fleet: FleetConfig,
    order: Order,
    *,
    confirmed: str = "",
    read_only: bool = False,
    view: EndpointView | None = None,
    expected_bytes: int | None = None,
    folder: JobFolder | None = None,
) -> Job:
    """Make a job of ``order`` and start its worker; the job that does it already, where there is one.

    ``view``: its endpoint as last seen. ``expected_bytes``: of a download, where somebody knows. Raises Refused, UsageError, and
    QuarterdeckError where the record can't be written.
    """
    check(fleet, order, confirmed, read_only=read_only, view=view)
    job = described(fleet, order, confirmed=confirmed, view=view, expected_bytes=expected_bytes)
    return await asyncio.to_thread((folder or JobFolder()).create, job, fleet.jobs)


def described(
    fleet: FleetConfig,
    order: Order,
    *,
    confirmed: str = "",
    view: EndpointView | None = None,
    expected_bytes: int | None = None,
) -> Job:
    """The record of ``order``: where it goes, and how that was known. Raises UsageError where it can't be done."""
    action = BY_ID[order.action]
    lacking = _lacking(action, order) or wrong(action, order.options)
    if lacking:
        raise UsageError(f"{action.label.lower()} {order.about}: {lacking}")
    source = str(fleet.source.absolute()) if fleet.source is not None else None
    if action.on is On.DEPLOYMENT:
        deployment = deployment_of(fleet, order)
        if deployment is None:
            known = ", ".join(spec.name for spec in fleet.deployments[:8]) or "none"
            raise UsageError(f"no deployment is called {order.target!r}", hint=f"fleet.toml has {known}.")
        place = _machine(fleet, deployment.host)
        if deployment.kept is not None:
            source = str(deployment.kept.absolute())
        return Job("", order, place=place, user=user_name(), confirmed=confirmed, fleet=source)
    spec = endpoint_of(fleet, order.target)
    if spec is None:
        known = ", ".join(each.name for each in fleet.endpoints[:8]) or "none"
        raise UsageError(f"no endpoint is called {order.target!r}", hint=f"There are {known}.")
    engine = view.engine if view is not None and view.engine else (None if spec.engine == "auto" else spec.engine)
    if view is not None:
        reason = why_not(action, view, next((each for each in view.models if each.id == order.model), None))
        if reason:
            raise UsageError(f"{action.label.lower()} {order.about}: {reason}")
    return Job(
        "",
        order,
        place=place_of(fleet, spec),
        user=user_name(),
        confirmed=confirmed,
        fleet=source,
        url=spec.url,
        engine=engine,
        expected_bytes=expected_bytes,
    )


def place_of(fleet: FleetConfig, spec: EndpointSpec) -> str:
    """The machine an endpoint runs on, as far as is known, by one name for all that is done there. Pure."""
    if spec.host is not None:
        return _machine(fleet, spec.host)
    if spec.via is not None:
        return _machine(fleet, spec.via.removeprefix("ssh:"))
    try:
        name = urlsplit(spec.url).hostname or spec.url
    except ValueError:
        return spec.url
    return HERE if name in ("localhost", "::1") or name.startswith("127.") else name


def _machine(fleet: FleetConfig, host: str | None) -> str:
    """By the name of its [[host]], be it named by that or as ssh finds it."""
    if host is None:
        return HERE
    known = next((each for each in fleet.hosts if host in (each.name, each.ssh)), None)
    if known is None:
        return host
    return HERE if known.gpus == "local" and known.ssh is None else known.name


def _lacking(action: Action, order: Order) -> str:
    """What the action has to be told and the order doesn't say, in words; "" where it says all."""
    if action.on is On.MODEL and not order.model:
        return "of which model?"
    given = {"model": order.model, **order.options}
    missing = [each for each in action.arguments if each.required and given.get(each.name) in (None, "")]
    return f"its {missing[0].name} is missing (as in {missing[0].example})" if missing else ""
