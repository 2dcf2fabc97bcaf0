"""What a vLLM tells of itself beside its load: the labels of vllm:cache_config_info and the cards of /v1/models. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from quarterdeck.format import printable, size
from quarterdeck.wire.body import items, mapping, parse, text

Rows = tuple[tuple[str, str], ...]
MOST_CARDS = 16
MOST_VALUES = 4
_UNSET = ("", "None", "null")


def _plain(value: str) -> str:
    return value


def _switch(value: str) -> str:
    return {"True": "on", "true": "on", "1": "on", "False": "off", "false": "off", "0": "off"}.get(value, value)


def _number(value: str) -> str:
    """Two decimals at most, none where there are none."""
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:.2f}".rstrip("0").rstrip(".") if abs(number) < 1e15 else value


def _bytes(value: str) -> str:
    try:
        return size(float(value))
    except ValueError:
        return value


_CACHE: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("KV cache dtype", "cache_dtype", _plain),
    ("block size", "block_size", _plain),
    ("KV blocks", "num_gpu_blocks", _plain),
    ("KV blocks in RAM", "num_cpu_blocks", _plain),
    ("KV cache memory", "kv_cache_memory_bytes", _bytes),
    ("GPU memory utilisation", "gpu_memory_utilization", _number),
    ("max concurrency", "kv_cache_max_concurrency", _number),
    ("prefix caching", "enable_prefix_caching", _switch),
    ("KV offloading", "kv_offloading_size", _plain),
    ("sliding window", "sliding_window", _plain),
)
"""Label for people, label on the page, how it is written."""


def cache_rows(configs: Sequence[Mapping[str, str]]) -> Rows:
    """The configuration of the KV cache by the labels of ``vllm:cache_config_info``, one mapping per engine.

    "max concurrency" is how many requests of full length fit at once. What is not set is left out.
    """
    rows = []
    for label, name, written in _CACHE:
        values = [config[name] for config in configs if config.get(name, "") not in _UNSET]
        several = list(dict.fromkeys(printable(written(value), 60) for value in values))
        if several:
            more = ", …" if len(several) > MOST_VALUES else ""
            rows.append((label, ", ".join(several[:MOST_VALUES]) + more))
    return tuple(rows)


def model_rows(listing: bytes) -> Rows:
    """Where the models of a ``/v1/models`` answer come from: path or repository, further names, the base of a LoRA adapter."""
    roots: dict[str, list[str]] = {}
    adapters: list[tuple[str, str]] = []
    for entry in items(mapping(parse(listing)).get("data"), MOST_CARDS):
        card = mapping(entry)
        name, root, parent = text(card.get("id")), text(card.get("root")), text(card.get("parent"))
        if name is None:
            continue
        if parent is not None:
            adapters.append((f"LoRA {name}", f"on {parent}" + (f", from {root}" if root else "")))
        elif root is not None:
            roots.setdefault(root, []).append(name)
    rows: list[tuple[str, str]] = []
    for root, names in roots.items():
        if [root] != names:
            rows.append(("model root", root))
        if len(names) > 1:
            rows.append(("also served as", ", ".join(names[1:])))
    return (*rows, *adapters)
