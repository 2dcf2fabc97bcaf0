"""Whether a model's registry has another one under the same tag.

The digest in Ollama's /api/tags is the sha256 of the manifest file, which is the registry's as it was (Ollama before 0.19 wrote it
anew, so that the same model could have another digest). Where they differ, the weights' digests are compared: the local one is named in the
FROM line of /api/show's modelfile.
"""

from __future__ import annotations

import hashlib
import re

from quarterdeck.endpoints.acting.names import REGISTRY, Name
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import items, mapping, parse
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target

UP_TO_DATE = "up to date"
NEWER = "newer upstream"
SAME_WEIGHTS = "same weights upstream; its template or settings may differ"
NOT_THERE = "not in the registry: made here, or taken away there"
_WEIGHTS = "application/vnd.ollama.image.model"
_ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
_BLOB = re.compile(r"^FROM \S{0,4096}sha256[-:]([0-9a-f]{64})\s*$", re.MULTILINE)
_DEADLINE_S = 15.0
_MOST_BYTES = 2**20


async def manifest_of(name: Name, registry: str) -> bytes | None:
    """The manifest as the registry has it now, ``None`` where it has none. No key of ours is sent.

    ``registry``: URL of Ollama's own. Raises Failure where it can't be reached.
    """
    url = registry.rstrip("/") if name.host == REGISTRY else f"https://{name.host}"
    fetch = Fetch(Target(url, _DEADLINE_S, {"Accept": _ACCEPT}))
    try:
        path = f"/v2/{name.namespace}/{name.model}/manifests/{name.tag}"
        return (await fetch.get(path, most=_MOST_BYTES)).body
    except Failure as failure:
        if failure.status == 404:
            return None
        raise Failure(failure.outcome, f"the registry can't be reached ({failure.reason})") from None
    finally:
        await fetch.close()


def compared(digest: str, manifest: bytes, modelfile: str) -> str:
    """What ``manifest`` of the registry is to the local model whose manifest has ``digest``, in words."""
    told = mapping(parse(manifest))
    if hashlib.sha256(manifest).hexdigest() == digest:
        return UP_TO_DATE
    children = {mapping(child).get("digest") for child in items(told.get("manifests"))}
    if children:
        return UP_TO_DATE if f"sha256:{digest}" in children else NEWER
    layers = [layer for each in items(told.get("layers")) if isinstance((layer := mapping(each)).get("digest"), str)]
    if not layers:
        raise Failure(Outcome.FOREIGN, "the registry's answer is no manifest")
    weights = {str(layer.get("digest")) for layer in layers if layer.get("mediaType") == _WEIGHTS}
    local = {f"sha256:{blob}" for blob in _BLOB.findall(modelfile)}
    return SAME_WEIGHTS if weights and weights <= local else NEWER
