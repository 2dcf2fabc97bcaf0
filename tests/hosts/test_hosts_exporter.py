"""Exporters over HTTP: failures in words, deadlines kept, credentials shown nowhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.exporters.host import ExporterHost, page_url, shown_url
from quarterdeck.hosts.open import open_host

Serve = Callable[[Callable[[str], bytes | None]], Awaitable[int]]


def answer(body: bytes, status: str = "200 OK") -> bytes:
    """A whole HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


async def test_an_exporter_is_read_again_and_again(serve: Serve, page: Callable[[str], bytes], clock: Any) -> None:
    heads: list[str] = []

    def says(head: str) -> bytes:
        heads.append(head)
        return answer(page("dcgm"))

    port = await serve(says)
    host = open_host(HostSpec("gpu-1", gpus=f"http://127.0.0.1:{port}"), clock)
    assert isinstance(host, ExporterHost)
    for _ in range(2):
        reading = await host.read()
        assert (len(reading.gpus), reading.reason, reading.at) == (4, "", 1000.0)
        assert reading.source == f"http://127.0.0.1:{port}"
    await host.close()
    assert [head.split("\r\n")[0] for head in heads] == ["GET /metrics HTTP/1.1"] * 2


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(b"<html>hello</html>"), "answers, but not as a GPU or node exporter"),
        (answer(b""), "answers, but not as a GPU or node exporter"),
        (answer(b"", "404 Not Found"), "404: Not Found"),
        (answer(b"", "401 Unauthorized"), "401: key missing or wrong"),
        (answer(b"", "500 Internal Server Error"), "500: Internal Server Error"),
        (b"SSH-2.0-OpenSSH_9.7\r\n\r\n", "answers, but not in HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nDCGM", "connection closed before the answer was complete"),
        (b"", "connection closed before the answer was complete"),
        (None, "no answer in 0.05 s"),
    ],
)
async def test_a_failure_is_a_reading(serve: Serve, clock: Any, said: bytes | None, reason: str) -> None:
    port = await serve(lambda _: said)
    deadline = 0.05 if said is None else 10
    host = ExporterHost(HostSpec("gpu-1", gpus=f"http://127.0.0.1:{port}/metrics", timeout=deadline), clock)
    reading = await host.read()
    assert (reading.reason, reading.gpus, reading.cpu, reading.memory_total_bytes) == (reason, (), None, None)
    await host.close()


async def test_a_server_that_never_ends_its_page(serve: Serve, clock: Any) -> None:
    port = await serve(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * (9 * 2**20))
    host = ExporterHost(HostSpec("gpu-1", gpus=f"http://127.0.0.1:{port}/metrics", timeout=30), clock)
    assert (await host.read()).reason == "the answer is larger than 8 MiB"
    await host.close()


async def test_nobody_listens(clock: Any) -> None:
    host = ExporterHost(HostSpec("gpu-1", gpus="http://127.0.0.1:1/metrics"), clock)
    assert (await host.read()).reason == "connection refused"
    await host.close()


async def test_credentials_go_to_the_exporter_and_nowhere_else(serve: Serve, clock: Any) -> None:
    heads: list[str] = []

    def says(head: str) -> bytes:
        heads.append(head)
        return answer(b"", "403 Forbidden")

    port = await serve(says)
    host = ExporterHost(HostSpec("x", gpus=f"http://me:hunter2@127.0.0.1:{port}/metrics?token=hunter2"), clock)
    reading = await host.read()
    await host.close()
    assert "GET /metrics?token=hunter2 " in heads[0]
    assert "authorization: basic bwu6ahvudgvymg==" in heads[0].lower()
    assert reading.source == f"http://127.0.0.1:{port}/metrics"
    assert "hunter2" not in f"{reading}"


@pytest.mark.parametrize(
    ("url", "shown", "asked"),
    [
        ("http://a:9100", "http://a:9100", "http://a:9100/metrics"),
        ("http://a:9100/", "http://a:9100", "http://a:9100/metrics"),
        ("https://u:p@a/x/metrics?k=s#f", "https://a/x/metrics", "https://u:p@a/x/metrics?k=s#f"),
        ("http://[::1]:9100/metrics", "http://[::1]:9100/metrics", "http://[::1]:9100/metrics"),
        ("http://a/\x1b[2Jm", "http://a/m", "http://a/\x1b[2Jm"),
        ("http://[bad", "exporter", "http://[bad"),
    ],
)
def test_urls(url: str, shown: str, asked: str) -> None:
    assert (shown_url(url), page_url(url)) == (shown, asked)


@pytest.mark.parametrize("url", ["http://[bad", "ftp://x/metrics", "", "\x00", "http://a:99999/metrics"])
async def test_an_unusable_url_is_a_reading(url: str, clock: Any) -> None:
    host = ExporterHost(HostSpec("x", gpus=url), clock)
    reading = await host.read()
    assert reading.reason
    assert reading.reason.isprintable()
    await host.close()


@pytest.mark.parametrize(
    "line",
    [
        'DCGM_FI_DEV_GPU_UTIL{gpu="%d",UUID="GPU-%d"} 5',
        'nvidia_smi_utilization_gpu_ratio{uuid="GPU-%d",index="%d"} 0.05',
        'all_smi_gpu_utilization{index="%d",uuid="GPU-%d"} 5',
    ],
)
def test_an_exporter_that_invents_gpus_does_not_fill_the_memory(line: str, clock: Any) -> None:
    host = ExporterHost(HostSpec("gpu-1", gpus="http://127.0.0.1:1"), clock)
    reading = host.reading("\n".join(line % (n, n) for n in range(2000)).encode())
    assert len(reading.gpus) == 256
    assert "more than 256 GPUs" in reading.reason
