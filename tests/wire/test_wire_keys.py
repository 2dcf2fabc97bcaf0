"""Keys by reference: where they come from, when they are asked for again, and that nobody gets to see them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_servers import Asked, Recorder, Reply, pages_server
from quarterdeck.config.fleet import Auth
from quarterdeck.model.reading import Outcome
from quarterdeck.wire import keys
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target
from quarterdeck.wire.keys import Key

SECRET = "sk-0123456789abcdef"


def printing(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys; sys.stdout.write({text!r})")


async def header_of(auth: Auth) -> tuple[str, str]:
    return await Key(auth).header()


async def reason_of(auth: Auth) -> str:
    with pytest.raises(Failure) as caught:
        await header_of(auth)
    assert caught.value.outcome is Outcome.AUTH
    return caught.value.reason


@pytest.mark.parametrize("stored", [SECRET, f"{SECRET}\n", f"  {SECRET}\r\n\n"])
@pytest.mark.parametrize("place", ["env", "file", "command"])
async def test_a_key_is_found_where_it_is_kept(
    place: str, stored: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    match place:
        case "env":
            monkeypatch.setenv("MY_KEY", stored)
            auth = Auth(env="MY_KEY")
        case "file":
            (tmp_path / "key").write_text(stored)
            auth = Auth(file=tmp_path / "key")
        case _:
            auth = Auth(command=printing(stored))
    assert await header_of(auth) == ("Authorization", f"Bearer {SECRET}")


async def test_header_and_scheme_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    assert await header_of(Auth(env="MY_KEY", header="X-Api-Key", scheme="")) == ("X-Api-Key", SECRET)


async def test_a_file_of_another_system(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbf" + SECRET.encode())
    assert (await header_of(Auth(file=path)))[1].endswith(SECRET)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert (await header_of(Auth(file=link)))[1].endswith(SECRET)


async def test_a_key_that_is_not_in_the_environment() -> None:
    assert await reason_of(Auth(env="NO_SUCH")) == "key missing: environment variable NO_SUCH is not set"


UNUSABLE = "holds more than one line of plain ASCII"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        (f"{SECRET}\nsecond line", UNUSABLE),
        (f"{SECRET}\x00", UNUSABLE),
        (f"{SECRET}é", UNUSABLE),
        ("k" * (keys.LONGEST_KEY + 1), UNUSABLE),
    ],
)
async def test_keys_that_no_header_could_carry(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    reason = await reason_of(Auth(file=path))
    assert words in reason
    assert "0123" not in reason
    if "\x00" not in content:
        assert words in await reason_of(Auth(command=printing(content)))


async def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert await reason_of(Auth(file=missing)) == f"key missing: file {missing}: No such file or directory"
    assert "Is a directory" in await reason_of(Auth(file=tmp_path))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # opening it would block for ever
    assert await reason_of(Auth(file=pipe)) == f"key missing: {pipe} is not a file"
    assert await reason_of(Auth(file=Path("/dev/zero"))) == "key missing: /dev/zero is not a file"
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\xfd")
    assert await reason_of(Auth(file=binary)) == f"key unusable: file {binary} is not text"


async def test_commands_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ended with status 3" in await reason_of(Auth(command=("/bin/sh", "-c", f"echo {SECRET}; exit 3")))
    assert "No such file" in await reason_of(Auth(command=("/no/such/command",)))
    assert "is empty" in await reason_of(Auth(command=("/bin/true",)))
    assert UNUSABLE in await reason_of(Auth(command=("/bin/sh", "-c", "yes")))
    monkeypatch.setattr(keys, "COMMAND_TIMEOUT_S", 0.05)
    assert "took over 0.05 s" in await reason_of(Auth(command=("/bin/sh", "-c", "sleep 60; true")))


async def test_a_command_that_hangs_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(keys, "COMMAND_TIMEOUT_S", 0.5)
    pid_file = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {pid_file}; wait"
    assert "took over" in await reason_of(Auth(command=("/bin/sh", "-c", script)))
    child = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    for _ in range(100):
        if not child.exists() or ") Z" in child.read_text():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the command's child lives on")


async def test_a_failing_command_is_not_run_at_every_poll(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    key = Key(Auth(command=("/bin/sh", "-c", f"echo x >> {ran}; exit 1")))
    reasons = []
    for _ in range(3):
        with pytest.raises(Failure) as caught:
            await key.header()
        reasons.append(caught.value.reason)
    assert ran.read_text() == "x\n"
    assert reasons == ["key missing: command /bin/sh ended with status 1"] * 3


async def test_a_command_slower_than_the_poll_may_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.endpoints.endpoint import Endpoint

    async with pages_server({"/v1/models": {"data": []}}) as server:
        auth = Auth(command=("/bin/sh", "-c", f"sleep 0.3; echo {SECRET}"))
        endpoint = Endpoint(EndpointSpec("e", server.url, engine="openai", auth=auth, timeout=0.25))
        assert (await endpoint.poll()).outcome is Outcome.ANSWERED
        await endpoint.close()


def wants(key: list[str]) -> Recorder | object:
    def answer(asked: Asked) -> Reply:
        good = asked.headers.get("authorization") == f"Bearer {key[0]}"
        return Reply(b"fine") if good else Reply({"error": "Unauthorized"}, 401)

    return answer


async def test_a_rotated_key_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    path.write_text("first-key")
    valid = ["first-key"]
    async with pages_server(wants(valid)) as server:  # type: ignore[arg-type]
        fetch = Fetch(Target(server.url, auth=Auth(file=path)))
        assert (await fetch.get("/")).body == b"fine"
        path.write_text("second-key")
        valid[0] = "second-key"
        with pytest.raises(Failure, match="401"):  # asked for a moment ago: not again
            await fetch.get("/")
        monkeypatch.setattr(keys, "_AGAIN_AFTER_S", 0.0)
        assert (await fetch.get("/")).body == b"fine"
        assert (await fetch.get("/")).body == b"fine"
        valid[0] = "third-key"
        with pytest.raises(Failure, match="401"):
            await fetch.get("/")
        await fetch.close()
    assert len(server.asked) == 7


async def test_without_a_key_nothing_is_sent() -> None:
    async with pages_server({"*": b""}) as server:
        fetch = Fetch(Target(server.url, auth=Auth(env="NO_SUCH")))
        for _ in range(2):
            with pytest.raises(Failure, match="NO_SUCH is not set"):
                await fetch.get("/")
        await fetch.close()
    assert not server.asked


@pytest.mark.parametrize(
    "reply",
    [
        Reply(f"you sent {SECRET}", 200),
        Reply({"error": f"key {SECRET} is wrong"}, 500),
        Reply({"error": {"message": f"Bearer {SECRET}"}}, 403),
        Reply({"detail": "".join(f"\\u{ord(c):04x}" for c in SECRET)}, 500),
        Reply(b"", 302, {"Location": f"https://example.org/{SECRET}"}),
        Reply(b"", 307, {"Location": SECRET}),
        Reply(b"x", 200, {"X-Echo": SECRET, "Set-Cookie": f"k={SECRET}"}),
        Reply({"error": "\u200b".join(SECRET)}, 500),
    ],
)
async def test_an_echoed_key_is_seen_nowhere(
    reply: Reply, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "httpcore.proxy", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    monkeypatch.setenv("MY_KEY", SECRET)
    seen: list[object] = []
    async with pages_server({"*": reply}) as server:
        for proxy in (None, server.url):
            fetch = Fetch(Target(server.url, auth=Auth(env="MY_KEY"), proxy=proxy))
            try:
                seen.append((await fetch.get("/")).body)
            except Failure as failure:
                seen += [failure, failure.reason, failure.args, failure.__cause__]
            seen += [fetch, fetch.target, fetch._key]
            await fetch.close()
        assert SECRET.encode() in server.everything
    assert SECRET not in repr(seen)
    assert SECRET not in caplog.text
    assert SECRET not in repr([vars(record) for record in caplog.records])


async def test_a_status_line_that_echoes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from fake_servers import raw_server

    monkeypatch.setenv("MY_KEY", SECRET)
    async with raw_server(f"HTTP/1.1 500 {SECRET}\r\nContent-Length: 0\r\n\r\n".encode()) as server:
        fetch = Fetch(Target(server.url, auth=Auth(env="MY_KEY")))
        with pytest.raises(Failure) as caught:
            await fetch.get("/")
        await fetch.close()
    assert caught.value.reason == "500: [key]"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=40), st.booleans())
async def test_any_key_is_cut_out_of_any_message(secret: str, as_json: bool) -> None:
    os.environ["FUZZ_KEY"] = secret
    async with pages_server({"*": Reply(json.dumps({"error": f"<{secret}>"}) if as_json else secret, 500)}) as server:
        fetch = Fetch(Target(server.url, auth=Auth(env="FUZZ_KEY")))
        with pytest.raises(Failure) as caught:
            await fetch.get("/")
        await fetch.close()
    del os.environ["FUZZ_KEY"]
    assert secret not in caught.value.reason.replace("[key]", "")
