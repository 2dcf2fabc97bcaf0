"""Programs in a folder of PATH that write down their argument lists and answer what a test told them to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

_PROGRAM = """#!{python} -S
import json, sys
from pathlib import Path
here = Path({here!r}); name = {name!r}
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([name, *sys.argv[1:]]) + "\\n")
replies = json.loads((here / "replies.json").read_text())
for word in sys.argv[1:]:
    known = replies.get(f"{{name}} {{word}}")
    if known:
        status, out, err = known.pop(0) if len(known) > 1 else known[0]
        (here / "replies.json").write_text(json.dumps(replies))
        sys.stdout.write(out); sys.stderr.write(err); raise SystemExit(status)
"""


class FakeTools:
    """What was called, and what is answered."""

    def __init__(self, folder: Path) -> None:
        """``folder``: an empty one."""
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        (folder / "replies.json").write_text("{}")

    def install(self, *names: str) -> None:
        """Programs of these names; each ends well and says nothing unless told otherwise."""
        for name in names:
            path = self.bin / name
            path.write_text(_PROGRAM.format(python=sys.executable, here=str(self.folder), name=name))
            path.chmod(0o755)

    def reply(self, tool: str, word: str, *replies: tuple[int, str, str]) -> None:
        """(exit status, output, errors) of each call that has ``word`` among its arguments; the last goes on."""
        known = json.loads((self.folder / "replies.json").read_text())
        known[f"{tool} {word}"] = replies
        (self.folder / "replies.json").write_text(json.dumps(known))

    @property
    def calls(self) -> list[list[str]]:
        """Every argument list since the last time, the program's name first."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]
