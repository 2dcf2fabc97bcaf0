"""Webhooks against real servers on loopback, commands as real processes; the bell and the desktop by what they would do."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fake_servers import Asked, Reply, pages_server, serving
from quarterdeck.config.fleet import Auth
from quarterdeck.config.specs import SecretUrl, SinkSpec
from quarterdeck.engine.notifying.notice import CLEARED, RAISED, Notice, trial
from quarterdeck.engine.notifying.outbox import NotDeliveredError
from quarterdeck.engine.notifying.senders import Bell, Command, Desktop, Webhook, desktop_argv, is_usable, sender_for

NOW = 1_795_370_400.0
NOTICE = Notice(RAISED, trial(NOW), NOW)


async def reason(spec: SinkSpec) -> tuple[str, bool]:
    """Why it can't be told, and whether it never can be."""
    sender = sender_for(spec)
    with pytest.raises(NotDeliveredError) as caught:
        await sender.send(NOTICE)
    await sender.close()
    return caught.value.reason, caught.value.final


async def test_a_webhook_gets_the_alert_as_json_with_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "sesame-123456")
    async with pages_server(lambda _: Reply("ok", 201)) as server:
        spec = SinkSpec("pager", webhook=f"{server.url}/q", auth=Auth(env="PAGER"), headers={"X-Team": "search"})
        sender = Webhook(spec)
        await sender.send(NOTICE)
        await sender.send(replace_word(CLEARED))
        await sender.close()
        first, second = server.asked
    assert (first.method, first.target) == ("POST", "/q")
    assert first.headers["authorization"] == "Bearer sesame-123456"
    assert (first.headers["content-type"], first.headers["x-team"]) == ("application/json", "search")
    told = json.loads(first.body)
    assert (told["event"], told["sink"], told["alert"]["key"]) == ("raised", "pager", "test quarterdeck")
    assert json.loads(second.body)["event"] == "cleared"
    assert b"sesame" not in first.body + second.body


def replace_word(word: str) -> Notice:
    return NOTICE._replace(word=word)


async def test_a_webhook_that_is_down_slow_or_unwell() -> None:
    assert await reason(SinkSpec("s", webhook="http://127.0.0.1:9")) == ("connection refused", False)

    async def never(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        await asyncio.Event().wait()
        return True

    async with serving(never) as server:
        assert await reason(SinkSpec("s", webhook=server.url, timeout=0.1)) == ("no answer in 0.1 s", False)
    for status, final in (
        (500, False),
        (503, False),
        (404, False),
        (401, False),
        (429, False),
        (400, True),
        (422, True),
    ):
        async with pages_server({"*": Reply("go away", status)}) as server:
            said, forever = await reason(SinkSpec("s", webhook=server.url))
        assert str(status) in said
        assert forever is final
    async with pages_server(lambda _: Reply("", 302, {"Location": "http://127.0.0.1:9/elsewhere"})) as server:
        said, _ = await reason(SinkSpec("s", webhook=server.url))
        assert "redirects" in said
        assert len(server.asked) == 1


async def test_a_key_that_isn_t_there_is_said_and_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pages_server(lambda _: Reply("ok")) as server:
        sender = Webhook(SinkSpec("s", webhook=server.url, auth=Auth(env="PAGER")))
        with pytest.raises(NotDeliveredError, match="PAGER is not set"):
            await sender.send(NOTICE)
        monkeypatch.setenv("PAGER", "sesame-123456")
        await sender.send(NOTICE)
        await sender.close()
        assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer sesame-123456"]


async def test_a_url_that_is_a_secret_is_used_and_shown_nowhere(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        return (
            Reply("ok") if asked.target == "/services/T0/hush-hush?x=1" else Reply(f"no such hook {asked.target}", 404)
        )

    async with pages_server(answer) as server:
        (tmp_path / "url").write_text(f"{server.url}/services/T0/hush-hush?x=1\n")
        spec = SinkSpec("slack", webhook_from=SecretUrl(file=tmp_path / "url"))
        sender = Webhook(spec)
        await sender.send(NOTICE)
        await sender.close()
        (tmp_path / "url").write_text(f"{server.url}/services/T0/hush-hush-no-more")
        assert await reason(spec) == ("the server answers 404", False)
        for wrong in ("ftp://127.0.0.1/hush", "hush", "http://me:hush@127.0.0.1/"):
            (tmp_path / "url").write_text(wrong)
            said, _ = await reason(spec)
            assert "hush" not in said
        (tmp_path / "url").write_text("http://127.0.0.1:9/hush")
        assert await reason(spec) == ("connection refused", False)


def script(folder: Path, text: str) -> SinkSpec:
    path = folder / "page"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return SinkSpec("page", command=(str(path), "--now", "$HOME; rm -rf x"))


async def test_a_command_gets_the_alert_on_its_input_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out"
    spec = script(tmp_path, f"open({str(out)!r}, 'w').write(repr(sys.argv[1:]) + '\\n' + sys.stdin.read())")
    await Command(spec).send(NOTICE)
    argv, told, rest = out.read_text().split("\n")
    assert argv == repr(["--now", "$HOME; rm -rf x"])
    assert json.loads(told)["event"] == "raised"
    assert rest == ""


async def test_a_command_that_doesn_t_read_or_says_no(tmp_path: Path) -> None:
    await Command(script(tmp_path, "sys.stdin.close()")).send(NOTICE)
    failing = script(
        tmp_path, "print('x' * 100_000); print('first', 'no\\x1b[31m route', sep='\\n', file=sys.stderr); sys.exit(3)"
    )
    said, final = await reason(failing)
    assert said.endswith("ended with status 3: no route")
    assert not final
    assert (await reason(SinkSpec("s", command=("/no/such/program",))))[0].startswith("/no/such/program: No such file")


async def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    spec = script(
        tmp_path,
        f"child = os.fork()\nif child: open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\ntime.sleep(600)",
    )
    said, final = await reason(replace(spec, timeout=1.0))
    assert said.endswith("took over 1 s and was ended")
    assert not final
    for pid in map(int, pids.read_text().split()):
        assert ends(pid)


def ends(pid: int) -> bool:
    """Whether it has ended, or does in a moment: who is killed dies when it is its turn."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10.0)[0])
    finally:
        os.close(handle)


async def test_what_a_command_leaves_running_keeps_nobody_waiting(tmp_path: Path) -> None:
    spec = script(
        tmp_path,
        "child = os.fork()\nif not child:\n    time.sleep(30)\n    os._exit(0)\nprint(child, file=sys.stderr); sys.exit(1)",
    )
    said, _ = await reason(replace(spec, timeout=20.0))
    os.kill(int(said.rpartition(": ")[2]), 9)


def test_the_desktop_gets_text_as_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    nasty = replace(trial(NOW), what='<b>"; do shell script "rm"</b> --x', advice="<i>a & b</i>")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(sys, "platform", "linux")
    argv = desktop_argv(Notice(RAISED, nasty, NOW))
    assert argv is not None
    assert argv[:4] == ("notify-send", "--app-name=quarterdeck", "--urgency=critical", "--")
    assert argv[5] == "&lt;i&gt;a &amp; b&lt;/i&gt;"
    monkeypatch.setattr(sys, "platform", "darwin")
    argv = desktop_argv(Notice(CLEARED, nasty, NOW))
    assert argv is not None
    assert argv[0] == "osascript"
    assert 'do shell script "rm"' not in " ".join(argv[:-2])
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert desktop_argv(Notice(RAISED, nasty, NOW)) is None


async def test_where_there_is_no_desktop_or_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    desk, bell = SinkSpec("d", desktop=True), SinkSpec("b", bell=True)
    assert not is_usable(desk)
    assert await reason(desk) == ("there is neither notify-send nor osascript on this machine", True)
    monkeypatch.setattr(sys, "__stderr__", None)
    assert not is_usable(bell)
    assert (await reason(bell))[1]
    assert isinstance(sender_for(bell), Bell)
    assert isinstance(sender_for(desk), Desktop)
    assert is_usable(SinkSpec("w", webhook="http://127.0.0.1:9"))


async def test_the_bell_rings_on_the_terminal_once_for_a_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "__stderr__", terminal)
        spec = SinkSpec("b", bell=True)
        assert is_usable(spec)
        await Bell(spec).send(NOTICE)
        await Bell(spec).send(replace_word(CLEARED))
        os.write(theirs, b".")
        heard = b""
        while not heard.endswith(b"."):
            heard += os.read(ours, 100)
        assert heard == b"\a."
    os.close(ours)
