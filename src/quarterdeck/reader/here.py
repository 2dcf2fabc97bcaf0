"""What the commands of a running reader share: the engine, the two ends of the conversation, and what was told so far."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quarterdeck.engine.chat.session import Session
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot
from quarterdeck.reader.changes import changes
from quarterdeck.reader.saying import Level, told
from quarterdeck.reader.telling import Memory, heard

if TYPE_CHECKING:
    from quarterdeck.engine.engine import Engine
    from quarterdeck.model.cases.result import Target
    from quarterdeck.model.chat.request import Message
    from quarterdeck.model.job import Job
    from quarterdeck.reader.ears import Ears
    from quarterdeck.reader.voice import Voice

_YES, _NO = ("y", "yes"), ("", "n", "no")


@dataclass(slots=True)
class Talk:
    """A conversation with one model."""

    target: Target
    messages: tuple[Message, ...] = ()
    files: tuple[str, ...] = ()
    """Resolved paths of all that was attached in it."""
    sitting: str = field(default_factory=lambda: f"reader {uuid.uuid4().hex[:8]}")


@dataclass(slots=True)
class Here:
    """A running reader."""

    engine: Engine
    voice: Voice
    ears: Ears
    problems: tuple[str, ...] = ()
    """What is wrong with the fleet file: while something is, nothing is changed."""
    snapshot: FleetSnapshot = EMPTY_FLEET
    """As it was told last; newer ones are looked at each second."""
    memory: Memory = field(default_factory=Memory)
    level: Level = Level.ALL
    own: set[str] = field(default_factory=set)
    """Jobs that were begun here: the answer to the command said so."""
    session: Session = field(default_factory=Session)
    talk: Talk | None = None
    left_over: str | None = None
    """A line that was typed in place of an answer: the next command."""
    ticked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after each look at the fleet."""
    _silent: int = 0

    # ---- news

    def look(self) -> None:
        """See what has changed since the last look."""
        before, self.snapshot = self.snapshot, self.engine.snapshot()
        self.memory = heard(self.memory, changes(before, self.snapshot), self.snapshot.at)

    def news(self, level: Level | None = None) -> list[str]:
        """What there is to say now: nothing while somebody is asked or answered."""
        if self._silent:
            return []
        self.memory, lines = told(self.memory, level or self.level, known_jobs=self.own)
        return lines

    @contextmanager
    def silence(self) -> Iterator[None]:
        """News wait: a question is open, or an answer is being read out."""
        self._silent += 1
        try:
            yield
        finally:
            self._silent -= 1

    def job(self, identity: str) -> Job | None:
        """A job as it was last seen."""
        return next((job for job in self.snapshot.jobs if job.id == identity), None)

    # ---- questions

    async def line(self) -> str | None:
        """What is typed next; ``None`` at the end."""
        if self.left_over is not None:
            line, self.left_over = self.left_over, None
            return line
        heard_line = await self.ears.next()
        if heard_line is not None:
            self.voice.entered()
        return heard_line

    async def answer(self, question: str) -> str:
        """What is typed to a question; "" at the end."""
        with self.silence():
            await self.voice.question(question)
            return (await self.line() or "").strip()

    async def agrees(self, question: str) -> bool:
        """Whether somebody says yes. What is neither yes nor no is a no, and the next command."""
        said = await self.answer(f"{question} Yes or no? [no]")
        if said.casefold() not in (*_YES, *_NO):
            self.left_over = said
        return said.casefold() in _YES
