"""What loading a fleet file imports: `quarterdeck check` and the first frame wait for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "fleet.toml"
HEAVY = "pydantic httpx ollama textual rich pynvml psutil platformdirs asyncio json sqlite3 difflib ssl"


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter holds after ``code``."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_loading_a_good_file_stays_light() -> None:
    held = modules_after(f"from quarterdeck.config.load import load\nassert not load({str(SAMPLE)!r}).problems")
    assert "quarterdeck.config.decode" in held
    assert not held.intersection(HEAVY.split())
    assert not held.intersection(
        {"quarterdeck.config.locate", "quarterdeck.config.origins", "quarterdeck.config.schema"}
    )


def test_importing_reads_no_toml_yet() -> None:
    assert "tomllib" not in modules_after("import quarterdeck.config.load")
