"""Whether a download fits the disk, whether it is there already, and whether it would fit the memory."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from typing import NamedTuple

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.preflight.bounds import bounded
from quarterdeck.engine.preflight.check import BAD, OK, UNKNOWN, WARN, Check, missing
from quarterdeck.engine.preflight.facts import ModelFacts, disk_bytes, facts_of
from quarterdeck.engine.preflight.freeing import model_in
from quarterdeck.engine.preflight.loading import loading, unknown_model
from quarterdeck.engine.preflight.machine import Machine, machine_of
from quarterdeck.format import size
from quarterdeck.model.estimate import pull_needs
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.models import ModelReading
from quarterdeck.wire.body import items, mapping, parse, whole

REGISTRY = "https://registry.ollama.ai"
_WEIGHTS = "application/vnd.ollama.image.model"
_HUB = ("hf.co", "huggingface.co")
_TIGHT = 0.05
_MOST_ELSEWHERE = 3
_ASK_S = 1.1
"""Other endpoints, then the registry: so long each."""
_LOOK_S = 0.6


class Download(NamedTuple):
    """Bytes of a download, of the weights in it, and who says so."""

    bytes: int
    weights: int | None
    whose: str
    facts: ModelFacts | None = None


async def pulling(
    fleet: FleetConfig, seen: FleetSnapshot, spec: EndpointSpec, view: EndpointView, model: str
) -> list[Check]:
    """The findings of a download to ``spec``."""
    there = _same_model(view, model)
    if there is not None:
        held = disk_bytes(view.engine, there)
        about = f" ({size(held)})" if held else ""
        return [Check(OK, f"{there.label} is there already{about}: only what is newer is downloaded")]
    (download, why), (machine, free) = await asyncio.gather(
        _download(fleet, seen, view, model), _room(fleet, seen, spec)
    )
    found = []
    if download is None:
        found.append(missing(f"how large it is: {why}"))
    found.append(disk(download, free, machine.name))
    if download is not None:
        facts = download.facts or replace(unknown_model(), file_bytes=download.weights or download.bytes)
        found += [_when_loaded(each) for each in loading(view, None, facts, machine, None)]
    return found


def disk(download: Download | None, free: int | None, where: str) -> Check:
    """Whether it fits. Pure."""
    if free is None:
        needs = f"needs {size(download.bytes)} of disk ({download.whose}); " if download else ""
        return Check(UNKNOWN, f"{needs}not known: how much disk is free on {where}")
    if download is None:
        return Check(UNKNOWN, f"{size(free)} of disk are free on {where}; not known whether that is enough")
    short = pull_needs(download.bytes, free)
    if short:
        return Check(BAD, f"the disk of {where} is too full: {short} ({download.whose})")
    text = f"needs {size(download.bytes)} of disk ({download.whose}), {size(free)} are free on {where}"
    return Check(WARN if free - download.bytes < _TIGHT * free else OK, text)


def _when_loaded(check: Check) -> Check:
    """Downloading is possible all the same."""
    return Check(WARN if check.level == BAD else check.level, f"when it is loaded: {check.text}")


def _same_model(view: EndpointView, model: str) -> ModelReading | None:
    from quarterdeck.endpoints.acting.names import same

    if view.engine != "ollama":
        return model_in(view, model)
    return next((each for each in view.models if same(each.id, model)), None)


async def _room(fleet: FleetConfig, seen: FleetSnapshot, spec: EndpointSpec) -> tuple[Machine, int | None]:
    """The machine, and the bytes free on its disk."""
    machine = await machine_of(fleet, seen, spec)
    if machine.here:
        looked, _ = await bounded(asyncio.to_thread(_free_here), _LOOK_S)
        if looked is not None:
            return machine, looked
    return machine, machine.disk_free


def _free_here() -> int | None:
    """For those who aren't root, which is less than what isn't used."""
    from quarterdeck.hosts.disk import models_folder

    try:
        return shutil.disk_usage(models_folder(os.environ)).free
    except OSError:
        return None


async def _download(
    fleet: FleetConfig, seen: FleetSnapshot, view: EndpointView, model: str
) -> tuple[Download | None, str]:
    """As another endpoint of the fleet has it, else by the registry it would come from; else why nobody can tell."""
    if view.engine == "ollama":
        other, _ = await bounded(_elsewhere(fleet, seen, view, model), _ASK_S)
        if other is not None:
            return other, ""
    if view.engine not in ("ollama", "llamacpp"):
        return None, f"{view.engine or 'the server'} tells it only when the download runs"
    found, why = await bounded(_by_registry(model, view.engine), _ASK_S)
    return found, why or "the registry has no such model"


async def _elsewhere(fleet: FleetConfig, seen: FleetSnapshot, view: EndpointView, model: str) -> Download | None:
    having = [
        (spec, each, found)
        for each in seen.endpoints
        if each.engine == "ollama" and each.name != view.name and (found := _same_model(each, model)) is not None
        for spec in fleet.endpoints
        if spec.name == each.name
    ]
    for spec, each, found in having[:_MOST_ELSEWHERE]:
        facts, _ = await bounded(facts_of(spec, "ollama", found.id, found), 0.5)
        held = facts.file_bytes if facts is not None else disk_bytes("ollama", found)
        if held:
            return Download(held, None, f"as {each.name} has it", facts)
    return None


async def _by_registry(model: str, engine: str) -> Download | None:
    from quarterdeck.endpoints.acting.names import name_of
    from quarterdeck.endpoints.acting.registry import manifest_of

    name = name_of(model)
    if name is None:
        return None
    if name.host in _HUB or engine == "llamacpp":
        name = name._replace(host=_HUB[1])
    body = await manifest_of(name, REGISTRY)
    if body is None:
        return None
    return manifest(body, "by its registry")


def manifest(body: bytes, whose: str) -> Download | None:
    """The sizes in a manifest: its layers and its configuration; ``None`` where it tells none. Pure."""
    told = mapping(parse(body))
    layers = [*map(mapping, items(told.get("layers"))), mapping(told.get("config"))]
    total = sum(whole(each.get("size")) or 0 for each in layers)
    weights = sum(whole(each.get("size")) or 0 for each in layers if each.get("mediaType") == _WEIGHTS)
    return Download(total, weights or None, whose) if 0 < total < 2**62 else None
