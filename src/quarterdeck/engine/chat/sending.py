"""One prompt to one model: the only way a prompt leaves. The policy is asked here, whoever sends (pane, cases, command line)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from quarterdeck.engine.chat.circumstances import circumstances
from quarterdeck.engine.chat.onward import onward_of
from quarterdeck.engine.chat.pricing import priced
from quarterdeck.engine.chat.session import Session
from quarterdeck.model.chat.answer import Answer, Ending, Piece
from quarterdeck.model.chat.boundary import Rule
from quarterdeck.model.chat.fairness import remarks
from quarterdeck.model.own import OwnRequest

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec, FleetConfig
    from quarterdeck.endpoints.base import Tunnel
    from quarterdeck.engine.clock import Clock
    from quarterdeck.model.chat.request import ChatRequest
    from quarterdeck.model.fleet import FleetSnapshot

OnPiece = Callable[[Piece], None]


class Opens(Protocol):
    """What opens the way to an endpoint (`quarterdeck.engine.opening.Opening`)."""

    def tunnel(self, spec: EndpointSpec, clock: Clock) -> Tunnel | None:
        """The ssh tunnel it is reached through, if any."""
        ...


class Desk(Protocol):
    """What sending needs of the engine."""

    fleet: FleetConfig
    clock: Clock

    @property
    def opening(self) -> Opens:
        """Opens tunnels."""
        ...

    def snapshot(self) -> FleetSnapshot:
        """How everything is now."""
        ...

    def note_own(self, name: str, request: OwnRequest) -> None:
        """Take in the timing of a request of ours."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be asked of whom."""

    endpoint: str
    request: ChatRequest
    files: tuple[str, ...] = ()
    """Resolved absolute paths of the files whose text or pictures are in the request."""
    first_token_s: float | None = None
    """Longest wait for the first token; ``None`` = as `[chat]` says."""


class Exchange:
    """One wish being carried out. ``answer`` is there from the beginning, and grows."""

    def __init__(self, desk: Desk, session: Session, wish: Wish) -> None:
        """Sends nothing yet."""
        self._desk = desk
        self._session = session
        self.wish = wish
        self.answer = Answer(wish.endpoint, wish.request.model, sent_at=desk.clock.monotonic())

    async def run(self, on_piece: OnPiece | None = None) -> Answer:
        """Send it, and take the answer in; ``on_piece`` hears of every piece once it is taken. Raises nothing but CancelledError.

        Cancelled, it keeps what came and closes the connection, which ends the work on the server.
        """
        answer, clock = self.answer, self._desk.clock
        try:
            spec = self._permitted()
            if spec is not None:
                await self._stream(spec, on_piece)
        except asyncio.CancelledError:
            answer.end(Ending.CANCELLED, clock.monotonic(), "cancelled")
            raise
        finally:
            answer.end(Ending.FAILED, clock.monotonic(), "it ended in an unforeseen way")
            self._conclude()
        return answer

    def _permitted(self) -> EndpointSpec | None:
        """The endpoint, where the prompt may go there; else the answer says why not."""
        desk, now = self._desk, self._desk.clock.monotonic()
        spec = next((spec for spec in desk.fleet.endpoints if spec.name == self.wish.endpoint), None)
        if spec is None:
            self.answer.end(Ending.FAILED, now, f"no endpoint is called {self.wish.endpoint}")
            return None
        self._session.hold((spec,))
        beyond = onward_of(desk.fleet, desk.snapshot(), spec.name, self.wish.request.model)
        verdict = self._session.verdict(desk.fleet, spec, self.wish.files, (beyond,) if beyond is not None else ())
        if verdict.rule is Rule.ALLOW:
            if beyond is not None:
                self.answer.notes.append(f"it left: {beyond.reason}")
            return spec
        why = verdict.reason if verdict.rule is Rule.NEVER else f"nobody agreed: {verdict.reason}"
        self.answer.end(Ending.FORBIDDEN, now, why)
        return None

    async def _stream(self, spec: EndpointSpec, on_piece: OnPiece | None) -> None:
        from quarterdeck.endpoints.chat.open import stream
        from quarterdeck.wire.failure import Failure

        desk, answer, chat = self._desk, self.answer, self._desk.fleet.chat
        view = next((view for view in desk.snapshot().endpoints if view.name == spec.name), None)
        answer.circumstances = circumstances(desk.snapshot(), view, answer.model)
        engine = (view.engine if view is not None else None) or ("openai" if spec.engine == "auto" else spec.engine)
        loop = asyncio.get_running_loop()
        patience = self.wish.first_token_s or chat.first_token
        try:
            async with asyncio.timeout(patience) as deadline:
                answer.sent_at = desk.clock.monotonic()
                tunnel = desk.opening.tunnel(spec, desk.clock)
                streaming = stream(spec, engine, self.wish.request, tunnel=tunnel, on_sent=self._sent)
                async with aclosing(streaming) as pieces:
                    async for piece in pieces:
                        answer.take(piece, desk.clock.monotonic())
                        if piece.is_token:
                            patience = chat.silence
                            deadline.reschedule(loop.time() + patience)
                        if on_piece is not None:
                            on_piece(piece)
            answer.end(Ending.DONE, desk.clock.monotonic())
        except TimeoutError:
            answer.end(Ending.FAILED, desk.clock.monotonic(), f"no token for {patience:.0f} s")
        except Failure as failure:
            answer.end(Ending.FAILED, desk.clock.monotonic(), failure.reason)
        except Exception as error:  # noqa: BLE001  (one column's surprise must not end the others)
            answer.end(Ending.FAILED, desk.clock.monotonic(), f"the answer can't be read ({type(error).__name__})")

    def _sent(self) -> None:
        """The request goes out now: keys and tunnels are not the model's time."""
        self.answer.sent_at = self._desk.clock.monotonic()

    def _conclude(self) -> None:
        desk, answer = self._desk, self.answer
        if answer.ending is Ending.FORBIDDEN:
            return
        answer.notes.extend(note for note in remarks(answer, self.wish.request) if note not in answer.notes)
        with contextlib.suppress(ArithmeticError):  # numbers that nobody can reckon with cost nothing that is known
            priced(desk.fleet, desk.snapshot(), answer)
        if answer.ending is Ending.DONE and answer.ended_at is not None and answer.first_at is not None:
            decode = (answer.last_at or answer.first_at) - answer.first_at
            own = OwnRequest(answer.ended_at, answer.ttft_s, answer.output_tokens, decode)
            desk.note_own(answer.endpoint, own)
