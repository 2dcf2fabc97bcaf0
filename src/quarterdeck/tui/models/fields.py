"""What can be asked of a model in the filter."""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.model.models import ModelState
from quarterdeck.model.query.field import Around, Field, Vocabulary
from quarterdeck.model.query.values import Kind, amount
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.models.rows import IN_MEMORY, ModelRow, told_of
from quarterdeck.tui.states import look


def _where(row: ModelRow, _: Around) -> Iterable[str]:
    """As the column has it, and as it is called in JSON."""
    if not row.answers:
        return (look(row.view.state).word,)
    return (model_look(row.model.state).word, row.model.state.value)


def _in_memory(row: ModelRow) -> bool | None:
    return None if not row.answers or row.model.state is ModelState.SERVED else row.model.state in IN_MEMORY


def _yes(known: bool | None) -> tuple[str, ...]:
    return () if known is None else ("yes",) if known else ("no",)


def _on_gpu(row: ModelRow, _: Around) -> float | None:
    model = row.model
    return model.vram_bytes / model.size_bytes if model.vram_bytes is not None and model.size_bytes else None


def _parameters(row: ModelRow, _: Around) -> float | None:
    """As a number, where the server words it as one ("8.0B")."""
    told = amount((row.model.parameters or "")[:40], Kind.COUNT)
    return told.value if told is not None else None


def _stays(row: ModelRow, around: Around) -> float | None:
    ends = row.model.expires_at
    return max(0.0, ends - around.unix) if ends is not None else None


MODELS: Vocabulary[ModelRow] = Vocabulary(
    (
        Field("name", "As its server calls it.", "name:qwen3", ("model",), lambda row, _: (row.model.id, row.model.label)),
        Field("where", "loaded, loading, sleeping, on disk, served, failed; or the state of an endpoint that is gone.", "where:loaded", ("state",), _where),
        Field("loaded", "Whether it is in memory: yes or no.", "loaded:yes", texts=lambda row, _: _yes(_in_memory(row))),
        Field("endpoint", "The endpoint that has it.", "endpoint:mac", ("on",), lambda row, _: (row.view.name,)),
        Field("engine", "What serves it.", "engine:ollama", texts=lambda row, _: (row.view.engine,)),
        Field("host", "The machine it runs on.", "host:gpu-1", ("machine",), lambda row, _: (row.view.host,)),
        Field("boundary", "How far a prompt travels: local, vpc or external.", "boundary:external", texts=lambda row, _: (row.view.boundary.value,)),
        Field("size", "Memory taken, else its size on disk.", "size>20GiB", ("mem", "memory"), number=lambda row, _: row.model.size_bytes, kind=Kind.BYTES),
        Field("gpu", "How much of it lies on GPUs.", "gpu<100%", number=_on_gpu, kind=Kind.SHARE),
        Field("quant", "Quantisation, as its server words it.", "quant:q4", ("quantisation", "quantization"), lambda row, _: (row.model.quantization,)),
        Field("params", "Parameters.", "params>8B", ("parameters",), lambda row, _: (row.model.parameters,), _parameters),
        Field("context", "Tokens per sequence.", "context>=32k", ("ctx",), number=lambda row, _: row.model.context_length),
        Field("stays", "How long it stays in memory.", "stays<5m", number=_stays, kind=Kind.SECONDS, timed=True),
        Field("licence", "Its licence, once its page was opened.", "licence:apache", ("license",), lambda row, around: (around.licences.get((row.view.name, row.model.id)),)),
        Field("adapter", "Of a LoRA adapter: the model that it belongs to.", "adapter:qwen3", ("parent", "lora"), lambda row, _: (row.model.parent,)),
    ),
    told_of,
    "models",
)  # fmt: skip
