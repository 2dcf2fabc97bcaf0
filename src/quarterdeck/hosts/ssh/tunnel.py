"""The way to a server that listens where only another machine reaches it: a socket here, forwarded over ssh."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from quarterdeck.hosts.ssh.pool import SshPool
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

_HUNG_UP = ("connection ", "TLS: connection ")
_LAST_WORDS_S = 0.2


class Tunnel:
    """One endpoint's tunnel. Opened at the first poll, and again on every new connection."""

    def __init__(self, pool: SshPool, destination: str, url: str, monotonic: Callable[[], float]) -> None:
        """``url``: the endpoint's; its host and port are looked for from ``destination``."""
        parts = urlsplit(url)
        self._pool = pool
        self._connection = pool.take(destination)
        self._monotonic = monotonic
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._generation = -1
        self._path = ""
        self._asked_at = float("-inf")

    async def ready(self) -> str:
        """The path of the socket to connect to. Raises Failure with ssh's words."""
        await self._connection.ready()
        if self._generation != self._connection.generation:
            generation = self._connection.generation
            self._path = str(await self._connection.forward(self._host, self._port))
            self._generation = generation
        self._asked_at = self._monotonic()
        return self._path

    async def explained(self, failure: Failure) -> Failure:
        """``failure`` of a request through it: a server that isn't there looks like one that hangs up on us.

        What ssh has to say of that comes a moment later; it is waited for, but not long.
        """
        where = self._connection.destination
        if not self._connection.up:
            known = failure.reason.startswith("ssh ")
            return failure if known else Failure(Outcome.FAILED, f"ssh {where}: still connecting")
        if failure.status is not None or not failure.reason.startswith(_HUNG_UP):
            return failure
        refusal = await self._connection.refusal_since(self._asked_at, _LAST_WORDS_S)
        if refusal is None:
            return failure
        outcome = Outcome.REFUSED if "refused" in refusal.lower() else Outcome.FAILED
        return Failure(outcome, f"{refusal[:1].lower()}{refusal[1:]} on {where} (through ssh)")

    async def close(self) -> None:
        """Let go of the connection."""
        await self._pool.leave(self._connection)
