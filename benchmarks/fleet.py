"""What the console costs with 50, 200 and 500 endpoints, against a bare loop that fetches the same pages.

uv run python benchmarks/fleet.py [SECONDS [COUNT ...]]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from quarterdeck.endpoints.vllm import WANTED, narrowed_query
from quarterdeck.wire.prometheus import PageReader
from servers import many
from terminals import Terminal

HERE = Path(__file__).parent
WARM_UP_S = 8.0
BUDGET = 1.6


def page_url(url: str) -> str:
    """The page that the console asks for once it knows the server."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        page = PageReader(WANTED).read(answer.read())
    return f"{url}/metrics{narrowed_query(page.layout)}"


def measured(count: int, seconds: float) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Console, floor, and bytes a second to the terminal; one after the other on the same servers."""
    with many(count) as urls, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet, pages, ours, floor = (folder / file for file in ("fleet.toml", "pages", "ours", "floor"))
        fleet.write_text(
            "".join(f'[[endpoint]]\nname = "e{i}"\nengine = "vllm"\nurl = "{url}"\n' for i, url in enumerate(urls))
        )
        pages.write_text("\n".join(page_url(url) for url in urls))
        spans = [str(WARM_UP_S), str(seconds)]
        terminal = Terminal([sys.executable, str(HERE / "console_probe.py"), str(fleet), *spans, str(ours)], 120, 36)
        terminal.run(WARM_UP_S + 1)
        written = terminal.run(seconds - 2)
        terminal.run(10)
        terminal.end()
        subprocess.run([sys.executable, str(HERE / "bare_loop.py"), str(pages), *spans, str(floor)], check=True)
        return json.loads(ours.read_text()), json.loads(floor.read_text()), round(written / (seconds - 2))


def main(seconds: float, counts: list[int]) -> None:
    """Prints the table."""
    print(
        "| endpoints, every 2 s | console, % of a core | bare httpx loop | ratio | budget | missed | not well | B/s to the terminal |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for count in counts:
        ours, floor, written = measured(count, seconds)
        ratio = ours["cpu"] / floor["cpu"]
        print(
            f"| {count} | {ours['cpu']:.1%} | {floor['cpu']:.1%} | {ratio:.2f} | ≤ {BUDGET} | {ours['missed']} | {ours['unwell']} | {written} |",
            flush=True,
        )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0, [int(n) for n in sys.argv[2:]] or [50, 200, 500])
