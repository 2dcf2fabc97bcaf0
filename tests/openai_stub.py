"""A server of OpenAI's kind in a thread: it answers what a test says, and remembers what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answering = Callable[[dict[str, Any]], str | tuple[int, str]]
"""From the request to the text of the answer, or to a status and its message."""


@dataclass
class Stub:
    """What it is, and what it was sent."""

    url: str = ""
    model: str = "atlas"
    answering: Answering = lambda asked: "It is Paris."
    sent: list[dict[str, Any]] = field(default_factory=list)

    @property
    def prompts(self) -> list[str]:
        """The last message of each request."""
        return [str(body["messages"][-1]["content"]) for body in self.sent]


@contextmanager
def openai_stub(model: str = "atlas", answering: Answering | None = None) -> Iterator[Stub]:
    """Runs until the block ends."""
    stub = Stub(model=model)
    if answering is not None:
        stub.answering = answering

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = self.path.rstrip("/").endswith("/models")
            self._answer(200 if known else 404, json.dumps({"object": "list", "data": [{"id": stub.model}]}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            stub.sent.append(body)
            made = stub.answering(body)
            if isinstance(made, tuple):
                self._answer(made[0], json.dumps({"error": {"message": made[1]}}))
                return
            self._answer(200, "".join(f"data: {event}\n\n" for event in _events(made)), "text/event-stream")

        def _answer(self, status: int, text: str, kind: str = "application/json") -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class' name)
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()


def _events(text: str) -> Iterator[str]:
    for word in text.split(" "):
        yield json.dumps({"choices": [{"delta": {"content": f"{word} "}, "finish_reason": None}]})
    yield json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    yield json.dumps({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(text.split(" "))}})
    yield "[DONE]"
