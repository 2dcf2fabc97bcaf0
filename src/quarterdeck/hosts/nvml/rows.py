"""The last row of every GPU of this machine, so that one that is lost keeps it. Pure bookkeeping."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from quarterdeck.model.gpu import GpuView


class Rows:
    """What each GPU said last, and when."""

    def __init__(self) -> None:
        """Knows no GPU yet."""
        self._last: dict[str, GpuView] = {}
        self._measured: dict[str, float] = {}
        self._keys: dict[int, str] = {}
        self._lost: set[str] = set()

    @property
    def some_lost(self) -> bool:
        """Whether a GPU that once answered doesn't now."""
        return bool(self._lost)

    def good(self, view: GpuView, now: float) -> GpuView:
        """Note a row that was just measured."""
        key = view.key
        self._last[key] = view
        self._measured[key] = now
        self._keys[view.index] = key
        self._lost.discard(key)
        return view

    def lost(self, key: str, index: int, words: str) -> GpuView:
        """The row of a GPU that stopped answering: its last values, dated, and why there are no newer ones."""
        known = self._last.get(key)
        if known is None:
            return GpuView(index, None if key.startswith("#") else key, lost=True, problems=(words,))
        self._lost.add(key)
        return replace(known, lost=True, at=self._measured[key], problems=(words,))

    def lost_at(self, index: int, words: str, elsewhere: Iterable[str]) -> GpuView:
        """The row of a GPU that doesn't even say who it is: whoever was at ``index``, unless it answers at another one."""
        key = self._keys.get(index)
        return self.lost(f"#{index}" if key is None or key in elsewhere else key, index, words)

    def vanished(self, shown: Iterable[str], words: str) -> list[GpuView]:
        """Rows of GPUs that were lost and that the driver has stopped to count since."""
        return [self.lost(key, self._last[key].index, words) for key in sorted(self._lost.difference(shown))]

    def all_lost(self, words: str) -> tuple[GpuView, ...]:
        """Every row, when the driver itself is gone."""
        rows = [self.lost(key, self._last[key].index, words) for key in set(self._keys.values()) | self._lost]
        return tuple(sorted(rows, key=by_index))

    def keep_only(self, shown: set[str]) -> None:
        """Forget GPUs that were taken away without having been lost."""
        if self._last.keys() <= shown:
            return
        for key in self._last.keys() - shown:
            del self._last[key], self._measured[key]
        self._keys = {index: key for index, key in self._keys.items() if key in self._last}


def by_index(view: GpuView) -> tuple[int, bool]:
    """The order of rows: NVML's; where a living GPU took a lost one's index, the living one first."""
    return view.index, view.lost
