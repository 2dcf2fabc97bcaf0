"""What is wrong with case files: everything is found before anything is said. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches

from quarterdeck.errors import UsageError
from quarterdeck.format import printable

_MOST = 20


class Problems:
    """Collects them."""

    def __init__(self) -> None:
        """None yet."""
        self.found: list[str] = []
        self.notes: dict[str, None] = {}
        """What was left aside, once each."""

    def add(self, where: str, text: str) -> None:
        """``where`` is a file with its line, and what of it is meant."""
        self.found.append(f"{printable(where, 300)}: {text}")

    def note(self, text: str) -> None:
        """Something that is left aside, and may be."""
        self.notes[text] = None

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """What is raised inside is a problem of this place."""
        try:
            yield
        except UsageError as error:
            self.add(where, error.message)
        except ValueError as error:
            self.add(where, printable(str(error), 200))

    def keys(self, where: str, given: Mapping[str, object], known: Iterable[str], *, of: str) -> None:
        """Refuse, by name, the keys that aren't known."""
        names = list(known)
        for key in given:
            if key in names:
                continue
            near = get_close_matches(str(key), names, 1, 0.75)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self.add(where, f"the key {printable(str(key), 60)!r} of {of} is not supported{hint}")

    def check(self) -> None:
        """Raises UsageError with all of them."""
        if not self.found:
            return
        more = len(self.found) - _MOST
        lines = [*self.found[:_MOST], *([f"and {more} more"] if more > 0 else [])]
        raise UsageError("\n".join(lines), hint="Nothing was asked. docs/compare.md says what case files may hold.")
