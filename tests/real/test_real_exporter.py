"""`quarterdeck export` and the real Prometheus: its tools accept the pages and the rules, and it stores what `status --json` says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from exported import Series, compared
from fleets import mixed_fleet
from gpu_fleets import gpu_fleet
from quarterdeck.cli.export import Board, Pages, look
from quarterdeck.cli.serving import PageServer
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.demo.fleet import start
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.limits import Limits
from quarterdeck.model.verdict import judged
from quarterdeck.report.json import document
from quarterdeck.report.prometheus import Seen, render

from .install import prometheus
from .install_debian import install_debian, not_now, program, required
from .prometheus import Page, Prometheus, Scraping
from .servers import HOST, Reaper, Server, free_port
from .waiting import STEP_S

DOCS = Path(__file__).parents[2] / "docs"
STEADY = frozenset(
    {
        "endpoints[].interval_s",
        "endpoints[].kv_capacity_tokens",
        "endpoints[].protected",
        "endpoints[].models[].size_bytes",
        "endpoints[].models[].context_length",
        "hosts[].interval_s",
        "hosts[].gpus[].memory_total_bytes",
        "hosts[].gpus[].power_limit_w",
        "hosts[].gpus[].slowdown_c",
        "hosts[].gpus[].lost",
    }
)
"""What two who poll at different moments find equal."""


def promtool() -> str:
    beside = prometheus().with_name("promtool")
    return str(beside) if beside.exists() else (shutil.which("promtool") or "promtool")


def checked(*arguments: str, page: bytes | None = None) -> None:
    """promtool says nothing but that all is well."""
    ended = subprocess.run([promtool(), *arguments], input=page, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, b""), (ended.stdout + ended.stderr).decode()


@pytest.mark.parametrize("fleet", [mixed_fleet(), gpu_fleet()], ids=["endpoints", "gpus"])
def test_promtool_accepts_the_page(need: Callable[[str], None], fleet: FleetSnapshot) -> None:
    need("prometheus")
    page = render(Seen(fleet, judged(fleet, Limits()), missed=1, jobs_known=True))
    checked("check", "metrics", page=page)
    with pytest.raises(AssertionError, match="no help text"):
        checked("check", "metrics", page=re.sub(rb"(?m)^# HELP.*\n", b"", page))


def test_promtool_accepts_the_rules(need: Callable[[str], None]) -> None:
    need("prometheus")
    checked("check", "rules", str(DOCS / "prometheus" / "rules.yml"))


# ---- Prometheus and a fleet


@pytest_asyncio.fixture
async def calm(need: Callable[[str], None]) -> AsyncIterator[FleetConfig]:
    """The demo fleet without its trouble."""
    need("prometheus")
    demo = await start(calm=True)
    yield demo.config
    await demo.stop()


def of(page: Page) -> Series:
    """A page as Prometheus stored it."""
    return {
        (name, frozenset((label, text) for label, text in labels.items() if label not in ("job", "instance"))): value
        for name, found in page.values.items()
        for labels, value in found
    }


async def test_a_minute_of_scrapes_is_what_status_says(
    calm: FleetConfig, scraped: Scraping, folder: Path, reaper: Reaper
) -> None:
    """Every number of the document of the very snapshot that was scraped, and the rules and the dashboard on top of it."""
    board = Board()
    engine = Engine(calm, board=board)
    documents: dict[float, dict[str, Any]] = {}

    def seen() -> Seen:
        now = look(engine, jobs_known=board.was_shown)
        whole = document(now.snapshot, now.verdict)
        documents[round(datetime.fromisoformat(whole["time"]).timestamp(), 3)] = whole
        return now

    server = PageServer({"/metrics": Pages(seen, engine.clock.monotonic).answer})
    await server.start("127.0.0.1", 0)
    await engine.start()
    place = Server("export", (), server.addresses[0][1], folder / "export.log", reaper, "")
    try:
        async with scraped(place, rules=DOCS / "prometheus" / "rules.yml") as asking:
            began = time.time()
            for _ in range(3):
                pages = await asking.pages_past(began, time.time() + 20)
            await the_rules_hold(asking)
            await the_dashboard_shows(asking)
    finally:
        await server.stop()
        await engine.stop()
    assert len(pages) > 60
    told = []
    for page in pages:
        at = page.total("quarterdeck_snapshot_timestamp_seconds")
        told.append(compared(documents[round(at, 3)], of(page)))
        assert page.total("quarterdeck_endpoint_up") == len(calm.endpoints) or at - began < 10
    assert min(told[-20:]) > 300
    assert len({page.total("quarterdeck_endpoint_requests_running") for page in pages}) > 1  # it was no still picture


async def the_rules_hold(asking: Prometheus) -> None:
    """Every one was evaluated without an error; of a calm fleet none speaks but of the servers that are as they are."""
    groups = (await asking.get("/api/v1/rules"))["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == (DOCS / "prometheus" / "rules.yml").read_text().count("- alert: ")
    assert {rule["health"] for rule in rules} == {"ok"}, rules
    speaking = {rule["name"] for rule in rules if rule["state"] != "inactive"}
    assert not speaking & {"QuarterdeckSilent", "EndpointDown", "EndpointStalled", "GpuLost", "GpuXid", "HostSilent"}


async def the_dashboard_shows(asking: Prometheus) -> None:
    """Prometheus reads every expression, and most find something."""
    board = json.loads((DOCS / "grafana" / "quarterdeck.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    for variable in board["templating"]["list"]:
        expressions += [variable["query"]["query"]] if variable["type"] == "query" else []
    found = 0
    for expression in expressions:
        filled = re.sub(r"\$(endpoint|host)\b", ".+", expression).replace("$__rate_interval", "1m")
        filled = re.sub(r"label_values\((.+), (\w+)\)", r"count by (\2) (\1)", filled)
        assert "$" not in filled
        answer = await asking.get("/api/v1/query", query=filled)
        assert answer["status"] == "success", (filled, answer)
        found += bool(answer["data"]["result"])
    assert found >= 0.8 * len(expressions), (found, len(expressions))


async def test_the_command_beside_status(
    calm: FleetConfig, scraped: Scraping, folder: Path, reaper: Reaper, tmp_path: Path
) -> None:
    """Two programs that poll for themselves: what holds still must be equal."""
    file = tmp_path / "fleet.toml"
    file.write_text(written(calm))
    port = free_port()
    command = (sys.executable, "-m", "quarterdeck", "export", "--fleet", str(file), "--listen", str(port))
    server = Server("export-command", command, port, folder / "export-command.log", reaper, "", health="/")
    await asyncio.to_thread(server.start)
    try:
        async with scraped(server) as asking:
            expression = "sum(quarterdeck_endpoint_up) + count(quarterdeck_gpu_memory_total_bytes) > bool 0"
            while not await asking.value(expression, time.time()):
                await asyncio.sleep(STEP_S)
            page = (await asking.pages_past(time.time() - 5, time.time() + 5))[-1]
        checked("check", "metrics", page=(await asyncio.to_thread(_get, server)))
    finally:
        await asyncio.to_thread(server.kill)
    status = (sys.executable, "-m", "quarterdeck", "status", "--json", "--fleet", str(file))
    ended = await asyncio.to_thread(subprocess.run, status, capture_output=True, env=os.environ, timeout=60, check=True)
    whole = json.loads(ended.stdout)
    assert compared(whole, of(page), STEADY) > 40
    up = {endpoint["name"]: endpoint["state"] not in ("DOWN", "STALE", None) for endpoint in whole["endpoints"]}
    assert up == {labels["endpoint"]: value == 1 for labels, value in page.values["quarterdeck_endpoint_up"]}


async def test_node_exporter_collects_the_text_file(
    calm: FleetConfig, folder: Path, reaper: Reaper, tmp_path: Path
) -> None:
    """Debian's reads the file as it is, and what it tells of it is that nothing was wrong with it."""
    if program("node") is None and required():
        install_debian()
    found = program("node")
    if found is None:
        not_now("Debian's prometheus-node-exporter is not installed")
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(written(calm))
    place, port = tmp_path / "collected", free_port()
    place.mkdir()
    options = ("--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={place}")
    node = Server(
        "node",
        (found, f"--web.listen-address={HOST}:{port}", *options),
        port,
        folder / "node.log",
        reaper,
        "",
        health="/",
    )
    export = (sys.executable, "-m", "quarterdeck", "export", "--fleet", str(fleet), "--interval", "0.5")
    process = subprocess.Popen((*export, "--textfile", str(place / "fleet.prom")), stdin=subprocess.DEVNULL)
    try:
        await asyncio.to_thread(node.start)
        while b"quarterdeck_endpoint_up{" not in (page := await asyncio.to_thread(_get, node)):
            assert process.poll() is None
            await asyncio.sleep(STEP_S)
        assert b"\nnode_textfile_scrape_error 0\n" in page
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert b"quarterdeck_" not in await asyncio.to_thread(_get, node)
    finally:
        process.kill()
        await asyncio.to_thread(node.kill)


def _get(server: Server) -> bytes:
    with server.client() as client:
        return client.get("/metrics").content


def written(fleet: FleetConfig) -> str:
    """The fleet as a file."""
    lines = []
    for spec in fleet.endpoints:
        lines += ["[[endpoint]]", f'name = "{spec.name}"', f'url = "{spec.url}"', f'boundary = "{spec.boundary.value}"']
        lines += [f'engine = "{spec.engine}"'] if spec.engine != "auto" else []
        lines += [f'host = "{spec.host}"'] if spec.host else []
        lines += [f'auth = {{ env = "{spec.auth.env}" }}'] if spec.auth else []
    for host in fleet.hosts:
        lines += ["[[host]]", f'name = "{host.name}"', f'gpus = "{host.gpus}"']
    return "\n".join(lines) + "\n"
