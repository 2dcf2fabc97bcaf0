"""What can be asked of the rows of a table: fields, and the texts that plain words are looked for in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

from quarterdeck.model.query.values import Kind

if TYPE_CHECKING:
    from quarterdeck.model.fleet import FleetSnapshot

Row = TypeVar("Row")
Found = TypeVar("Found")
_NOTHING: Mapping[tuple[str, str], str] = MappingProxyType({})


class Around:
    """What rows are seen with: the fleet they are in, and when (monotonic and Unix seconds)."""

    def __init__(
        self, fleet: FleetSnapshot, now: float, unix: float, licences: Mapping[tuple[str, str], str] = _NOTHING
    ) -> None:
        """``licences``: (endpoint, model) → licence, where that is known."""
        self.fleet = fleet
        self.now = now
        self.unix = unix
        self.licences = licences
        self._found: dict[object, object] = {}

    def found(self, find: Callable[[FleetSnapshot], Found]) -> Found:
        """What ``find`` finds in the fleet; looked for once, however many rows ask."""
        if find not in self._found:
            self._found[find] = find(self.fleet)
        return cast("Found", self._found[find])


class Field(NamedTuple, Generic[Row]):
    """A field. It has ``texts``, a ``number``, or both: then ``:`` and ``=`` ask the texts, comparisons the number."""

    name: str
    meaning: str
    """A sentence for the help."""
    example: str
    """A whole term ("state:down,stale")."""
    also: tuple[str, ...] = ()
    """Other names, such as the column's title."""
    texts: Callable[[Row, Around], Iterable[str | None]] | None = None
    number: Callable[[Row, Around], float | None] | None = None
    kind: Kind = Kind.COUNT
    share: Callable[[Row, Around], float | None] | None = None
    """What a number in percent is compared with, where ``number`` is no share itself."""
    unit: str = ""
    """What may stand behind a number of it ("W")."""
    timed: bool = False
    """Whether it changes by the mere passing of time."""


class Vocabulary(Generic[Row]):
    """The fields of a table."""

    def __init__(
        self, fields: Iterable[Field[Row]], words: Callable[[Row], Iterable[str | None]], what: str = "rows"
    ) -> None:
        """``words``: the texts that plain words are looked for in; ``what`` the rows are."""
        self.fields = tuple(fields)
        self.words = words
        self.what = what
        self.by_name = {name.casefold(): field for field in self.fields for name in (field.name, *field.also)}

    @property
    def names(self) -> tuple[str, ...]:
        """As the help lists them."""
        return tuple(field.name for field in self.fields)
