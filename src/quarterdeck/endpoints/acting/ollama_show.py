"""What Ollama tells of a model, cleaned and cut. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from quarterdeck.endpoints.acting.names import same
from quarterdeck.format import printable
from quarterdeck.wire.body import items, mapping, text, whole
from quarterdeck.wire.failure import foreign

_LICENCE_LINES = 6
"""Its first lines say which it is; an id is not guessed."""
_MOST_LINES = 400
_LONGEST_LINE = 2000
_MOST_KEYS = 200
_DETAILS = ("format", "family", "families", "parameter_size", "quantization_level", "parent_model")


def shown(
    model: str, told: object, listing: object, clean: Callable[[str], str] = lambda said: said
) -> Mapping[str, object]:
    """Of /api/show's answer and /api/tags's: what is known, long texts as lines. Keys:

    family, quantization, parameter_size, format, context_length (tokens that it was made for), size_bytes (on disk), capabilities
    (list), modified_at, digest, license (its first lines), parameters, template, system, requires (the oldest Ollama), details and
    model_info (mappings). ``clean`` takes a key out of a text. Raises Failure where it is no such answer.
    """
    said = mapping(told)
    if not said or not ({"details", "model_info", "modelfile", "template"} & said.keys()):
        raise foreign("Ollama")
    details, info = mapping(said.get("details")), dict(_info(mapping(said.get("model_info"))))
    entry = next((each for each in map(mapping, items(mapping(listing).get("models"))) if _is(each, model)), {})
    found: dict[str, object] = {
        "family": text(details.get("family")),
        "parameter_size": text(details.get("parameter_size")),
        "quantization": text(details.get("quantization_level")),
        "format": text(details.get("format")),
        "context_length": next((value for key, value in info.items() if key.endswith(".context_length")), None),
        "size_bytes": whole(entry.get("size")),
        "capabilities": [word for each in items(said.get("capabilities"), 40) if (word := text(each))],
        "modified_at": text(said.get("modified_at")) or text(entry.get("modified_at")),
        "digest": text(entry.get("digest")),
        "requires": text(said.get("requires")),
        "license": _lines(said.get("license"), _LICENCE_LINES),
        **{name: _lines(said.get(name)) for name in ("parameters", "template", "system")},
        "details": {name: value for name in _DETAILS if (value := _value(details.get(name))) is not None},
        "model_info": info,
    }
    return {name: _cleaned(value, clean) for name, value in found.items() if value not in (None, "", [], {})}


def _is(entry: Mapping[str, object], model: str) -> bool:
    name = entry.get("model") or entry.get("name")
    return isinstance(name, str) and same(name, model)


def _lines(value: object, most: int = _MOST_LINES) -> str | None:
    """A text's first lines that say something, each safe on a terminal, indents kept."""
    if not isinstance(value, str):
        return None
    rows = value[: most * _LONGEST_LINE].strip("\r\n").splitlines()
    kept = [_indent(row) + printable(row, _LONGEST_LINE) for row in rows[:most]]
    if len(rows) > most:
        kept.append(f"… {len(rows) - most} more lines")
    return "\n".join(kept).rstrip() or None


def _indent(row: str) -> str:
    return " " * min(40, len(row) - len(row.lstrip(" ")))


def _info(told: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in list(told.items())[:_MOST_KEYS]:
        name, kept = printable(key, 120), _value(value)
        if name and kept is not None:
            yield name, kept


def _value(value: object) -> object:
    """A number, a truth, a short text, or a list of such; ``None`` for anything else."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return text(value)
    found = [kept for each in items(value, 128) if (kept := _value(each)) is not None]
    return found or None


def _cleaned(value: object, clean: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(each, clean) for each in value]
    if isinstance(value, dict):
        return {clean(str(key)): _cleaned(each, clean) for key, each in value.items()}
    return value
