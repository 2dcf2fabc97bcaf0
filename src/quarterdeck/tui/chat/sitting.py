"""What a console keeps of its chat while other screens are looked at: the conversation, the draft, the choices. In memory only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from quarterdeck.engine.chat.columns import Column, Turn
from quarterdeck.engine.chat.conversation import MOST_COLUMNS, Conversation
from quarterdeck.engine.chat.session import Session
from quarterdeck.tui.chat.prompt_box import Draft

if TYPE_CHECKING:
    from quarterdeck.engine.chat.sending import Desk
    from quarterdeck.engine.comparing.sitting import CasesRun
    from quarterdeck.model.judging.votes import Vote
    from quarterdeck.tui.app import ConsoleApp


class Sitting:
    """One console's chat."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.session = Session()
        self.talk = Conversation(desk, self.session, on_finished=self._finished)
        self.listeners: list[Callable[[Turn], None]] = []
        """Called with a turn when an answer of it has ended: what keeps chats hangs here."""
        self.draft = Draft()
        self.at = 0
        """Place of the selected column."""
        self.raw = False
        """Whether answers stay as they came."""
        self.unfolded = False
        """Whether thoughts are shown."""
        self.votes: list[Vote] = []
        self.case_file = "cases.jsonl"
        self.cases: CasesRun | None = None
        """The run of cases that was begun last."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.untouched = True
        """Whether the only column is one that nobody chose."""

    @property
    def column(self) -> Column | None:
        """The selected one."""
        columns = self.talk.columns
        self.at = max(0, min(self.at, len(columns) - 1))
        return columns[self.at] if columns else None

    def take(self, endpoint: str, model: str) -> str:
        """A column for a model, or the one that it has; what to say of it ("" = it is there)."""
        columns = self.talk.columns
        known = next((at for at, one in enumerate(columns) if (one.endpoint, one.model) == (endpoint, model)), None)
        if known is not None:
            self.at = known
        elif self.untouched and len(columns) == 1 and not columns[0].turns:
            self.talk.change(columns[0], endpoint, model)
        elif len(columns) == MOST_COLUMNS:
            return f"there are {MOST_COLUMNS} columns already; d takes one away, m changes one"
        else:
            self.talk.add(endpoint, model)
            self.at = len(columns) - 1
        self.untouched = False
        return ""

    def spawn(self, work: asyncio.Task[None]) -> None:
        """Keep a task alive until it ends, whatever screen is seen."""
        self.tasks.add(work)
        work.add_done_callback(self.tasks.discard)

    def _finished(self, turn: Turn) -> None:
        for listener in self.listeners:
            listener(turn)

    async def stop(self) -> None:
        """The console ends."""
        for task in self.tasks:
            task.cancel()
        if self.cases is not None:
            await self.cases.close()
        await self.talk.stop()


def sitting_of(app: ConsoleApp) -> Sitting | None:
    """The console's chat, begun when it is first asked for; ``None`` while the engine starts."""
    if app.engine is None:
        app.say("still starting; try again in a moment")
        return None
    if app.chat is None:
        from quarterdeck.tui.chat.keeping import keep

        app.chat = Sitting(cast("Desk", app.engine))
        keep(app, app.chat)
    return app.chat
