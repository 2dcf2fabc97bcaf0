"""A gateway inside that forwards outside: `quarterdeck compare` sends there what may leave only."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from fake_servers import Reply, pages_server
from quarterdeck.cli import main

CHAT = "/v1/chat/completions"
STREAMED = b'data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def page(value: object) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def entry(name: str, model: str, address: str) -> dict[str, object]:
    return {"model_name": name, "litellm_params": {"model": model, "api_base": address}, "model_info": {"id": name}}


PAGES = {
    "/health/readiness": page({"status": "healthy"}),
    "/v1/models": page({"object": "list", "data": [{"id": "inner"}, {"id": "outer"}]}),
    "/model/info": page(
        {
            "data": [
                entry("inner", "openai/x", "http://127.0.0.1:9/v1"),
                entry("outer", "openai/gpt", "https://api.openai.com/v1"),
            ]
        }
    ),
    CHAT: Reply(STREAMED, headers={"Content-Type": "text/event-stream"}),
    "*": Reply(b"", status=404),
}


@pytest.mark.parametrize("cases", [False, True])
@pytest.mark.parametrize(
    ("policy", "options", "models", "sent"),
    [
        ("never", ("--allow-external",), ("outer",), 0),
        ("never", (), ("inner",), 1),
        ("ask", (), ("outer",), 0),
        ("ask", (), ("inner", "outer"), 0),
        ("ask", ("--allow-external",), ("inner", "outer"), 2),
        ("allow", (), ("outer",), 1),
    ],
)
async def test_what_a_gateway_forwards_outside(
    *, policy: str, options: tuple[str, ...], models: tuple[str, ...], sent: int, cases: bool,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.jsonl").write_text('{"prompt": "Hi"}\n')
    what = ["--cases", "cases.jsonl"] if cases else ["Hi", "--json"]
    async with pages_server(PAGES) as server:
        fleet = f'[[endpoint]]\nname = "gw"\nurl = "{server.url}"\nengine = "litellm"\nboundary = "vpc"\n'
        (tmp_path / "fleet.toml").write_text(f'{fleet}[policy]\nexternal = "{policy}"\n')
        asked = [part for model in models for part in ("-m", f"{model}@gw")]
        code = await asyncio.to_thread(main, ["compare", *what, *asked, *options])
        posted = [one for one in server.asked if CHAT in str(one)]
    assert len(posted) == sent
    assert (code == 2) is (sent == 0)
    if not sent:
        assert "api.openai.com" in capsys.readouterr().err
