"""A key is found in every spelling that servers and proxies echo it in."""

from __future__ import annotations

import base64
import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_servers import Reply, pages_server, raw_server
from quarterdeck.config.fleet import Auth
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target
from quarterdeck.wire.redaction import Redactor

KEY = "sk-abcdefghijklmnopqrstuvwxyz0123456789/ABCDEFGH+xyz"


def in_unicode(text: str) -> str:
    return "".join(f"\\u{ord(character):04X}" for character in text)


def in_percent(text: str) -> str:
    return "".join(f"%{ord(character):02x}" for character in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": lambda key: json.dumps(key)[1:-1],
    "json by PHP": lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    "json in json": lambda key: json.dumps(json.dumps(key))[3:-3],
    "unicode": in_unicode,
    "percent": lambda key: quote(key, safe=""),
    "percent, all": in_percent,
    "percent, twice": lambda key: quote(quote(key, safe=""), safe=""),
    "html": html.escape,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(key=st.text(string.ascii_letters + string.digits + "-_./+=~:", min_size=8, max_size=80))
def test_every_spelling_is_replaced_whole(spelling: str, key: str) -> None:
    redactor = Redactor(key)
    spelt = SPELLINGS[spelling](key)
    assert redactor.body(f"<{spelt}>".encode()) == b"<[key]>"
    assert redactor.text(f"<{spelt}>") == "<[key]>"


@pytest.mark.parametrize("before", ["", "B", "Be", "Bearer "])
def test_base64_at_any_offset(before: str) -> None:
    encoded = base64.b64encode((before + KEY).encode()).decode()
    shown = Redactor(KEY).text(encoded)
    assert "[key]" in shown
    assert len(shown) < len(before) * 2 + 12  # what is left is not the key's


@pytest.mark.parametrize("key", ["a\"b\\c&d<e>'f%", "sk&amp/;"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_of_signs(key: str, spelling: str) -> None:
    assert Redactor(key).text(f"<{SPELLINGS[spelling](key)}>").startswith("<[key]")


def test_a_long_key_and_a_key_that_was_cut() -> None:
    long = "aB3-/+._x9" * 1600
    assert Redactor(long).body(f"{long} {quote(long, safe='')}".encode()) == b"[key] [key]"
    assert Redactor(KEY).text(f"403 ({KEY[:9]}…), {KEY[:30]}…") == "403 ([key]…), [key]…"


def test_json_stays_json() -> None:
    key = "/Ab+/0123456789"
    body = json.dumps({"a": key, "b": f"\n {key}"}).replace("/", "\\/")
    assert json.loads(Redactor(key).body(body.encode())) == {"a": "[key]", "b": "\n [key]"}


def test_a_text_without_the_key_stays() -> None:
    text = "100% of \\u0073 & m… \ud800"
    assert Redactor(KEY).text(text) == text


CUT = {
    "location": Reply(b"", 302, {"Location": f"https://h/{'p' * 60}{KEY}"}),
    "location, percent": Reply(b"", 302, {"Location": f"https://h/{'p' * 60}{quote(KEY, safe='')}"}),
    "location, as a query": Reply(b"", 307, {"Location": f"https://u:{KEY}@h/?key={KEY}"}),
    "php": Reply(json.dumps({"error": {"message": "x" * 70 + KEY}}).replace("/", "\\/").encode(), 403),
    "unicode": Reply(f'{{"error":"{"x" * 80}{in_unicode(KEY)}"}}'.encode(), 500),
    "zero width": Reply({"error": "x" * 80 + "\u200b".join(KEY)}, 500),
    "packing": Reply(b"", 200, {"Content-Encoding": KEY}),
}


@pytest.mark.parametrize("case", CUT)
async def test_the_key_is_gone_before_a_reason_is_cut(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    async with pages_server(lambda _: CUT[case]) as server:
        fetch = Fetch(Target(server.url, auth=Auth(env="MY_KEY")))
        with pytest.raises(Failure) as caught:
            await fetch.get("/x")
        await fetch.close()
    assert KEY[:6].lower() not in caught.value.reason.lower()


async def test_the_key_is_gone_before_a_reason_phrase_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    async with raw_server(f"HTTP/1.1 418 {'z' * 40}{KEY}\r\nContent-Length: 0\r\n\r\n".encode()) as server:
        fetch = Fetch(Target(server.url, auth=Auth(env="MY_KEY")))
        with pytest.raises(Failure, match=r"^418: z{40}\[key\]$"):
            await fetch.get("/x")
        await fetch.close()
