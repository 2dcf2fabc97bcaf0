"""The step from hosts and endpoints to whose GPU memory it is. Remembered, so that what didn't change stays the same object."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.model.holdings import Claim
    from quarterdeck.model.host import HostView


class Ownership:
    """Tells every GPU process whose it is, host by host. Imports the matching when the first process is seen."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._asked: tuple[tuple[HostView, ...], tuple[EndpointView, ...]] = ((), ())
        self._answer: tuple[HostView, ...] = ()
        self._hosts: dict[str, tuple[HostView, tuple[Claim, ...], HostView]] = {}

    def owned(self, hosts: tuple[HostView, ...], endpoints: tuple[EndpointView, ...]) -> tuple[HostView, ...]:
        """``hosts`` with `GpuProcess.holder`, ``endpoint`` and ``model`` filled in. Rows are the same objects while the host is
        and nothing in the endpoints moved that matters here; so is the tuple.
        """
        if self._asked[0] is hosts and self._asked[1] is endpoints:
            return self._answer
        self._asked = (hosts, endpoints)
        answer = tuple(self._one(host, endpoints) for host in hosts)
        if len(answer) != len(self._answer) or any(
            new is not old for new, old in zip(answer, self._answer, strict=True)
        ):
            self._answer = hosts if all(new is old for new, old in zip(answer, hosts, strict=True)) else answer
        return self._answer

    def _one(self, host: HostView, endpoints: tuple[EndpointView, ...]) -> HostView:
        if not any(gpu.processes for gpu in host.gpus):
            return host
        from quarterdeck.model.holdings import claims, held

        known = claims(host, endpoints)
        before = self._hosts.get(host.name)
        if before is not None and before[0] is host and before[1] == known:
            return before[2]
        answer = held(host, known)
        self._hosts[host.name] = (host, known, answer)
        return answer
