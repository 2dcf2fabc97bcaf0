"""Links of the docs lead somewhere, their command lines are ones the program takes, and all pages are in the index."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.cli.parser import parse
from quarterdeck.config.load import load

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PLACEHOLDER = re.compile(r"[\[\]|…⋯]|\b(?:COMMAND|NUMBER|SECONDS)\b")
"""What stands for several command lines is none."""
_SHELL = re.compile(r"\s(?:\||>|&&|;|#)\s.*$")


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(_without_code(page.read_text("utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def test_the_index_has_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = set(_LINK.findall(index.read_text("utf-8")))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"} <= linked
    assert "docs/README.md" in _LINK.findall((ROOT / "README.md").read_text("utf-8"))


def command_lines(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8")
    for _, block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            bare = line.strip().removeprefix("$ ").removeprefix("uv run ")
            if bare.startswith("quarterdeck"):
                yield re.sub(r"\s{2,}\S.*$", "", bare) if "  " in bare else bare
    prose = _FENCE.sub("", text)
    yield from (line.strip() for line in re.findall(r"^    (quarterdeck(?: .*)?)$", prose, re.MULTILINE))
    for line in re.findall(r"`(quarterdeck(?:[ \n][^`]*)?)`", prose):
        yield " ".join(line.replace("\\|", "|").split())


LINES = sorted({(page.name, line) for page in PAGES for line in command_lines(page) if not _PLACEHOLDER.search(_SHELL.sub("", line))})  # fmt: skip


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}:{line}" for page, line in LINES])
def test_command_lines_are_ones_the_program_takes(page: str, line: str) -> None:
    words = shlex.split(_SHELL.sub("", line), comments=True)
    if any(word in ("--help", "--version") for word in words):
        return
    assert parse(words[1:]).command, page


def test_there_are_command_lines() -> None:
    assert len(LINES) > 60


def test_the_fleet_of_its_page_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sk-example")
    blocks = _FENCE.findall((ROOT / "docs" / "watch-a-fleet.md").read_text("utf-8"))
    file = tmp_path / "fleet.toml"
    file.write_text(next(block for kind, block in blocks if kind == "toml"))
    found = load(str(file))
    assert not found.problems
    assert [endpoint.name for endpoint in found.config.endpoints] == ["qwen-chat", "llama-70b"]
