"""The servers, each started when the first test asks for it. Skips where they are not installed."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from .install import PARTS
from .prometheus import Scraping, scraping
from .servers import HOST, Reaper, Server, free_port, litellm, llama, vllm
from .side_by_side import longest_first, row_of

KEY = "sk-real-tests-only"
REQUIRED = "QUARTERDECK_REAL_REQUIRED"
_HERE = Path(__file__).parent
_started: list[Server] = []


def pytest_configure(config: pytest.Config) -> None:
    """Two runs: most side by side, and those that measure a busy server's time alone."""
    config.addinivalue_line("markers", "alone: measures time on a busy server, so nothing else may run beside it")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; the time limit covers the start of its servers. Several processes share them by rows."""
    mine = [item for item in items if _HERE in item.path.parents]
    rows, names = [], []
    for item in mine:
        item.add_marker(pytest.mark.real)
        item.add_marker(pytest.mark.timeout(420))
        names.append(getattr(item, "originalname", item.name))
        rows.append(row_of(item.path.stem, item.name, getattr(item, "fixturenames", ())))
        item.add_marker(pytest.mark.xdist_group(rows[-1]))
    if len(mine) == len(items) and _is_beside_others():
        items[:] = [mine[place] for place in longest_first(rows, names)]


def _is_beside_others() -> bool:
    return bool(os.environ.get("PYTEST_XDIST_WORKER"))


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest) -> None:
    """What must run alone does."""
    if request.node.get_closest_marker("alone") is not None and _is_beside_others():
        _not_now("it measures time on a busy server, and runs alone: make real")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the end of every server's log beside a failure."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed and _HERE in item.path.parents:
        report.sections += [(f"{server.name}: {server.log}", server.log_tail()) for server in _started]
    return report  # type: ignore[return-value]


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """Ends the test here unless a part is installed, and real servers are wanted beside other tests."""

    def check(part: str) -> None:
        if _is_beside_others() and os.environ.get(REQUIRED) != "1":
            pytest.skip("tests with real servers have a run of their own: make real")
        if PARTS[part].missing:
            _not_now(f"not installed: {', '.join(PARTS[part].missing)}; `make real` installs and runs")

    return check


def _not_now(reason: str) -> NoReturn:
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{reason} ({REQUIRED}=1 forbids to skip)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def reaper() -> Iterator[Reaper]:
    """Whatever ends the tests ends the servers."""
    reaper = Reaper()
    before = signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))
    yield reaper
    signal.signal(signal.SIGTERM, before)
    reaper.close()


@pytest.fixture
def scraped(need: Callable[[str], None], folder: Path, reaper: Reaper) -> Scraping:
    """Has a Prometheus scrape a server."""
    need("prometheus")
    return functools.partial(scraping, folder=folder, reaper=reaper)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers' logs are; pytest keeps it for a while."""
    return tmp_path_factory.mktemp("servers")


def _running(server: Server) -> Iterator[Server]:
    _started.append(server)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def vllm_server(need: Callable[[str], None], folder: Path, reaper: Reaper) -> Iterator[Server]:
    """A vLLM with two places, whose streams last minutes."""
    need("vllm")
    yield from _running(vllm("vllm", "mid-llama", folder, reaper, context=8192))


@pytest.fixture(scope="session")
def keyed_vllm(need: Callable[[str], None], folder: Path, reaper: Reaper) -> Iterator[Server]:
    """A vLLM that wants a key and can be put to sleep."""
    need("vllm")
    yield from _running(vllm("vllm-keyed", "tiny-llama", folder, reaper, context=1024, key=KEY))


@pytest.fixture(scope="module")
def pressed_vllm(need: Callable[[str], None], folder: Path, reaper: Reaper) -> Iterator[Server]:
    """A vLLM with six places and a KV cache that holds 3072 tokens: of long requests, less than six."""
    need("vllm")
    options = ("--num-gpu-blocks-override", "24")
    yield from _running(vllm("vllm-pressed", "mid-llama", folder, reaper, context=2048, seats=6, options=options))


@pytest.fixture(scope="session")
def llama_server(need: Callable[[str], None], folder: Path, reaper: Reaper) -> Iterator[Server]:
    """A llama-server with two slots and a slow model."""
    need("llama")
    yield from _running(llama("llama", "slow-e", folder, reaper))


@pytest.fixture
def sleepy_llama(need: Callable[[str], None], folder: Path, reaper: Reaper) -> Iterator[Server]:
    """A llama-server that sleeps when it had nothing to do for two seconds."""
    need("llama")
    yield from _running(llama("llama-sleepy", "tiny-a", folder, reaper, ("--sleep-idle-seconds", "2")))


@pytest.fixture
def llama_router(need: Callable[[str], None], folder: Path, reaper: Reaper) -> Iterator[Server]:
    """A llama-server in router mode over three models, none of them loaded."""
    need("llama")
    yield from _running(llama("llama-router", "", folder, reaper, ("--models-max", "2")))


@pytest.fixture
def litellm_server(llama_server: Server, need: Callable[[str], None], folder: Path, reaper: Reaper) -> Iterator[Server]:
    """A LiteLLM in front of a llama-server, and of another server, which isn't there."""
    need("litellm")
    backends = {llama_server.model: llama_server.url, "gone": f"http://{HOST}:{free_port()}"}
    yield from _running(litellm("litellm", backends, folder, reaper, key=KEY))
