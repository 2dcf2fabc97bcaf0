"""Which model a file of Ollama's store belongs to, by the manifests that lie beside it."""

from __future__ import annotations

import os
from pathlib import Path

from quarterdeck.format import printable
from quarterdeck.wire.body import items, mapping, parse

_MOST_MANIFESTS = 2000
_LARGEST = 256 * 1024
_REGISTRY = "registry.ollama.ai"
_LIBRARY = "library"


def names_of(blob: str) -> tuple[str, ...]:
    """The models made of ``blob`` ("…/models/blobs/sha256-…"), as Ollama lists them; () where nothing can be read."""
    path = Path(blob)
    digest = path.name.replace("-", ":", 1)
    manifests = path.parent.parent / "manifests"
    found: list[str] = []
    seen = 0
    for folder, _, files in os.walk(manifests):
        for name in sorted(files):
            seen += 1
            if seen > _MOST_MANIFESTS:
                return tuple(found)
            manifest = Path(folder, name)
            if _holds(manifest, digest):
                found.append(_listed(manifest.relative_to(manifests).parts))
    return tuple(found)


def _holds(manifest: Path, digest: str) -> bool:
    try:
        with manifest.open("rb") as file:
            layers = items(mapping(parse(file.read(_LARGEST))).get("layers"))
    except OSError:
        return False
    return any(mapping(layer).get("digest") == digest for layer in layers)


def _listed(parts: tuple[str, ...]) -> str:
    """Registry, namespace, model, tag → "model:tag", with what isn't the default before it."""
    *where, tag = parts
    if where[:1] == [_REGISTRY]:
        del where[0]
        if where[:1] == [_LIBRARY]:
            del where[0]
    return printable("/".join(where) + ":" + tag, 200)
