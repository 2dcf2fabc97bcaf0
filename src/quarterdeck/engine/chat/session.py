"""One sitting with prompts: which endpoints it holds, and to which external ones somebody agreed to send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
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
    """… and files (resolved paths) that may go to one: (endpoint, path)."""

    def hold(self, specs: Iterable[EndpointSpec]) -> None:
        """These are columns of the session."""
        self.held.update({spec.name: spec.boundary for spec in specs})

    def verdict(self, fleet: FleetConfig, spec: EndpointSpec, files: Iterable[str] = ()) -> Verdict:
        """Whether a prompt with these files may go to ``spec``: ALLOW, NEVER, or ASK where nobody has agreed yet."""
        if fleet.console.read_only:
            return Verdict(Rule.NEVER, "the fleet file says read_only: a request costs the server work")
        named = tuple(files)
        mixed = any(boundary is not Boundary.EXTERNAL for boundary in self.held.values())
        found = crossing(fleet.policy, spec.boundary, mixed=mixed, files=named)
        if found.rule is not Rule.ASK or spec.name not in self.agreed:
            return found
        asked = [path for path in named if self._asks(fleet, path) and (spec.name, path) not in self.agreed_files]
        return found if asked else Verdict(Rule.ALLOW, "somebody agreed")

    def agree(self, name: str, files: Iterable[str] = ()) -> None:
        """Somebody said yes to sending to this endpoint, and these files."""
        self.agreed.add(name)
        self.agreed_files.update((name, path) for path in files)

    def _asks(self, fleet: FleetConfig, path: str) -> bool:
        found = crossing(fleet.policy, Boundary.EXTERNAL, mixed=False, files=(path,))
        return found.rule is Rule.ASK


def specs_by_name(fleet: FleetConfig) -> Mapping[str, EndpointSpec]:
    """The endpoints of a fleet."""
    return {spec.name: spec for spec in fleet.endpoints}
