"""Keeps what is asked and answered in the pane, where ``[chat] save = true``; a file that can't be written is said once."""

from __future__ import annotations

import asyncio
import secrets
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

    chats, name, failed = Chats(), secrets.token_hex(4), [False]

    async def save(turn: Turn) -> None:
        try:
            await asyncio.to_thread(chats.save, name, turn.request, turn.answer)
        except QuarterdeckError as error:
            if not failed[0]:
                failed[0] = True
                app.say(printable(error.message, 300))

    sitting.listeners.append(lambda turn: sitting.spawn(asyncio.get_running_loop().create_task(save(turn))))
