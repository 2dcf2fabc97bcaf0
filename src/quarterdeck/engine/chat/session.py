"""One sitting with prompts: which endpoints it holds, and to which external ones somebody agreed to send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.chat.guarding import aliases
from quarterdeck.engine.chat.onward import Onward
from quarterdeck.model.chat.boundary import Rule, Verdict, crossing
from quarterdeck.model.fleet import Boundary


@dataclass(slots=True)
class Session:
    """Lives as long as the console, or one run of `quarterdeck compare`. Nothing of it is written anywhere."""

    held: dict[str, Boundary] = field(default_factory=dict)
    """Every endpoint that was a column of it, so far."""
    agreed: set[str] = field(default_factory=set)
    """External endpoints that somebody said yes to …"""
    agreed_files: set[tuple[str, str]] = field(default_factory=set)
    """… files (resolved paths) that may go to one: (endpoint, path) …"""
    agreed_places: set[tuple[str, str]] = field(default_factory=set)
    """… and where one may forward prompts to: (endpoint, place)."""
    asked_places: dict[str, set[str]] = field(default_factory=dict)
    """By endpoint, what a yes that comes now would be about."""

    def hold(self, specs: Iterable[EndpointSpec]) -> None:
        """These are columns of the session."""
        self.held.update({spec.name: spec.boundary for spec in specs})

    def verdict(
        self, fleet: FleetConfig, spec: EndpointSpec, files: Iterable[str] = (), onward: Iterable[Onward] = ()
    ) -> Verdict:
        """Whether a prompt with these files may go to ``spec``: ALLOW, NEVER, or ASK where nobody has agreed yet.

        ``onward``: where it would go on to behind the endpoint; that makes it external. Blocks where there are files.
        """
        if fleet.console.read_only:
            return Verdict(Rule.NEVER, "the fleet file says read_only: a request costs the server work")
        named, beyond = tuple(files), tuple(onward)
        mixed = any(boundary is not Boundary.EXTERNAL for boundary in self.held.values())
        boundary = Boundary.EXTERNAL if beyond else spec.boundary
        found = _explained(_crossing(fleet, boundary, mixed=mixed, files=named), beyond)
        if found.rule is not Rule.ASK or self._agreed(fleet, spec.name, named, beyond):
            return found if found.rule is not Rule.ASK else Verdict(Rule.ALLOW, "somebody agreed")
        self.asked_places.setdefault(spec.name, set()).update(one.place for one in beyond)
        return found

    def _agreed(self, fleet: FleetConfig, name: str, files: Iterable[str], beyond: Iterable[Onward]) -> bool:
        """Whether somebody said yes to the endpoint, to each file that needs it, and to every place behind it."""
        return (
            name in self.agreed
            and all((name, one.place) in self.agreed_places for one in beyond)
            and not any(self._asks(fleet, path) and (name, path) not in self.agreed_files for path in files)
        )

    def agree(self, name: str, files: Iterable[str] = ()) -> None:
        """Somebody said yes to sending to this endpoint, these files, and to where it forwards what was asked about."""
        self.agreed.add(name)
        self.agreed_files.update((name, path) for path in files)
        self.agreed_places.update((name, place) for place in self.asked_places.pop(name, ()))

    def _asks(self, fleet: FleetConfig, path: str) -> bool:
        return _crossing(fleet, Boundary.EXTERNAL, mixed=False, files=(path,)).rule is Rule.ASK


def _crossing(fleet: FleetConfig, boundary: Boundary, *, mixed: bool, files: Iterable[str]) -> Verdict:
    """With every name that a file has below the folders of the policy."""
    globs = [glob for glob, _ in fleet.policy.paths]
    if globs and boundary is Boundary.EXTERNAL:
        files = [alias for path in files for alias in aliases(globs, path)]
    return crossing(fleet.policy, boundary, mixed=mixed, files=files)


def _explained(verdict: Verdict, beyond: Iterable[Onward]) -> Verdict:
    """With the words for what is external behind an endpoint that isn't."""
    reasons = "; ".join(dict.fromkeys(one.reason for one in beyond))
    return verdict if not reasons else Verdict(verdict.rule, f"{reasons}; {verdict.reason}".removesuffix("; "))


def specs_by_name(fleet: FleetConfig) -> Mapping[str, EndpointSpec]:
    """The endpoints of a fleet."""
    return {spec.name: spec for spec in fleet.endpoints}
