"""An Ollama made of processes: `ollama serve` and a `llama-server` child for each loaded model, as a real one has them.

Both are scripts of a few lines that answer with what lies in files, so that a test changes an answer by writing a file, and keep a
list of what they were asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PAGES = """
import http.server, json, os, pathlib, socketserver, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # headers and body in one piece
    folder = None

    def do_GET(self):
        path = self.path.partition("?")[0].strip("/").replace("/", "_")
        with (self.folder / "asked").open("a") as asked:
            asked.write(f"{self.command} {self.path}\\n")
        if (self.folder / "hang").exists():
            threading.Event().wait(60)
        found = self.folder / path
        status, body = 404, b"404 page not found"
        if found.exists():
            status, body = 200, found.read_bytes()
        for special in self.folder.glob(path + ".[0-9]*"):
            status, body = int(special.suffix[1:]), special.read_bytes()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

def option(name):
    return sys.argv[sys.argv.index(name) + 1]
"""
_LLAMA_SERVER = (
    _PAGES
    + """
Handler.folder = pathlib.Path(os.environ["FAKE_PAGES"])
server = Server(("127.0.0.1", int(option("--port"))), Handler)
print("listening", flush=True)
server.serve_forever()
"""
)
_OLLAMA = (
    _PAGES
    + """
import signal, subprocess

Handler.folder = pathlib.Path(os.environ["FAKE_PAGES"])
server = Server(("127.0.0.1", int(os.environ["FAKE_PORT"])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_address[1]}), flush=True)
children = {}
for line in sys.stdin:
    told = json.loads(line)
    if "start" in told:
        child = subprocess.Popen(
            told["start"], env=os.environ | told["env"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        child.stdout.readline()
        children[child.pid] = child
        with (Handler.folder.parent / "pids").open("a") as pids:
            pids.write(f"{child.pid}\\n")
        answer = {"pid": child.pid}
    else:
        children[told["end"]].kill()
        children[told["end"]].wait()
        answer = {}
    print(json.dumps(answer), flush=True)
for child in children.values():
    child.kill()
    child.wait()
"""
)


def _script(path: Path, source: str) -> None:
    """A program that is called, and calls itself, by its file's name."""
    path.write_text(f"#!{Path(sys.executable).resolve()} -IS\n{source}")
    path.chmod(0o755)


@dataclass
class Pages:
    """The files that one of the processes answers with."""

    folder: Path

    def put(self, path: str, body: object, status: int = 200) -> None:
        """Answer so from now on. ``body``: bytes as they are, anything else as JSON."""
        self.drop(path)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        name = path.strip("/").replace("/", "_") + ("" if status == 200 else f".{status}")
        partial = self.folder / "partial"
        partial.write_bytes(data)
        partial.replace(self.folder / name)

    def drop(self, path: str) -> None:
        """Answer 404 from now on."""
        name = path.strip("/").replace("/", "_")
        for found in [self.folder / name, *self.folder.glob(name + ".[0-9]*")]:
            found.unlink(missing_ok=True)

    @property
    def asked(self) -> list[str]:
        """Every request so far, "GET /slots"."""
        found = self.folder / "asked"
        return found.read_text().splitlines() if found.exists() else []


@dataclass
class FakeRunner:
    """A llama-server child."""

    pid: int
    port: int
    pages: Pages


@dataclass
class FakeOllama:
    """A running ``ollama serve``."""

    root: Path
    port: int
    process: subprocess.Popen[str]
    pages: Pages
    models: list[dict[str, Any]] = field(default_factory=list)
    _count: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def blobs(self) -> Path:
        return self.root / "models" / "blobs"

    def load(self, *names: str, context: int = 4096, expires: str = "2026-11-22T15:45:43.3Z") -> None:
        """Have /api/ps list these models too."""
        self.models += [
            {"name": n, "model": n, "size": 10, "size_vram": 5, "context_length": context, "expires_at": expires}
            for n in names
        ]
        self.list_models()

    def list_models(self) -> None:
        """Write /api/ps anew."""
        self.pages.put("/api/ps", {"models": self.models})

    def manifest(self, name: str, blob: str) -> None:
        """Put a model's manifest where Ollama has it."""
        model, _, tag = name.partition(":")
        path = self.root / "models" / "manifests" / "registry.ollama.ai" / "library" / model / tag
        path.parent.mkdir(parents=True, exist_ok=True)
        layers = [
            {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:" + "f" * 64},
            {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{blob}"},
        ]
        path.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))

    def run(
        self, slots: object = None, *more: str, blob: str = "a" * 64, env: dict[str, str] | None = None
    ) -> FakeRunner:
        """Start a llama-server child; returns when it answers."""
        from fake_servers import free_port

        self._count += 1
        folder = self.root / f"runner{self._count}"
        folder.mkdir()
        pages, port = Pages(folder), free_port()
        if slots is not None:
            pages.put("/slots", slots)
        command = [
            str(self.root / "llama-server"),
            "--model",
            str(self.blobs / f"sha256-{blob}"),
            "--host",
            "127.0.0.1",
        ]
        command += ["--port", str(port), "--no-webui", "--offline", "-c", "8192", "-np", "2", *more]
        told = self._tell({"start": command, "env": {"FAKE_PAGES": str(folder), **(env or {})}})
        return FakeRunner(told["pid"], port, pages)

    def end(self, runner: FakeRunner) -> None:
        """Kill a child, as Ollama does to unload a model."""
        self._tell({"end": runner.pid})

    def _tell(self, what: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


@contextmanager
def fake_ollama(root: Path, port: int = 0) -> Iterator[FakeOllama]:
    """Start one that lists no models; ends it and its children."""
    root.mkdir(parents=True, exist_ok=True)
    _script(root / "ollama", _OLLAMA)
    _script(root / "llama-server", _LLAMA_SERVER)
    folder = root / "pages"
    folder.mkdir(exist_ok=True)
    pages = Pages(folder)
    pages.put("/api/ps", {"models": []})
    pages.put("/api/tags", {"models": []})
    pages.put("/api/version", {"version": "0.32.15"})
    process = subprocess.Popen(
        [str(root / "ollama"), "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "FAKE_PAGES": str(folder), "FAKE_PORT": str(port)},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield FakeOllama(root, json.loads(process.stdout.readline())["port"], process, pages)
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        process.stdout.close()
