"""What `check` imports: that is most of what it takes, and it has a budget."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CHECK = """
import sys
from quarterdeck.cli import main
main(["check", "--url", sys.argv[1]])
print(*sys.modules, file=sys.stderr)
"""
NOT_NEEDED = {
    "statistics",
    "html",
    "quarterdeck.cli.words",
    "quarterdeck.config.alerting",
    "quarterdeck.config.sinks",
    "quarterdeck.config.specs",
    "quarterdeck.engine.jobs",
    "quarterdeck.model.actions",
    "quarterdeck.model.alerts",
    "quarterdeck.model.job",
    "quarterdeck.model.query",
    "quarterdeck.reader",
    "quarterdeck.tui",
}


def test_check_imports_nothing_of_what_it_does_not_ask(
    environment: dict[str, str], tmp_path: Path, ollama: str
) -> None:
    command = [sys.executable, "-c", CHECK, ollama]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment, check=True
    )
    held = set(done.stderr.split())
    assert "quarterdeck.engine.engine" in held
    assert not held & NOT_NEEDED
