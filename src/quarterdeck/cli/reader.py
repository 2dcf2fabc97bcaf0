"""`quarterdeck --reader`, and the console on a terminal that can't show one: the line mode on this program's own stdin and stdout."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import FleetConfig

if TYPE_CHECKING:
    from quarterdeck.cli.recording import Recorded
    from quarterdeck.engine.engine import Engine
    from quarterdeck.reader.reader import Prepare

PROMPT = "> "
"""Short, and of a sign that most voices leave out: it comes again after all that is told."""
DUMB = "TERM is dumb: this is the line mode for screen readers and plain terminals (--reader)."


def read(
    fleet: FleetConfig,
    *,
    make_engine: Callable[[FleetConfig], Engine],
    prepare: Prepare | None = None,
    problems: tuple[str, ...] = (),
    looking_for: str = "",
    record: str | None = None,
    chosen_by_itself: bool = False,
) -> int:
    """Run the line mode until it ends; the exit status. ``record`` names a file to record to."""
    gc.enable()  # it was switched off for the sake of a first frame
    first = [*([DUMB] if chosen_by_itself else []), *([looking_for.replace(" …", ".")] if looking_for else [])]
    with _recording(record, fleet) as recording:
        beside = recording.begin if recording is not None else None
        return asyncio.run(
            _run(lambda: make_engine(fleet), prepare=prepare, problems=problems, first=first, beside=beside)
        )


def _recording(path: str | None, fleet: FleetConfig) -> contextlib.AbstractContextManager[Recorded | None]:
    if path is None:
        return contextlib.nullcontext()
    from quarterdeck.cli.recording import recorded

    return recorded(path, fleet)


async def _run(
    make_engine: Callable[[], Engine],
    *,
    prepare: Prepare | None,
    problems: tuple[str, ...],
    first: list[str],
    beside: Callable[[Engine, Callable[[str], None]], None] | None,
) -> int:
    from quarterdeck.reader.ears import Ears, reader
    from quarterdeck.reader.reader import Reader
    from quarterdeck.reader.voice import Voice, writer

    interactive = sys.stdin is not None and sys.stdin.isatty()
    voice = Voice(writer(sys.stdout), prompt=PROMPT if interactive else "")
    ears = Ears(reader(sys.stdin.fileno()) if sys.stdin is not None else lambda: b"")
    return await Reader(
        make_engine(),
        voice,
        ears,
        interactive=interactive,
        prepare=prepare,
        first=first,
        problems=problems,
        beside=beside,
    ).run()
