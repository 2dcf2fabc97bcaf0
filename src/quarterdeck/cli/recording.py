"""--record: what the console or `watch` sees goes into a file, too."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.recording.keeping import keep_recording, recorder
from quarterdeck.format import age, printable, size

if TYPE_CHECKING:
    from quarterdeck.engine.recording.keeping import Watching
    from quarterdeck.engine.recording.writer import Recorder


class Recorded:
    """A file that is being recorded to."""

    def __init__(self, recorder: Recorder) -> None:
        """Records nothing yet."""
        self._recorder = recorder
        self._task: asyncio.Task[None] | None = None

    def begin(self, engine: Watching, say: Callable[[str], None] = lambda _: None) -> None:
        """Record what ``engine`` sees as long as this event loop runs, or until ``end``; ``say`` tells why it can't go on."""
        self.end()
        self._task = asyncio.get_running_loop().create_task(keep_recording(self._recorder, engine, say))

    def end(self) -> None:
        """No further sample is taken."""
        if self._task is not None:
            self._task.cancel()

    def told(self) -> str:
        """What came of it, in words."""
        if self._recorder.problem:
            return self._recorder.problem
        name = printable(str(self._recorder.path))
        if not self._recorder.samples:
            return f"nothing was recorded in {name}"
        long, large = age(self._recorder.seconds), size(self._recorder.size)
        return f"recorded {long} in {large}; `quarterdeck replay {name}` plays it"


@contextlib.contextmanager
def recorded(path: str, fleet: FleetConfig, program: str = "quarterdeck") -> Iterator[Recorded]:
    """Create the file; at the end close it and say on stderr what came of it. Raises UsageError where it can't be made."""
    writer = recorder(path, fleet)
    recording = Recorded(writer)
    try:
        yield recording
    finally:
        recording.end()
        writer.close()
        sys.stderr.write(f"{program}: {recording.told()}\n")
