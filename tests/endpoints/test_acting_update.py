"""Whether the registry has another model under the same tag."""

from __future__ import annotations

import hashlib
import json

import pytest

from acting_demo import acting
from fake_servers import Reply, free_port, pages_server
from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.endpoints.acting.registry import NEWER, NOT_THERE, SAME_WEIGHTS, UP_TO_DATE
from quarterdeck.wire.failure import Failure

WEIGHTS = "a" * 64
MODELFILE = f"# FROM x\n\nFROM /srv/models/blobs/sha256-{WEIGHTS}\nTEMPLATE x\n"


def manifest(*layers: tuple[str, str]) -> bytes:
    kinds = [
        {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}"} for kind, digest in layers
    ]
    return json.dumps({"schemaVersion": 2, "layers": kinds}).encode()


MINE = manifest(("model", WEIGHTS), ("template", "b" * 64))
DIGEST = hashlib.sha256(MINE).hexdigest()


async def newer(
    upstream: Reply | bytes | None, model: str = "qwen3:8b", monkeypatch: pytest.MonkeyPatch | None = None
) -> str:
    """What the actor says; ``upstream``: the registry's answer for qwen3:8b."""
    tags = {"models": [{"model": name, "digest": DIGEST} for name in ("qwen3:8b", "me/mine:latest", "big:cloud")]}
    there = {"/v2/library/qwen3/manifests/8b": upstream} if upstream is not None else {}
    auth = None
    if monkeypatch is not None:
        monkeypatch.setenv("OWN", "sk-own-0123456789")
        auth = Auth(env="OWN")
    async with (
        pages_server({"/api/tags": tags, "/api/show": {"modelfile": MODELFILE, "details": {}}}) as server,
        pages_server(there) as registry,
        acting(
            EndpointSpec("e", server.url, auth=auth, headers={"X-Team": "t"}), "ollama", registry=registry.url
        ) as acted,
    ):
        said = await acted.actor.newer(model)
        assert b"sk-own" not in registry.everything
        assert b"X-Team" not in registry.everything
        return said


@pytest.mark.parametrize(
    ("upstream", "words"),
    [
        (MINE, UP_TO_DATE),
        (MINE + b"\n", SAME_WEIGHTS),
        (manifest(("model", WEIGHTS), ("template", "c" * 64)), SAME_WEIGHTS),
        (manifest(("model", "d" * 64)), NEWER),
        (json.dumps({"manifests": [{"digest": f"sha256:{DIGEST}"}]}).encode(), UP_TO_DATE),
        (json.dumps({"manifests": [{"digest": "sha256:" + "e" * 64}]}).encode(), NEWER),
        (None, NOT_THERE),
    ],
)
async def test_what_the_registry_has(upstream: bytes | None, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await newer(upstream, monkeypatch=monkeypatch) == words


async def test_names_of_others() -> None:
    assert await newer(None, "me/mine") == NOT_THERE
    assert await newer(None, "big:cloud") == "runs at ollama.com: nothing to update here"
    with pytest.raises(Failure, match="model 'gone' not found"):
        await newer(MINE, "gone")


@pytest.mark.parametrize("rubbish", [b"<html>", b"{}", b'{"layers":[7]}', b""])
async def test_rubbish_from_the_registry(rubbish: bytes) -> None:
    with pytest.raises(Failure, match="the registry's answer is no manifest"):
        await newer(rubbish)


async def test_a_registry_that_can_not_be_reached() -> None:
    with pytest.raises(Failure, match=r"the registry can't be reached \(500: X\)"):
        await newer(Reply(b"", 500))
    async with pages_server({"/api/tags": {"models": [{"model": "qwen3:8b", "digest": DIGEST}]}}) as server:
        nobody = f"http://127.0.0.1:{free_port()}"
        async with acting(EndpointSpec("e", server.url), "ollama", registry=nobody) as acted:
            with pytest.raises(Failure, match=r"the registry can't be reached \(connection refused\)"):
                await acted.actor.newer("qwen3:8b")
