"""Makes the helpers beside this file (`servers`, `recorded`) importable, and keeps the developer's own environment out."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "quarterdeck", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("quarterdeck")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    for name in [*os.environ]:
        if name.upper().endswith(("_PROXY", "_API_KEY")) or name in ("OLLAMA_HOST", "QUARTERDECK_FLEET"):
            monkeypatch.delenv(name)
