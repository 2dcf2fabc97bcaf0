"""Opens what an engine polls. What goes to one machine by ssh, readings and tunnels alike, shares one connection.

Importing this imports neither HTTP nor ssh: that happens when the first endpoint or host is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.engine.clock import Clock

if TYPE_CHECKING:
    from quarterdeck.endpoints.endpoint import Endpoint
    from quarterdeck.hosts.base import Host
    from quarterdeck.hosts.ssh.pool import SshPool
    from quarterdeck.hosts.ssh.tunnel import Tunnel


class Opening:
    """The usual ways to open an endpoint and a host."""

    def __init__(self) -> None:
        """Opens nothing."""
        self._pool: SshPool | None = None

    def endpoint(self, spec: EndpointSpec, clock: Clock) -> Endpoint:
        """The endpoint for ``spec``. Sends nothing yet."""
        from quarterdeck.endpoints.endpoint import Endpoint

        tunnel = self.tunnel(spec, clock)
        local = None
        if spec.engine in ("auto", "ollama") and tunnel is None:  # at the end of a tunnel is another machine
            from quarterdeck.hosts.ollama.local import open_local

            local = open_local(spec, clock.monotonic, clock.wall)
        return Endpoint(spec, monotonic=clock.monotonic, wall=clock.wall, local=local, tunnel=tunnel)

    def host(self, spec: HostSpec, clock: Clock) -> Host:
        """The host for ``spec``. Reads nothing yet."""
        from quarterdeck.hosts.open import open_host

        pool = self._shared(clock) if spec.gpus == "ssh" else None
        return open_host(spec, clock.monotonic, pool)

    def tunnel(self, spec: EndpointSpec, clock: Clock) -> Tunnel | None:
        """The tunnel that ``spec.via`` names, not yet open; ``None`` for an endpoint that is reached without one."""
        if spec.via is None:
            return None
        from quarterdeck.hosts.ssh.tunnel import Tunnel

        return Tunnel(self._shared(clock), spec.via.removeprefix("ssh:"), spec.url, clock.monotonic)

    def _shared(self, clock: Clock) -> SshPool:
        if self._pool is None:
            from quarterdeck.hosts.ssh.pool import SshPool

            self._pool = SshPool(clock.monotonic)
        return self._pool
