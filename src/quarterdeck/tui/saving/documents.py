"""The data behind the views: what the command line prints as JSON, of the snapshot that is seen."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quarterdeck.report.values import timestamp

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView, FleetSnapshot
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.gpus.scene import Entry


def dumped(document: object) -> str:
    """As text: two spaces, no NaN (what is unknown is null)."""
    return json.dumps(_clean(document), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _clean(value: object) -> object:
    """What JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # half surrogates can't be written
    return value if value is None or isinstance(value, bool | int) else str(value)


def of_fleet(app: ConsoleApp) -> dict[str, Any]:
    """As `quarterdeck status --json`."""
    return _status(app, app.fleet)


def of_endpoint(app: ConsoleApp, view: EndpointView) -> dict[str, Any]:
    """The same, of one endpoint and the machine it runs on."""
    hosts = tuple(host for host in app.fleet.hosts if host.name == view.host)
    return _status(app, replace(app.fleet, endpoints=(view,), hosts=hosts))


def _status(app: ConsoleApp, snapshot: FleetSnapshot) -> dict[str, Any]:
    from quarterdeck.model.verdict import judged
    from quarterdeck.report.json import document

    return document(snapshot, judged(snapshot, app.watched.limits))


def _begun(app: ConsoleApp) -> dict[str, Any]:
    from quarterdeck.report.json import SCHEMA_VERSION

    return {"schema_version": SCHEMA_VERSION, "time": timestamp(app.fleet.time)}


def of_hosts(app: ConsoleApp, only: Entry | None = None) -> dict[str, Any]:
    """The machines as in `quarterdeck status --json`; of one GPU, its machine with it alone."""
    from quarterdeck.report.json_host import host

    hosts = app.fleet.hosts if only is None else (replace(only.host, gpus=(only.gpu,)),)
    return {**_begun(app), "hosts": [host(app.fleet, each) for each in hosts]}


def of_models(app: ConsoleApp) -> dict[str, Any]:
    """Every model as in `quarterdeck status --json`, with the endpoint that has it."""
    return {**_begun(app), "models": [row for view in app.fleet.endpoints for row in _models(app, view)]}


def _models(app: ConsoleApp, view: EndpointView) -> list[dict[str, Any]]:
    from quarterdeck.report.json_endpoint import endpoint

    document = endpoint(app.fleet, view)
    about = {"endpoint": view.name, "engine": view.engine, "endpoint_state": document["state"]}
    return [{**about, **model} for model in document["models"]]


def of_model(app: ConsoleApp, name: str, model: str, told: Mapping[str, object] | None) -> dict[str, Any]:
    """What the polls tell of a model, and what its server told when it was asked."""
    views = [view for view in app.fleet.endpoints if view.name == name]
    known = [row for view in views for row in _models(app, view) if row["id"] == model]
    return {**_begun(app), "endpoint": name, "model": model, "known": known[0] if known else None, "told": told}


def of_alerts(app: ConsoleApp) -> dict[str, Any]:
    """As `quarterdeck alerts --json`, with what happened."""
    from quarterdeck.report.alerts import document
    from quarterdeck.report.events import document as event

    alerts, unix = app.fleet.alerts, app.moment[1]
    opened, over = [each for each in alerts if each.open], [each for each in alerts if not each.open]
    return document(opened, over, unix, events=[event(each) for each in app.fleet.happenings])


def of_jobs(app: ConsoleApp) -> list[dict[str, object]]:
    """As `quarterdeck jobs --json`."""
    from quarterdeck.report.jobs import document

    return [document(job) for job in app.fleet.jobs]
