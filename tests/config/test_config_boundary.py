from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.problem import BadValueError
from quarterdeck.config.urls import http_url
from quarterdeck.model.fleet import Boundary


@pytest.mark.parametrize(
    ("host", "boundary"),
    [
        ("localhost", "local"),
        ("LOCALHOST", "local"),
        ("ollama.localhost", "local"),
        ("127.0.0.1", "local"),
        ("127.8.9.10", "local"),
        ("0.0.0.0", "local"),
        ("[::1]", "local"),
        ("[::]", "local"),
        ("[::ffff:127.0.0.1]", "local"),
        ("10.1.2.3", "vpc"),
        ("172.16.0.1", "vpc"),
        ("172.31.255.255", "vpc"),
        ("192.168.1.20", "vpc"),
        ("169.254.1.1", "vpc"),
        ("100.64.0.7", "vpc"),
        ("[fd00::7]", "vpc"),
        ("[fe80::1]", "vpc"),
        ("[::ffff:10.0.0.1]", "vpc"),
        ("gpu-1", "vpc"),
        ("gpu_box", "vpc"),
        ("mac.local", "vpc"),
        ("vllm.prod.internal", "vpc"),
        ("172.32.0.1", "external"),
        ("100.128.0.1", "external"),
        ("8.8.8.8", "external"),
        ("[2001:4860:4860::8888]", "external"),
        ("[::ffff:8.8.8.8]", "external"),
        ("api.example.com", "external"),
        ("127.0.0.1.example.com", "external"),
        ("127.example", "external"),
        ("localhost.example.com", "external"),
        ("notlocalhost.com", "external"),
        ("fakelocal", "vpc"),
        ("evil-internal.com", "external"),
        ("ai.", "external"),
        ("localhost.", "external"),
        ("ｌocalhost", "external"),
        ("gpu。com", "external"),
    ],
)
def test_default_boundary(host: str, boundary: str) -> None:
    assert default_boundary(f"http://{host}:8000/v1") is Boundary(boundary)


@pytest.mark.parametrize("url", ["", "gpu-1:8000", "http://", "ftp://gpu-1", "http://134744072", "http://a@gpu-1"])
def test_a_url_that_cannot_be_read_is_external(url: str) -> None:
    assert default_boundary(url) is Boundary.EXTERNAL


@given(st.text(max_size=40))
def test_any_text_has_a_boundary(text: str) -> None:
    assert default_boundary(text) in Boundary
    assert default_boundary(f"http://{text}") in Boundary


@given(st.ip_addresses(v=4))
def test_a_public_address_is_external(address: IPv4Address) -> None:
    assume(address.is_global)
    assert default_boundary(f"http://{address}:1") is Boundary.EXTERNAL


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://gpu-1:8000", "http://gpu-1:8000"),
        ("HTTP://GPU-1:8000/", "http://gpu-1:8000"),
        ("https://Example.com/V1//", "https://example.com/V1"),
        ("http://[::1]:11434/", "http://[::1]:11434"),
        ("http://10.0.0.1", "http://10.0.0.1"),
        ("http://gpu-1/team@home", "http://gpu-1/team@home"),
    ],
)
def test_url_is_cleaned(written: str, read: str) -> None:
    assert str(http_url(written)) == read


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///v1",
        "http://:8000",
        "http://gpu 1",
        "http://gpu-1:",
        "http://gpu-1:0",
        "http://gpu-1:65536",
        "http://gpu-1:８０",
        "http://gpu-1:8000:9000",
        "http://a..b",
        "http://.a",
        "http://-%41",
        "http://134744072",
        "http://0x7f000001",
        "http://010.8.8.8",
        "http://1.2.3",
        "http://1.2.3.4.5",
        "http://256.1.1.1",
        "http://１２７.0.0.1",
        "http://[::1",
        "http://[gpu-1]",
        "http://[::1]8000",
        "http://gpu-1\\@evil.com",
        "http://gpu-1/a\\b",
        "http://gpu-1/\u202e",
        "http://gpu-1\n",
        "http://" + "a" * 300,
        "file:///etc/passwd",
        "//gpu-1",
    ],
)
def test_url_is_refused(url: str) -> None:
    with pytest.raises(BadValueError):
        http_url(url)


@given(st.text(max_size=30))
def test_a_url_that_is_read_reads_back_the_same(text: str) -> None:
    try:
        url = http_url(f"http://{text}")
    except BadValueError:
        return
    assert http_url(str(url)) == url
    assert str(url).isprintable()
