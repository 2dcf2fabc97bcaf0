"""Saving a deployment into the user's own file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.config.load import load, loads
from quarterdeck.config.save import save_deployment
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.config.write import init_text
from quarterdeck.errors import ConfigError, UsageError
from quarterdeck.model.fleet import Boundary

BEFORE = """\
# the fleet of a person with opinions

[limits]      # odd place
warn_waiting=5 # more than that is bad

[[endpoint]]
url    = 'http://127.0.0.1:8000'  # stays
name   = "a"

[[deployment]]  # the first
endpoint = "a"
name = "a"   # its name
# what is run
run = [
    "old",   # old
]
cwd = "/tmp"
# the end of it

[[host]]
name = "me"
"""
A = DeploymentSpec("a", "a", run=("vllm", "serve", 'we "ird\\'), env={"A": "b c"})
B = DeploymentSpec("b", "b", driver="docker", container="x y", stop_within=5.0)
ENDPOINT_B = EndpointSpec("b", "http://127.0.0.1:9000", engine="vllm", boundary=Boundary.LOCAL)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(BEFORE)
    return path


def leftovers(file: Path) -> list[str]:
    return [path.name for path in file.resolve().parent.iterdir() if path.name not in ("fleet.toml", "link.toml")]


def test_comments_and_order_survive(file: Path) -> None:
    save_deployment(file, A, None)
    save_deployment(file, B, ENDPOINT_B)
    assert file.read_text() == BEFORE.replace(
        'run = [\n    "old",   # old\n]\ncwd = "/tmp"\n# the end of it\n\n',
        'run = ["vllm", "serve", "we \\"ird\\\\"]\n# the end of it\ndriver = "process"\nenv = { "A" = "b c" }\n\n'
        '[[deployment]]\nname = "b"\nendpoint = "b"\ndriver = "docker"\ncontainer = "x y"\nstop_within = "5s"\n\n',
    ).replace(
        'name   = "a"\n\n',
        'name   = "a"\n\n[[endpoint]]\nname = "b"\nurl = "http://127.0.0.1:9000"\nengine = "vllm"\n\n',
    )
    config = load(file).config
    assert config.deployments == (A, B)
    assert config.endpoints[1] == ENDPOINT_B
    assert leftovers(file) == []


def test_saving_it_again_changes_nothing(file: Path) -> None:
    save_deployment(file, A, None)
    once = file.read_bytes()
    save_deployment(file, A, EndpointSpec("a", "http://127.0.0.1:8000", poll=3.0))
    assert file.read_bytes() == once


def test_a_new_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "fleet.toml"
    save_deployment(path, B, ENDPOINT_B)
    assert path.read_text().startswith(init_text().rstrip("\n"))
    assert load(path).config.deployments == (B,)


def test_line_ends_and_the_mark_before_them_stay(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + BEFORE.replace("\n", "\r\n").encode())
    save_deployment(file, B, ENDPOINT_B)
    data = file.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf# the fleet")
    assert data.count(b"\n") == data.count(b"\r\n") > BEFORE.count("\n")
    assert load(file).config.deployments[1] == B


def test_mode_and_link_stay(file: Path) -> None:
    file.chmod(0o640)
    link = file.with_name("link.toml")
    link.symlink_to("fleet.toml")
    save_deployment(link, B, ENDPOINT_B)
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert load(file).config.deployments[1] == B


def test_a_file_with_problems_is_left_alone(file: Path) -> None:
    for text in (BEFORE + "[limitz]\n", BEFORE + "[["):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r"fleet.toml:") as caught:
            save_deployment(file, B, ENDPOINT_B)
        assert caught.value.hint == "Nothing was saved: repair the file first."
        assert file.read_text() == text


@pytest.mark.parametrize(
    ("spec", "endpoint", "words"),
    [
        (B, None, '"b" is not a declared endpoint; known: "a"'),
        (DeploymentSpec("c", "a"), None, 'the driver "process" needs it'),
        (DeploymentSpec("c", "a", run=("x", "--api-key", "s3cr3t")), None, "is a key by the option before it"),
        (DeploymentSpec("c", "a", run=("x",), env={"HF_TOKEN": "s3cr3t"}), None, "looks like a secret"),
        (DeploymentSpec("c\n", "a", run=("x",)), None, "expected a name such as"),
    ],
)
def test_what_would_be_a_problem_is_not_saved(
    file: Path, spec: DeploymentSpec, endpoint: EndpointSpec | None, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        save_deployment(file, spec, endpoint)
    assert words in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert file.read_text() == BEFORE


def test_another_endpoint_of_that_name_is_not_replaced(file: Path) -> None:
    with pytest.raises(UsageError, match='there is an endpoint "a" with another URL; nothing was saved'):
        save_deployment(file, A, EndpointSpec("a", "http://127.0.0.1:1"))
    with pytest.raises(UsageError, match='the key of "b" can\'t be saved from here'):
        save_deployment(file, B, EndpointSpec("b", "http://127.0.0.1:1", auth=Auth(env="KEY")))
    assert file.read_text() == BEFORE


def test_a_full_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="can't be written: No space left on device; nothing was saved"):
        save_deployment(file, B, ENDPOINT_B)
    assert file.read_text() == BEFORE
    assert leftovers(file) == []


def test_what_another_program_wrote_meanwhile_is_not_lost(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: file.write_text(BEFORE + "# mine\n"))
    with pytest.raises(UsageError, match="was changed by another program in the meantime"):
        save_deployment(file, B, ENDPOINT_B)
    assert file.read_text() == BEFORE + "# mine\n"
    assert leftovers(file) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours(file: Path) -> None:
    file.parent.chmod(0o555)
    with pytest.raises(UsageError, match="can't be written: Permission denied"):
        save_deployment(file, B, ENDPOINT_B)
    file.parent.chmod(0o755)


WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@given(NAMES, st.lists(WORDS, max_size=4).map(lambda words: ("vllm", *words)))
def test_whatever_is_saved_is_given_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, run: tuple[str, ...]
) -> None:
    file = tmp_path_factory.mktemp("save") / "fleet.toml"
    file.write_text(BEFORE)
    spec = DeploymentSpec(name, "a", run=run)
    try:
        save_deployment(file, spec, None)
    except ConfigError:  # what looks like a key
        assert file.read_text() == BEFORE
        return
    assert spec in load(file).config.deployments
    assert loads(file.read_text(), file).problems == ()
