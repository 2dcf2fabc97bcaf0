"""A model's files, a port, a program, as they are on this machine."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from fakes import endpoint_view, snapshot
from quarterdeck.engine.preflight import Check
from quarterdeck.engine.preflight.hub import NoSuchFolder, cache_folder, local_facts
from quarterdeck.engine.preflight.ports import port_check, program_check
from quarterdeck.model.estimate import Architecture, Unknown

CONFIGS = Path(__file__).parent.parent / "data" / "model_configs"


def hub(home: Path, name: str = "org--m", commit: str = "abc") -> Path:
    folder = home / f"models--{name}" / "snapshots" / commit
    folder.mkdir(parents=True)
    shutil.copy(CONFIGS / "qwen3-8b.json", folder / "config.json")
    return folder


def test_the_cache_is_read(tmp_path: Path) -> None:
    old = hub(tmp_path, commit="old")
    new = hub(tmp_path, commit="new")
    os.utime(old, (1, 1))
    (new / "model-1.safetensors").write_bytes(b"x" * 1000)
    (new / "model-2.safetensors").write_bytes(b"x" * 500)
    environment = {"HF_HUB_CACHE": str(tmp_path)}
    found = local_facts("org/m", environment)
    assert isinstance(found.arch, Architecture)
    assert (found.arch.heads, found.file_bytes) == (32, 1500)
    (new / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 16_381_470_720}}))
    assert local_facts("org/m", environment).file_bytes == 16_381_470_720
    refs = tmp_path / "models--org--m" / "refs"
    refs.mkdir()
    (refs / "main").write_text("old")
    assert local_facts("org/m", environment).file_bytes is None
    (refs / "main").write_text("../../../../etc")
    assert local_facts("org/m", environment).file_bytes == 16_381_470_720


def test_folders_are_read_from_where_the_server_runs(tmp_path: Path) -> None:
    folder = hub(tmp_path)
    assert isinstance(local_facts(str(folder), {}).arch, Architecture)
    assert isinstance(local_facts("./snapshots/abc", {}, cwd=tmp_path / "models--org--m").arch, Architecture)


@pytest.mark.parametrize("name", ["/no/such", "./no", "../up", "~/m", "a/b/c", "-x", "a b"])
def test_folders_that_are_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(NoSuchFolder):
        local_facts(name, {"HF_HUB_CACHE": str(tmp_path)}, cwd=tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": 7}', "\x00" * 50, '{"model_type": "llama"}'])
def test_bad_configs_are_unknown(text: str, tmp_path: Path) -> None:
    (hub(tmp_path) / "config.json").write_text(text)
    assert isinstance(local_facts("org/m", {"HF_HUB_CACHE": str(tmp_path)}).arch, Unknown)


def test_what_is_not_there_yet_is_named(tmp_path: Path) -> None:
    found = local_facts("org/other", {"HF_HUB_CACHE": str(tmp_path)})
    assert isinstance(found.arch, Unknown)
    assert found.arch.what == (f"its size and shape: it is not in {tmp_path} yet, and has to be downloaded",)


def test_the_cache_is_where_the_hub_looks() -> None:
    assert cache_folder({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}) == Path("/a")
    assert cache_folder({"HF_HOME": "/b"}) == Path("/b/hub")
    assert cache_folder({"XDG_CACHE_HOME": "/c", "HOME": "/h"}) == Path("/c/huggingface/hub")
    assert cache_folder({"HOME": "/h"}) == Path("/h/.cache/huggingface/hub")


# ---- ports and programs


def test_a_port_on_which_somebody_listens_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        seen = snapshot(endpoint_view("first", url=f"http://127.0.0.1:{port}"))
        assert port_check("", port, seen) == [Check("bad", f"port {port} is taken by first: something answers there")]
        assert port_check("0.0.0.0", port, snapshot())[0].level == "bad"
    assert port_check("127.0.0.1", port, snapshot()) == []


def test_a_server_that_only_bound_its_port_is_seen() -> None:
    with socket.socket() as loading:
        loading.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        loading.bind(("127.0.0.1", 0))
        [found] = port_check("", loading.getsockname()[1], snapshot())
    assert found.level == "warn"
    assert "is held" in found.text


def test_ports_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert port_check("127.0.0.1", 70_000, snapshot())[0].level == "bad"

    refusals: list[int] = []

    def refuse(*_: object) -> None:
        raise OSError(refusals[-1], "x")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    for code, words in ((errno.EACCES, "may not"), (errno.EADDRNOTAVAIL, "no address"), (errno.ENOBUFS, "can't be tried")):  # fmt: skip
        refusals.append(code)
        assert words in port_check("127.0.0.1", 1, snapshot())[0].text


def test_programs(tmp_path: Path) -> None:
    assert program_check("sh", None, {}) == []
    assert "not found on the search path" in program_check("sh", None, {"PATH": str(tmp_path)})[0].text
    plain = tmp_path / "vllm"
    plain.write_text("")
    assert "can't be run" in program_check(str(plain), None, {})[0].text
    plain.chmod(0o755)
    assert program_check("vllm", None, {"PATH": str(tmp_path)}) == []
    assert program_check("./vllm", tmp_path, {}) == []
    assert "is not found" in program_check("./other", tmp_path, {})[0].text
