"""What changes something: asked about, agreed to, and handed on as a job, by the same rules as everywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quarterdeck.engine.operate import submit
from quarterdeck.engine.safety import NAME, NOTHING, Asking, Refused, asks
from quarterdeck.engine.wishes import Wanted, orders
from quarterdeck.errors import UsageError
from quarterdeck.model.actions import Action, On
from quarterdeck.model.fleet import Boundary, FleetSnapshot
from quarterdeck.reader import jobs
from quarterdeck.reader.speech import name, sentence, spoken
from quarterdeck.reader.typed import Typed, typed

if TYPE_CHECKING:
    from quarterdeck.reader.here import Here


async def act(here: Here, action: Action, words: Sequence[str]) -> None:
    """Do what ``words`` say, after the questions it needs. Raises QuarterdeckError."""
    said = typed(action, words)
    if here.problems:
        raise Refused("nothing is changed while the fleet file is wrong", hint=spoken(here.problems[0]))
    fleet = here.engine.fleet
    wanted = await _wanted(here, said)
    asked = [asks(fleet, each.order, view=each.view, read_only=False) for each in wanted]
    if said.dry_run:
        await _dry_run(here, wanted, asked)
        return
    agreed: list[str] = []
    for each, asking in zip(wanted, asked, strict=True):
        agreed.append(await _agreed(here, action, each, asking, said))
    for each, how in zip(wanted, agreed, strict=True):
        known = {job.id for job in here.snapshot.jobs}
        job = await submit(fleet, each.order, confirmed=how, view=each.view)
        here.own.add(job.id)
        goes = "goes on already" if job.id in known else "has begun"
        await here.voice.say([f"{jobs.called(job)} {goes}."])


async def _wanted(here: Here, said: Typed) -> list[Wanted]:
    """What is meant. A model that nobody knows may be new (a job has just pulled it): then is looked again. Raises UsageError."""
    fleet, seen = here.engine.fleet, here.engine.snapshot()
    try:
        return orders(said.wish, fleet, seen)
    except UsageError:
        known = {each for view in seen.endpoints for model in view.models for each in (model.id, model.label)}
        missing = [each for each in said.wish.models if not {each, f"{each}:latest"} & known]
        if said.wish.action.on is not On.MODEL or not missing:
            raise
        with contextlib.suppress(UsageError):
            return orders(said.wish, fleet, await _fresh(here, said.wish.on))
        raise


async def _fresh(here: Here, names: Sequence[str]) -> FleetSnapshot:
    """The endpoints (all that are not external, where none is named) as a new engine finds them: lists of models are polled seldom."""
    from quarterdeck.engine.engine import Engine

    specs = here.engine.fleet.endpoints
    engine = Engine(here.engine.fleet)
    try:
        await engine.once(names or [spec.name for spec in specs if spec.boundary is not Boundary.EXTERNAL])
        return engine.snapshot()
    finally:
        await engine.stop()


async def _agreed(here: Here, action: Action, wanted: Wanted, asking: Asking, said: Typed) -> str:
    """How it is agreed to: "", "yes", or the typed name. Raises Refused."""
    doing = f"{action.label} {name(wanted.order.about, 160)}"
    if asking.refused:
        raise Refused(f"{doing}: {spoken(asking.refused)}")
    if asking.needs == NOTHING:
        return ""
    impact = [sentence(spoken(line[:1].upper() + line[1:])) for line in asking.impact]
    if asking.needs == NAME:
        return await _named(here, doing, asking, impact, said)
    if said.yes:
        return "yes"
    await here.voice.say(impact)
    if await here.agrees(f"{doing}?"):
        return "yes"
    raise Refused("nothing was done")


async def _named(here: Here, doing: str, asking: Asking, impact: Sequence[str], said: Typed) -> str:
    """What is protected has its name typed."""
    if asking.name in said.confirm:
        return asking.name
    await here.voice.say(impact)
    what = f"{name(asking.name)} is protected. Type its name to {doing[:1].lower()}{doing[1:]}:"
    if not said.confirm and await here.answer(what) == asking.name:
        return asking.name
    raise Refused(f"{name(asking.name)} is protected: nothing was done")


async def _dry_run(here: Here, wanted: Sequence[Wanted], asked: Sequence[Asking]) -> None:
    from quarterdeck.engine.preflight import preflight
    from quarterdeck.model.actions import BY_ID

    for each, asking in zip(wanted, asked, strict=True):
        checks = await preflight(here.engine.fleet, here.engine.snapshot(), each.order)
        verdict = (
            f"refused: {spoken(asking.refused)}" if asking.refused else _WOULD.get(asking.needs, "would ask first")
        )
        head = f"{BY_ID[each.order.action].label} {name(each.order.about, 160)} {verdict}"
        lines = [*asking.impact, *(check.text for check in checks)]
        await here.voice.say([sentence(head), *(sentence(spoken(line)) for line in lines)])


_WOULD = {NOTHING: "would be done at once", NAME: "would ask for the name of what is protected"}
