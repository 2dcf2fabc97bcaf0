"""A program that stands in for `vllm serve`: it prints a recorded log, binds its port, and is ready, ends or lingers as told."""

from __future__ import annotations

import sys
from pathlib import Path

SOURCE = """#!{python}
import http.server, os, signal, subprocess, sys
port, mode, log = int(sys.argv[sys.argv.index("--port") + 1]), sys.argv[-2], sys.argv[-1]
looks = 0
class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global looks
        looks += self.path == "/health"
        ready = mode != "never" and looks > 2
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
print(open(log).read(), flush=True)
if mode == "fatal": sys.exit(1)
if mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
    subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
http.server.HTTPServer(("127.0.0.1", port), Pages).serve_forever()
"""


def write_server(folder: Path) -> Path:
    """The program, called as what it stands in for."""
    path = folder / "bin" / "vllm"
    path.parent.mkdir()
    path.write_text(SOURCE.replace("{python}", sys.executable))
    path.chmod(0o755)
    return path
