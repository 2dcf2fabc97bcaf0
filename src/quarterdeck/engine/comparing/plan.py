"""Which case is put to which model how often, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.model.cases.case import Case, digest
from quarterdeck.model.cases.result import Pair, Target
from quarterdeck.model.chat.request import ChatRequest, Sampling
from quarterdeck.model.fleet import Boundary

MOST_PAIRS = 100_000
MOST_REPEATS = 100


class Order(StrEnum):
    """What runs at the same time."""

    BY_HOST = "one at a time on each machine"
    SERIAL = "one after another"
    PARALLEL = "all at the same time"


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be asked."""

    cases: tuple[Case, ...]
    targets: tuple[Target, ...]
    sampling: Sampling
    repeat: int
    salt: str
    pairs: tuple[Pair, ...]

    def request(self, pair: Pair) -> ChatRequest:
        """What is sent for a pair."""
        return ChatRequest(self.targets[pair.target].model, self.cases[pair.case].messages, self.sampling)


def plan(cases: Sequence[Case], targets: Sequence[Target], sampling: Sampling, repeat: int, salt: str) -> Plan:
    """Every case with every model ``repeat`` times. The same in, the same ids out."""
    settings = digest(asdict(sampling), salt)
    pairs = []
    hashes = [case.digest(salt) for case in cases]
    for place, target in enumerate(targets):
        for number, case in enumerate(hashes):
            for time in range(repeat):
                identity = digest([case, settings, target.endpoint, target.model, time], salt)
                pairs.append(Pair(identity, number, place, time))
    return Plan(tuple(cases), tuple(targets), sampling, repeat, salt, tuple(pairs))


def fingerprint(made: Plan) -> dict[str, Any]:
    """What must be the same when a run goes on: hashes of the texts, and the settings as they are."""
    sampling = asdict(made.sampling)
    sampling["schema"] = None if made.sampling.schema is None else digest(made.sampling.schema, made.salt)
    return {
        "cases": digest([case.digest(made.salt) for case in made.cases], made.salt),
        "models": [list(target) for target in made.targets],
        "sampling": sampling,
        "repeat": made.repeat,
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In words, what is not as it was; [] where a run may go on."""
    found = []
    if before.get("cases") != now["cases"]:
        found.append("the cases (or --system, or the prompt) are not the same")
    if before.get("models") != now["models"]:
        old = ", ".join(Target(*each).label for each in before.get("models") or [])
        found.append(f"the models are not the same (they were {old})")
    if before.get("repeat") != now["repeat"]:
        found.append(f"--repeat was {before.get('repeat')}")
    earlier = before.get("sampling") or {}
    for name, value in now["sampling"].items():
        if earlier.get(name) != value and name == "schema":
            found.append("--schema is not the same")
        elif earlier.get(name) != value:
            was = earlier.get(name)
            found.append(f"{name} was {'not set' if was is None else was}")
    return found


def machine(spec: EndpointSpec) -> str | None:
    """Where an endpoint runs, as far as it is known: its ``host``, else the machine in its URL; ``None`` for other people's."""
    if spec.host is not None:
        return spec.host
    if spec.boundary is Boundary.EXTERNAL:
        return None
    name = urlsplit(spec.url).hostname or ""
    if spec.via is not None:
        return f"{spec.via} {name}"
    return "this machine" if spec.boundary is Boundary.LOCAL else name


def groups(made: Plan, specs: Mapping[str, EndpointSpec], order: Order) -> list[list[int]]:
    """Targets (their places) that run one after another; the groups run at the same time."""
    places = range(len(made.targets))
    if order is Order.SERIAL:
        return [list(places)]
    if order is Order.PARALLEL:
        return [[place] for place in places]
    found: dict[str, list[int]] = {}
    for place in places:
        spec = specs[made.targets[place].endpoint]
        found.setdefault(machine(spec) or f"endpoint {spec.name}", []).append(place)
    return list(found.values())


def said(made: Plan, specs: Mapping[str, EndpointSpec], order: Order) -> str:
    """In words, where models share a machine; "" where none do, or all is asked one after another anyway."""
    shared: dict[str, list[str]] = {}
    for target in made.targets:
        name = machine(specs[target.endpoint])
        if name is not None:
            shared.setdefault(name, []).append(target.label)
    told = [f"{' and '.join(labels)} run on {name}" for name, labels in sorted(shared.items()) if len(labels) > 1]
    if not told or order is Order.SERIAL:
        return ""
    if order is Order.PARALLEL:
        return f"{'; '.join(told)}: at the same time they slow each other down, --serial is fairer"
    return f"{'; '.join(told)}: asked one after another there (--parallel asks them at the same time)"
