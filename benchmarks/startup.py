"""Start-up: `check` against a bare import, `--version` against a bare interpreter, the first frame against a minimal Textual app.

uv run python benchmarks/startup.py [RUNS]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ratios import HEADING, in_turn
from servers import many
from terminals import Terminal

PYTHON = sys.executable
QUARTERDECK = str(Path(PYTHON).with_name("quarterdeck"))
MARK = b"e0"
MINIMAL_APP = """
from textual.app import App
from textual.widgets import Static
class Minimal(App):
    def compose(self):
        yield Static("e0")
Minimal().run()
"""


def process(*command: str) -> float:
    """Seconds of a whole process. Raises CalledProcessError."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - started


def first_frame(*command: str) -> float:
    """Seconds until the first endpoint stands in the terminal."""
    terminal = Terminal(command, 120, 36)
    try:
        return terminal.seconds_until(MARK)
    finally:
        terminal.end()


def main(runs: int) -> None:
    """Prints the table."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode; the warm-up writes it
    print(HEADING)
    with many(8) as urls, tempfile.TemporaryDirectory() as folder:
        fleet = Path(folder) / "fleet.toml"
        fleet.write_text(
            "".join(f'[[endpoint]]\nname = "e{i}"\nengine = "vllm"\nurl = "{url}"\n' for i, url in enumerate(urls))
        )
        check = in_turn(
            lambda: process(QUARTERDECK, "check", "--fleet", str(fleet)),
            lambda: process(PYTHON, "-c", "import httpx, pydantic"),
            runs,
        )
        print(check.row("`check`, 8 endpoints : `import httpx, pydantic`", 1.8))
        alone = in_turn(
            lambda: process(QUARTERDECK, "check", "--fleet", str(fleet)),
            lambda: process(PYTHON, "-c", "import httpx"),
            runs,
        )
        print(f"| the same, p95 : `import httpx`, p95 | | | {alone.p95:.2f} | | |")
        frame = in_turn(
            lambda: first_frame(QUARTERDECK, "--fleet", str(fleet)),
            lambda: first_frame(PYTHON, "-c", MINIMAL_APP),
            runs,
        )
        print(frame.row("first frame of the console : of a minimal Textual app", 1.15))
    version = in_turn(lambda: process(QUARTERDECK, "--version"), lambda: process(PYTHON, "-c", "pass"), runs * 2)
    print(version.row("`--version` : `python -c pass`", 3.0))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
