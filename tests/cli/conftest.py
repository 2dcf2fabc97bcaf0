"""A small model server in a thread, and the command line in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

OLLAMA_PAGES = {
    "/api/ps": {"models": [{"name": "qwen3:8b", "size": 10, "size_vram": 5, "context_length": 4096}]},
    "/api/tags": {"models": [{"name": "qwen3:8b", "size": 10}, {"name": "gemma3:4b", "size": 7}]},
    "/api/version": {"version": "0.32.15"},
    "/v1/models": {"object": "list", "data": [{"id": "qwen3:8b", "owned_by": "library"}]},
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        getattr(self.server, "paths", []).append(self.path)
        counted = getattr(self.server, "counted", None)
        if counted is not None and counted.stumble:
            counted.stumble = False
            self.send_error(503)
            return
        page = OLLAMA_PAGES.get(self.path)
        body = json.dumps(page if page is not None else {"error": "not found"}).encode()
        self.send_response(200 if page is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class' name)
        """Quiet."""


@pytest.fixture
def ollama() -> Iterator[str]:
    """URL of a server that answers like an Ollama."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@dataclass
class Counted:
    """A server that remembers what it was asked."""

    url: str
    paths: list[str]
    stumble: bool = False
    """Answer the next request with 503, once."""


@pytest.fixture
def counted() -> Iterator[Counted]:
    """Answers like an Ollama."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    paths: list[str] = []
    server.paths = paths  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    counted = Counted(f"http://127.0.0.1:{server.server_address[1]}", paths)
    server.counted = counted  # type: ignore[attr-defined]
    yield counted
    server.shutdown()
    server.server_close()


Quarterdeck = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without anybody's settings."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")}
    return kept | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "TERM": "dumb"}


@pytest.fixture
def quarterdeck(tmp_path: Path, environment: dict[str, str]) -> Quarterdeck:
    """Runs the command line in an empty folder."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "quarterdeck", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env=environment | variables,
            check=False,
        )

    return run
