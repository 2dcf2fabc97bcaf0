"""Acts on Ollama, by its official client.

Sources: POST /api/pull, /api/generate without a prompt (load, keep, unload), /api/copy, DELETE /api/delete; GET /api/ps and /api/tags
to see what became of it. An option that differs from those a model was loaded with makes Ollama load it again, and so does a left-out one:
a model that is in memory is touched with the context length that it has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.endpoints.acting.common import Acting, Doing, model_of, option, refused, whole_option
from quarterdeck.endpoints.acting.line import PATIENCE, Patience
from quarterdeck.endpoints.acting.names import FOREVER, REGISTRY, keep_alive, name_of, same
from quarterdeck.endpoints.acting.ollama_client import Ollama
from quarterdeck.endpoints.acting.ollama_pull import Puller
from quarterdeck.format import count, size
from quarterdeck.model.job import Progress
from quarterdeck.wire.failure import Failure

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.endpoints.acting.base import Deed, Report
    from quarterdeck.endpoints.base import Tunnel

_NOT_GENERATING = "does not support generate"
Mine = Callable[[str], bool]


class Resident(NamedTuple):
    """A model in memory; bytes and tokens, ``None`` where not told."""

    name: str
    size: int | None
    vram: int | None
    context: int | None


class OllamaActor(Acting):
    """One Ollama."""

    server = "Ollama"

    def __init__(
        self,
        spec: EndpointSpec,
        tunnel: Tunnel | None = None,
        *,
        patience: Patience = PATIENCE,
        registry: str = f"https://{REGISTRY}",
    ) -> None:
        """``registry``: where Ollama's own library is."""
        super().__init__(spec, tunnel, patience=patience)
        self._ollama = Ollama(self.line)
        self._puller = Puller(self._ollama)
        self._registry = registry

    def deeds(self) -> Mapping[str, Doing]:
        """Action → what does it."""
        return {
            "pull": self._pull,
            "load": self._load,
            "unload": self._unload,
            "unload_all": self._unload_all,
            "pin": self._pin,
            "unpin": self._unpin,
            "delete": self._delete,
            "copy": self._copy,
            "rename": self._rename,
        }

    async def close(self) -> None:
        """Let go of the connections."""
        await self._ollama.close()

    async def _pull(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        if name_of(model) is None:
            raise refused("that is no model name: as in qwen3:8b")
        return await self._puller.pull(model, deed, report)

    async def _load(self, deed: Deed, report: Report) -> str:
        model, keep = model_of(deed), _keep(deed)
        context = whole_option(deed, "context")
        before = await self._resident()
        already = _find(before, model)
        report(Progress(f"keeping {model} in memory" if already else f"loading {model}"))
        started = time.monotonic()
        await self._touch(model, keep, context or (already.context if already else None))
        now = await self._until_in_memory(model)
        took = "" if already and already.context == now.context else f" in {time.monotonic() - started:.1f} s"
        return (
            f"{'was in memory' if not took else 'loaded'}{took}: {_described(now)}{await self._evicted(before, model)}"
        )

    async def _pin(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        already = _find(await self._resident(), model)
        report(Progress(f"pinning {model}" if already else f"loading {model}"))
        await self._touch(model, FOREVER, already.context if already else None)
        return f"stays in memory until it is unpinned: {_described(await self._until_in_memory(model))}"

    async def _unpin(self, deed: Deed, _: Report) -> str:
        model, keep = model_of(deed), _keep(deed)
        already = _find(await self._resident(), model)
        if already is None:
            return "is not in memory: nothing to unpin"
        await self._touch(model, keep, already.context)
        return "unpinned: goes when it wasn't used for " + ("the server's usual time" if keep is None else _told(keep))

    async def _unload(self, deed: Deed, report: Report) -> str:
        model = model_of(deed)
        was = _find(await self._resident(), model) is not None
        await self._expire(model)
        report(Progress("leaving memory"))
        left = await self._until_gone(lambda name: same(name, model), report)
        if left:
            return "a request still runs: it leaves memory when that ends"
        return "left memory" if was else "was not in memory"

    async def _unload_all(self, _: Deed, report: Report) -> str:
        names = [each.name for each in await self._resident()]
        if not names:
            return "nothing was in memory"
        for index, name in enumerate(names, 1):
            report(Progress(f"{name} leaves memory, {index} of {len(names)}"))
            await self._expire(name)
        left = await self._until_gone(lambda name: name in names, report)
        if left:
            return f"{len(names) - len(left)} left memory; requests still run on {', '.join(left)}"
        return f"{len(names)} left memory"

    async def _delete(self, deed: Deed, _: Report) -> str:
        model = model_of(deed)
        known = await self._digests()
        digest = next((known[name] for name in known if same(name, model)), None)
        await self._remove(model)
        shared = [name for name, other in known.items() if digest and other == digest and not same(name, model)]
        return f"deleted; its bytes stay for {', '.join(shared[:3])}" if shared else "deleted"

    async def _copy(self, deed: Deed, _: Report) -> str:
        return await self._copied(model_of(deed), _destination(deed))

    async def _rename(self, deed: Deed, _: Report) -> str:
        model, destination = model_of(deed), _destination(deed)
        await self._copied(model, destination)
        known = await self._digests()
        if _digest(known, model) != _digest(known, destination):
            raise refused(f"copied, but {destination} is not what {model} is: nothing was deleted")
        try:
            await self._remove(model)
        except Failure as failure:
            words = f"copied to {destination}, but {model} couldn't be deleted ({failure.reason}): both exist"
            raise Failure(failure.outcome, words, status=failure.status) from None
        return f"is called {destination} now"

    async def _copied(self, model: str, destination: str) -> str:
        """Refuses to give a name away that is another model's: the server would, without a word."""
        if same(model, destination):
            raise refused(f"{destination} is its name already")
        known = await self._digests()
        source, there = _digest(known, model), _digest(known, destination)
        if source is None:
            raise refused(f"model '{model}' not found")
        if there == source:
            return f"{destination} was a name of it already"
        if there is not None or any(same(name, destination) for name in known):
            raise refused(f"{destination} is the name of another model: delete that first, or choose another name")
        async with self._ollama.asking() as client:
            await client.copy(model, destination)
        return f"copied to {destination}"

    async def show(self, model: str) -> Mapping[str, object]:
        """What /api/show and /api/tags tell of it; see `ollama_show`. Raises Failure."""
        from quarterdeck.endpoints.acting.ollama_show import shown

        told = await self.line.asked("/api/show", {"model": model})
        listing = await self.line.json("/api/tags")
        return shown(model, told, listing, self.line.fetch.redacted)

    async def newer(self, model: str) -> str:
        """Whether the registry has another one under its tag; see `registry`. Raises Failure."""
        from quarterdeck.endpoints.acting import registry
        from quarterdeck.wire.body import mapping

        name = name_of(model)
        if name is None:
            raise refused("that is no model name: as in qwen3:8b")
        if name.tag.endswith("cloud"):
            return "runs at ollama.com: nothing to update here"
        digest = _digest(await self._digests(), model)
        if digest is None:
            raise refused(f"model '{model}' not found")
        manifest = await registry.manifest_of(name, self._registry)
        if manifest is None:
            return registry.NOT_THERE
        modelfile = mapping(await self.line.asked("/api/show", {"model": model})).get("modelfile")
        return registry.compared(digest, manifest, modelfile if isinstance(modelfile, str) else "")

    async def _resident(self) -> list[Resident]:
        async with self._ollama.asking() as client:
            models = (await client.ps()).models
        return [Resident(m.model or m.name or "", m.size, m.size_vram, m.context_length) for m in models]

    async def _digests(self) -> dict[str, str]:
        """Model → digest of its manifest."""
        async with self._ollama.asking() as client:
            models = (await client.list()).models
        return {m.model: m.digest or "" for m in models if m.model}

    async def _touch(self, model: str, keep: float | str | None, context: int | None) -> None:
        """Have it in memory for ``keep`` from now on, loading it if needed, with ``context`` or its own default."""
        options = {"num_ctx": context} if context else None
        async with self._ollama.asking(self.patience.load_s) as client:
            try:
                await client.generate(model, keep_alive=keep, options=options)
            except Exception as error:
                if _NOT_GENERATING not in str(error):
                    raise
                await client.embed(model, "", keep_alive=keep, options=options)

    async def _expire(self, model: str) -> None:
        async with self._ollama.asking() as client:
            await client.generate(model, keep_alive=0)

    async def _remove(self, model: str) -> None:
        async with self._ollama.asking() as client:
            await client.delete(model)

    async def _until_in_memory(self, model: str) -> Resident:
        async def seen() -> Resident | None:
            return _find(await self._resident(), model)

        found = await self.line.until(seen, within=self.patience.settle_s)
        if found is None:
            raise refused(
                "the server says that it loaded the model, but doesn't list it in memory: was it evicted at once?"
            )
        return found

    async def _until_gone(self, mine: Mine, report: Report) -> list[str]:
        """Those that are still in memory when patience is over; they stay until their running requests end."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while True:
            left = [each.name for each in await self._resident() if mine(each.name)]
            waited = loop.time() - begin
            if not left or waited >= self.patience.drain_s:
                return left
            if waited >= self.patience.settle_s / 4:
                report(Progress("waiting for running requests to end"))
            await asyncio.sleep(self.patience.poll_s)

    async def _evicted(self, before: Sequence[Resident], model: str) -> str:
        now = await self._resident()
        gone = [each.name for each in before if not same(each.name, model) and _find(now, each.name) is None]
        return f"; evicted {', '.join(gone)}" if gone else ""


def _find(resident: Sequence[Resident], model: str) -> Resident | None:
    return next((each for each in resident if same(each.name, model)), None)


def _digest(known: Mapping[str, str], model: str) -> str | None:
    return next((digest or None for name, digest in known.items() if same(name, model)), None)


def _destination(deed: Deed) -> str:
    destination = option(deed, "destination")
    if name_of(destination) is None:
        raise refused("the new name is no model name: as in qwen3:mine")
    return destination


def _keep(deed: Deed) -> float | str | None:
    try:
        return keep_alive(deed.order.options.get("keep_alive"))
    except ValueError as error:
        raise refused(str(error)) from None


def _told(keep: float | str) -> str:
    return keep if isinstance(keep, str) else f"{keep:g} s"


def _described(model: Resident) -> str:
    """ "5.2 GiB, all on the GPU, 32768 tokens of context"."""
    parts = [] if not model.size else [size(model.size)]
    if model.size and model.vram is not None:
        share = min(1.0, model.vram / model.size)
        parts.append({1.0: "all on the GPU", 0.0: "none of it on a GPU"}.get(share) or f"{share:.0%} on the GPU")
    return ", ".join([*parts, *([f"{count(model.context)} tokens of context"] if model.context else [])]) or model.name
