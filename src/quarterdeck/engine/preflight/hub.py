"""A Hugging Face model as it lies on this machine: a folder, or the hub's cache. Reads files, asks nobody."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from quarterdeck.engine.preflight.facts import ModelFacts
from quarterdeck.model.estimate import Unknown, from_hf_config
from quarterdeck.wire.body import mapping, parse, whole

_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?")
_LARGEST_CONFIG = 2**20
_LARGEST_INDEX = 16 * 2**20
_MOST_FILES = 2000
_INDEX = "model.safetensors.index.json"


class NoSuchFolder(ValueError):  # noqa: N818  (it is an answer)
    """The model is named by a folder that isn't there; in words."""


def local_facts(
    model: str, environment: Mapping[str, str], download_dir: str | None = None, cwd: Path | None = None
) -> ModelFacts:
    """What its files tell; an architecture that names what is missing where they tell nothing. Blocks.

    Raises NoSuchFolder.
    """
    try:
        folder = _folder(model, environment, download_dir, cwd or Path())
        if isinstance(folder, str):
            return ModelFacts(Unknown((folder,)))
        config = mapping(parse(_head(folder / "config.json", _LARGEST_CONFIG)))
        if not config:
            return ModelFacts(Unknown((f"its config.json, which can't be read in {folder}",)))
        return ModelFacts(from_hf_config(config), _weights(folder))
    except NoSuchFolder:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        return ModelFacts(Unknown((f"its files ({getattr(error, 'strerror', None) or type(error).__name__})",)))


def _folder(model: str, environment: Mapping[str, str], download_dir: str | None, cwd: Path) -> Path | str:
    """Where it lies, or in words what is missing."""
    direct = cwd / model
    if direct.is_dir():
        return direct
    if model.endswith(".gguf"):
        return "its layers and heads, which are not read from GGUF files here"
    if model.startswith("~"):
        raise NoSuchFolder(f"there is no folder {model}: no shell reads this command, so ~ is not home")
    if model.startswith(("/", ".")) or not _ID.fullmatch(model):
        raise NoSuchFolder(f"there is no folder {model}")
    cache = Path(download_dir).expanduser() if download_dir else cache_folder(environment)
    home = cache / f"models--{model.replace('/', '--')}"
    snapshot = _snapshot(home)
    return snapshot or f"its size and shape: it is not in {cache} yet, and has to be downloaded"


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where the hub's cache is, as huggingface_hub looks for it."""
    told = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE")
    if told:
        return Path(told).expanduser()
    home = environment.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    cache = environment.get("XDG_CACHE_HOME")
    user = Path(environment.get("HOME") or Path.home())
    return (Path(cache) if cache else user / ".cache") / "huggingface" / "hub"


def _snapshot(home: Path) -> Path | None:
    """The commit that "main" is, else the newest that there is."""
    snapshots = home / "snapshots"
    reference = home / "refs" / "main"
    if reference.is_file():
        named = snapshots / _head(reference, 200).decode(errors="replace").strip()
        if named.parent == snapshots and (named / "config.json").is_file():
            return named
    if not snapshots.is_dir():
        return None
    there = [each for each in list(snapshots.iterdir())[:_MOST_FILES] if (each / "config.json").is_file()]
    return max(there, key=lambda each: each.stat().st_mtime, default=None)


def _weights(folder: Path) -> int | None:
    """Bytes of its weights: as the index says, for some files may not be there yet; else of the files."""
    index = folder / _INDEX
    if index.is_file():
        told = mapping(parse(_head(index, _LARGEST_INDEX)))
        total = whole(mapping(told.get("metadata")).get("total_size"))
        if total:
            return total
    for ending in (".safetensors", ".bin", ".pt"):
        sizes = [
            entry.stat().st_size
            for place, entry in enumerate(os.scandir(folder))
            if place < _MOST_FILES and entry.name.endswith(ending) and entry.is_file()
        ]
        if sizes:
            return sum(sizes) or None
    return None


def _head(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)
