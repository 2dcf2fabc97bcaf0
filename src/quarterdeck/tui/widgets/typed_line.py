"""A line that is typed in, whose keys act in the order in which they were pressed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual import events
from textual.widgets import Input


class TypedLine(Input):
    """Textual's own puts characters in at once, and leaves all else to bindings, which come after what waits already.

    On a slow line keys arrive together: a backspace must not take what was typed after it.
    """

    at_once: Mapping[str, Callable[[], None]] = {}
    """What keys of the screen do, by key: those that use or change what is typed."""

    async def _on_key(self, event: events.Key) -> None:
        """Editing keys and those of ``at_once`` are done here."""
        if event.is_printable and event.key not in self.at_once:
            return  # Textual's
        bound = self._bindings.key_to_bindings.get(event.key, ())
        if event.key in self.at_once:
            event.stop()
            event.prevent_default()
            self.at_once[event.key]()
        elif bound:
            event.stop()
            event.prevent_default()
            await self.run_action(bound[-1].action)
