"""A hundred cases with four real models, killed half-way and resumed: every pair is answered, and none twice that was answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from .servers import Server
from .test_real_chat import KEY_IN, demo_ollama, told

CASES = 100
MODELS = 4
PAIRS = CASES * MODELS
TOKENS = 2
HALF_S = 120.0


def environment(home: Path, key: str) -> dict[str, str]:
    """Nobody's settings, and the key."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return kept | {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "TERM": "dumb", KEY_IN: key}


def lines(state: Path, what: str) -> list[str]:
    """The pairs that were asked ("ask") or answered ("got") so far, by the run's ledger."""
    found = []
    for path in state.rglob("compare/*.jsonl"):
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n") and what in (told := json.loads(line)):
                found.append(told[what])
    return found


def test_killed_half_way_and_resumed(
    vllm_server: Server, llama_server: Server, litellm_server: Server, tmp_path: Path
) -> None:
    assert litellm_server.key is not None
    env = environment(tmp_path, litellm_server.key)
    with demo_ollama() as ollama:
        fleet = tmp_path / "fleet.toml"
        fleet.write_text(
            f"""
[[endpoint]]
name = "vllm"
url = "{vllm_server.url}"
[[endpoint]]
name = "llama"
url = "{llama_server.url}"
[[endpoint]]
name = "proxy"
url = "{litellm_server.url}"
auth = {{ env = "{KEY_IN}" }}
[[endpoint]]
name = "demo"
url = "{ollama}"
"""
        )
        cases = tmp_path / "cases.jsonl"
        cases.write_text("".join(json.dumps({"prompt": f"Name ship {n}."}) + "\n" for n in range(CASES)))
        models = (
            f"vllm/{vllm_server.model}",
            f"llama/{llama_server.model}",
            f"proxy/{llama_server.model}",
            "demo/gemma3:12b",
        )
        state = tmp_path / "state"
        begin = [sys.executable, "-m", "quarterdeck", "compare", "--fleet", str(fleet)]
        options = ["--cases", str(cases), *(word for model in models for word in ("-m", model))]
        options += ["--max-tokens", str(TOKENS), "--parallel"]
        before = told(vllm_server, "vllm:request_success_total")
        with subprocess.Popen([*begin, *options], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
            deadline = time.monotonic() + HALF_S
            while len(lines(state, "got")) < PAIRS // 2 and first.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert first.poll() is None, first.communicate()
            first.kill()
        answered = lines(state, "got")
        assert PAIRS // 2 <= len(answered) < PAIRS
        flying = set(lines(state, "ask")) - set(answered)
        (run,) = state.rglob("compare/*.jsonl")
        again = subprocess.run(
            [*begin, "--resume", run.stem], env=env, capture_output=True, text=True, timeout=300, check=False
        )
        assert again.returncode == 0, again.stderr
        asked = told(vllm_server, "vllm:request_success_total") - before
    everything = Counter(lines(state, "got"))
    assert len(everything) == PAIRS
    assert set(everything.values()) == {1}
    twice = {pair for pair, times in Counter(lines(state, "ask")).items() if times > 1}
    assert twice <= flying
    assert CASES <= asked <= CASES + len(flying)
