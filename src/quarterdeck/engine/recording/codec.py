"""Frozen dataclasses to plain JSON values and back, by their type hints. What equals a field's default is left out.

A reader of another version skips the fields it doesn't know and gives those that are missing their defaults. Histories are not
written: `quarterdeck.engine.recording.tape` makes them again. Not-a-number and infinity are floats as Python's json writes them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

from quarterdeck.engine.recording.scalars import SCALAR_READERS, UnreadableError, clean, known
from quarterdeck.model.history import History

T = TypeVar("T")
_WHOLE = 2.0**53
_SCALARS = (bool, int, float, str, type(None))
_MISSING = dataclasses.MISSING
_UNIONS = (types.UnionType, typing.Union)

Turn = Callable[[Any], Any]
Rewrite = Callable[[Any, Any, Any], Any]
"""The new value, the old one, and what that became."""


class _Field(NamedTuple):
    name: str
    default: object
    """``MISSING`` where it must be given."""
    write: Turn
    read: Turn
    rewrite: Rewrite
    """As ``write``, of a value that stands in the place of another one."""


def to_plain(value: object, before: tuple[object, object] | None = None) -> Any:
    """A dataclass as a dict of plain values. ``before``: a value of the same type and what it became; equal parts are used again."""
    old, known = before if before is not None else (None, None)
    remembered = known if type(old) is type(value) and isinstance(known, dict) else None
    found: dict[str, Any] = {}
    for field in _fields(type(value)):
        name = field.name
        own = getattr(value, name)
        if remembered is not None and name in remembered:
            before_it = getattr(old, name)
            if own is before_it:
                found[name] = remembered[name]
            elif own != field.default:
                found[name] = field.rewrite(own, before_it, remembered[name])
        elif own is not field.default and own != field.default:
            found[name] = field.write(own)
    return found


def from_plain(kind: type[T], plain: object, **more: object) -> T:
    """The dataclass ``kind``; ``more``: fields that were not written. Raises UnreadableError where something that is needed is missing."""
    if not isinstance(plain, dict):
        raise UnreadableError(f"no {kind.__name__}")
    given: dict[str, Any] = {}
    for field in _fields(kind):
        if field.name in plain:
            try:
                given[field.name] = field.read(plain[field.name])
            except (ValueError, OverflowError):
                if field.default is _MISSING:
                    raise UnreadableError(f"{kind.__name__} without {field.name}") from None
        elif field.default is _MISSING:
            raise UnreadableError(f"{kind.__name__} without {field.name}")
    return kind(**(given | more))


_seen: dict[type[Any], tuple[_Field, ...]] = {}


def _fields(kind: type[Any]) -> tuple[_Field, ...]:
    """What is written of a dataclass: all but histories. Looked up once."""
    if kind not in _seen:
        _seen[kind] = _looked_up(kind)
    return _seen[kind]


def _looked_up(kind: type[Any]) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(kind, localns=_names())
    return tuple(
        _Field(field.name, _default(field), *_turns(hints[field.name]))
        for field in dataclasses.fields(kind)
        if not _is_history(hints[field.name])
    )


def _turns(hint: Any) -> tuple[Turn, Turn, Rewrite]:
    write = _writer(hint)
    return write, _reader(hint), _rewriter(hint, write)


def _default(field: dataclasses.Field[Any]) -> object:
    return field.default_factory() if field.default_factory is not _MISSING else field.default


_DECLARING = (
    *("events", "fleet", "gpu", "happening", "history", "host", "job", "latency", "limits", "models"),
    *("own", "reading", "replica", "alerts.alert", "chat.price"),
)


@cache
def _names() -> dict[str, Any]:
    """What annotations of the model may name; it imports most of that for type checkers only."""
    modules = [import_module(f"quarterdeck.model.{name}") for name in _DECLARING]
    return {name: value for module in modules for name, value in vars(module).items() if not name.startswith("_")}


def _is_history(hint: Any) -> bool:
    return hint is History or any(map(_is_history, typing.get_args(hint)))


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(hint), typing.get_args(hint)


def _optional(args: tuple[Any, ...]) -> Any:
    """The X of ``X | None``; ``None`` for any other union."""
    others = [arg for arg in args if arg is not type(None)]
    return others[0] if len(others) == 1 else None


# ---- there


def _same(value: Any) -> Any:
    return value


def _writer(hint: Any) -> Turn:
    origin, args = _parts(hint)
    if origin is not None:
        return _container_writer(origin, args)
    if hint is float:
        return _float
    if hint in _SCALARS:
        return _same
    return (lambda value: value.value) if issubclass(hint, Enum) else to_plain


def _container_writer(origin: Any, args: tuple[Any, ...]) -> Turn:
    if origin in _UNIONS:
        return _union_writer(args)
    if origin is tuple:
        return _tuple_writer(args)
    if origin is frozenset:
        return sorted
    if not _is_mapping(origin):
        raise TypeError(f"can't be recorded: {origin}")
    write = _writer(args[1])
    return lambda value: {str(key): write(each) for key, each in value.items()}


def _float(value: Any) -> Any:
    """Whole ones as ints, which are shorter."""
    return int(value) if isinstance(value, float) and -_WHOLE < value < _WHOLE and value.is_integer() else value


def _floats(value: Any) -> list[Any]:
    """As `_float`; most of a recording is these."""
    return [
        int(each) if type(each) is float and -_WHOLE < each < _WHOLE and each.is_integer() else each for each in value
    ]


def _union_writer(args: tuple[Any, ...]) -> Turn:
    inner = _optional(args)
    write = _writer(inner) if inner is not None else _same
    return _same if write is _same else lambda value: None if value is None else write(value)


def _tuple_writer(args: tuple[Any, ...]) -> Turn:
    if len(args) == 2 and args[1] is Ellipsis:
        if args[0] is float:
            return _floats
        write = _writer(args[0])
        return list if write is _same else lambda value: [write(each) for each in value]
    writers = tuple(map(_writer, args))
    return lambda value: [write(each) for write, each in zip(writers, value, strict=True)]


def _rewriter(hint: Any, write: Turn) -> Rewrite:
    """Where a value is large and mostly what it was, the parts that didn't change are not made again."""
    origin, args = _parts(hint)
    if origin in _UNIONS:
        inner = _optional(args)
        return _rewriter(inner, write) if inner is not None else lambda value, old, known: write(value)
    if origin is tuple and args == (float, Ellipsis):
        return lambda value, old, known: known if value == old else write(value)
    if origin is tuple and len(args) == 2 and dataclasses.is_dataclass(args[0]):
        return _rewritten_tuple
    if _is_mapping(origin) and dataclasses.is_dataclass(args[1]):
        return _rewritten_mapping
    if dataclasses.is_dataclass(hint):
        return lambda value, old, known: write(value) if value is None else to_plain(value, (old, known))
    return lambda value, old, known: write(value)


def _rewritten_tuple(value: Any, old: Any, known: Any) -> Any:
    if value is None or old is None or not len(value) == len(old) == len(known):
        return None if value is None else [to_plain(each) for each in value]
    return [to_plain(each, before) for each, before in zip(value, zip(old, known, strict=True), strict=True)]


def _rewritten_mapping(value: Any, old: Any, known: Any) -> Any:
    if value is None:
        return None
    before = {key: (old[key], known[key]) for key in old if key in known} if old is not None else {}
    return {str(key): to_plain(each, before.get(key)) for key, each in value.items()}


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


# ---- and back


def _reader(hint: Any) -> Turn:
    """Reads a plain value, or raises UnreadableError. Texts come back safe to show."""
    origin, args = _parts(hint)
    if origin is not None:
        return _container_reader(origin, args)
    if hint in _SCALARS:
        return SCALAR_READERS[hint]
    return _enum_reader(hint) if issubclass(hint, Enum) else lambda plain: from_plain(hint, plain)


def _container_reader(origin: Any, args: tuple[Any, ...]) -> Turn:
    if origin in _UNIONS:
        return _union_reader(args)
    if origin is tuple:
        return _tuple_reader(args)
    if origin is frozenset:
        several = _tuple_reader((args[0], Ellipsis))
        return lambda plain: frozenset(several(plain))
    return _mapping_reader(_reader(args[1]))


def _union_reader(args: tuple[Any, ...]) -> Turn:
    inner = _optional(args)
    if inner is not None:
        read = _reader(inner)
        return lambda plain: None if plain is None else read(plain)

    def scalar(plain: Any) -> Any:
        if type(plain) not in args:
            raise UnreadableError("of no such type")
        return clean(plain) if isinstance(plain, str) else plain

    return scalar


def _enum_reader(hint: type[Enum]) -> Turn:
    named = {each.value: each for each in hint}

    def read(plain: Any) -> Any:
        if not isinstance(plain, str) or plain not in named:
            raise UnreadableError(f"no {hint.__name__}")
        return named[plain]

    return read


def _tuple_reader(args: tuple[Any, ...]) -> Turn:
    if len(args) == 2 and args[1] is Ellipsis:
        read = _reader(args[0])
        return lambda plain: tuple(known(_listed(plain), read))
    readers = tuple(map(_reader, args))

    def several(plain: Any) -> tuple[Any, ...]:
        if len(_listed(plain)) != len(readers):
            raise UnreadableError("of another length")
        return tuple(read(each) for read, each in zip(readers, plain, strict=True))

    return several


def _listed(plain: Any) -> list[Any]:
    if not isinstance(plain, list):
        raise UnreadableError("no list")
    return plain


def _mapping_reader(read: Turn) -> Turn:
    def pair(item: tuple[str, Any]) -> tuple[str, Any]:
        return clean(item[0]), read(item[1])

    def mapping(plain: Any) -> Mapping[str, Any]:
        if not isinstance(plain, dict):
            raise UnreadableError("no mapping")
        return types.MappingProxyType(dict(known(list(plain.items()), pair)))

    return mapping
