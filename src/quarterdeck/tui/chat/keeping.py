"""Keeps what is asked and answered in the pane, and recalls what was asked before, where ``[chat] save = true``; a file that can't be written is said once."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable

if TYPE_CHECKING:
    from quarterdeck.engine.chat.columns import Turn
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.chat.sitting import Sitting


def keep(app: ConsoleApp, sitting: Sitting) -> None:
    """Hang what keeps chats onto ``sitting``, unless nothing is to be kept."""
    if not sitting.desk.fleet.chat.save:
        return
    from quarterdeck.engine.chat.keeping import Chats
    from quarterdeck.tui.chat.prompt_box import MOST_HISTORY

    chats, name, failed = Chats(), secrets.token_hex(4), [False]

    async def recall() -> None:
        with suppress(QuarterdeckError):  # a file that can't be read is said when something is to be kept
            sitting.draft.history.put_before(await asyncio.to_thread(chats.prompts, MOST_HISTORY))

    async def save(turn: Turn) -> None:
        try:
            await asyncio.to_thread(chats.save, name, turn.request, turn.answer)
        except QuarterdeckError as error:
            if not failed[0]:
                failed[0] = True
                app.say(printable(error.message, 300))

    sitting.spawn(asyncio.get_running_loop().create_task(recall()))
    sitting.listeners.append(lambda turn: sitting.spawn(asyncio.get_running_loop().create_task(save(turn))))
