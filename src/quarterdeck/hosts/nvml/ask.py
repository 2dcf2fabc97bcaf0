"""Asking NVML for one value at a time, so that one that is missing takes no other with it. Blocking calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

from quarterdeck.hosts.nvml.direct import straight
from quarterdeck.hosts.nvml.words import (
    DRIVER_NOT_LOADED,
    FUNCTION_NOT_FOUND,
    GPU_IS_LOST,
    NONSENSE,
    NOT_SUPPORTED,
    RESET_REQUIRED,
    UNINITIALIZED,
    UNKNOWN,
    VERSION_MISMATCH,
    code_of,
    getter_words,
)

T = TypeVar("T")

DRIVER_GONE = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, VERSION_MISMATCH})
"""After one of these no call works until NVML is started again."""
_GONE = DRIVER_GONE | {GPU_IS_LOST, RESET_REQUIRED}
ASK_AGAIN_S = 60.0
"""What isn't supported is asked for again this often: a driver can be told to count errors, or to split a GPU."""


class Gone(Exception):  # noqa: N818  (not our error: it says what the driver answered)
    """The GPU, or the whole driver, has stopped answering."""

    def __init__(self, code: int, error: Exception) -> None:
        """``error``: what NVML raised, ``code`` its return code."""
        super().__init__(code)
        self.code = code
        self.error = error


class Problem(NamedTuple):
    """A value that is missing, and why."""

    what: str
    words: str


class Getter(Generic[T]):
    """One value and the ways to ask for it, newest interface first."""

    __slots__ = ("ask_at", "check", "code", "problem", "way", "ways", "what")

    def __init__(self, what: str, check: Callable[[Any], T | None], *ways: Callable[[], object]) -> None:
        """``check`` makes the value of what a way answers, ``None`` of nonsense."""
        self.what = what
        self.check = check
        self.ways = ways
        self.way = ways[0]
        """The one that answered last."""
        self.code: int | None = None
        """NVML's, of the last failure."""
        self.ask_at = -math.inf
        self.problem = Problem(what, "")


class Questions:
    """One round of questions to one GPU, and what stayed without an answer."""

    __slots__ = ("_now", "answered", "problems", "unknown_failure")

    def __init__(self, now: float) -> None:
        """``now``: monotonic seconds."""
        self._now = now
        self.problems: list[Problem] = []
        self.answered = False
        self.unknown_failure = False

    def ask(self, getter: Getter[T]) -> T | None:
        """The first usable answer, or ``None`` with a problem. Raises Gone where asking on makes no sense."""
        (value,) = self.ask_all((getter,))
        return value  # type: ignore[no-any-return]

    def ask_all(self, getters: Iterable[Getter[Any]]) -> list[Any]:
        """An answer for each, as ``ask`` gives it. Every call more would show here: NVML answers within a microsecond."""
        now = self._now
        values: list[Any] = []
        answered = self.answered
        for getter in getters:
            if getter.ask_at > now:
                self.problems.append(getter.problem)
                values.append(None)
                continue
            try:
                value = getter.check(getter.way())
            except Exception as error:  # noqa: BLE001  (a failure is a reading, whatever a driver answers)
                value = self._another_way(getter, error)
            else:
                if value is None:
                    value = self._another_way(getter, None)
                else:
                    answered = True
            values.append(value)
        self.answered = self.answered or answered
        return values

    def _another_way(self, getter: Getter[T], error: Exception | None) -> T | None:
        """The first usable answer of the ways that were not asked yet."""
        failed = getter.way
        unsupported = self._unsupported(error)
        last, words = error, NONSENSE if error is None else getter_words(error)
        for way in getter.ways:
            if way is failed:
                continue
            try:
                value = getter.check(way())
            except Exception as another:  # noqa: BLE001
                unsupported = self._unsupported(another) and unsupported
                last, words = another, getter_words(another)
                continue
            if value is not None:
                getter.way = way
                self.answered = True
                return value
            unsupported, last, words = False, None, NONSENSE
        getter.way = getter.ways[0]
        getter.code = None if last is None else code_of(last)
        getter.ask_at = self._now + ASK_AGAIN_S if unsupported else -math.inf
        getter.problem = Problem(getter.what, words)
        self.problems.append(getter.problem)
        return None

    def _unsupported(self, error: Exception | None) -> bool:
        """Whether the driver, or the binding, can't tell at all. Raises Gone."""
        if error is None:
            return False
        code = code_of(error)
        if code is not None and code in _GONE:
            raise Gone(code, error) from None
        self.unknown_failure = self.unknown_failure or code == UNKNOWN
        return code in (NOT_SUPPORTED, FUNCTION_NOT_FOUND) or isinstance(error, AttributeError)


def call(nvml: Any, function: str, *arguments: Any, **options: Any) -> Callable[[], object]:
    """A call of ``nvml``'s; one that this version of the binding doesn't have raises AttributeError when it is made."""
    found = straight(nvml, function, arguments, options)
    if found is not None:
        return found
    found = getattr(nvml, function, None)
    return partial(getattr, nvml, function) if found is None else partial(found, *arguments, **options)


def told(problems: Iterable[Problem]) -> tuple[str, ...]:
    """The problems in words, one for each reason: "fan, encoder: not supported by this GPU"."""
    return _told(tuple(problems))


@lru_cache(maxsize=512)
def _told(problems: tuple[Problem, ...]) -> tuple[str, ...]:
    by_words: dict[str, list[str]] = {}
    for what, words in problems:
        by_words.setdefault(words, []).append(what)
    return tuple(f"{', '.join(dict.fromkeys(lacking))}: {words}" for words, lacking in by_words.items())
