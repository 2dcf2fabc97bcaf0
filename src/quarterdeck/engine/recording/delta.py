"""What changed between two plain JSON values, as another one. Pure; ``apply(old, diff(old, new)) == new``.

A patch of a scalar is ``[new]``; of a dict, a dict of patches by key, ``0`` for a key that went; of a list one of
``[new]`` · ``{"<": dropped in front, ">": [appended]}`` · ``{"=": {place: patch}}`` · ``{"+": rises}``: of whole numbers, by how much each
grew more than the one before it; those of cumulative counts are mostly 0, and zeros at the end are left out.
"""

from __future__ import annotations

from itertools import accumulate
from operator import sub
from typing import Any

SAME: Any = None
"""No change at all."""
GONE = 0
_MOST_SHIFTED = 8
_FEWEST_SUMMED = 3
_MISSING = object()


class DamagedError(Exception):
    """A recording that can't be read any further; the words say why."""


def diff(old: Any, new: Any) -> Any:
    """The patch, or `SAME`."""
    if old is new:
        return SAME
    if isinstance(old, dict) and isinstance(new, dict):
        return _dicts(old, new)
    if isinstance(old, list) and isinstance(new, list):
        return _lists(old, new)
    return SAME if type(old) is type(new) and old == new else [new]


def _dicts(old: dict[str, Any], new: dict[str, Any]) -> Any:
    found: dict[str, Any] = {}
    for key, value in new.items():
        before = old.get(key, _MISSING)
        if before is value:
            continue
        if before is _MISSING:
            found[key] = [value]
        elif (patch := diff(before, value)) is not SAME:
            found[key] = patch
    if len(old) + len(found) != len(new) or old.keys() - new.keys():
        found |= {key: GONE for key in old if key not in new}
    return found or SAME


def _lists(old: list[Any], new: list[Any]) -> Any:
    if len(old) == len(new) and new and type(new[-1]) is float and old == new:  # bounds of histograms end with inf
        return SAME
    if len(old) == len(new) and new and type(new[-1]) is int is type(old[-1]):
        steps = _steps(old, new)
        if steps is not None:
            return steps
    shifted = _shifted(old, new)
    if shifted is not None:
        return shifted
    if len(old) != len(new):
        return [new]
    return _places(old, new)


def _steps(old: list[Any], new: list[Any]) -> Any:
    """Of whole numbers such as the counts of a histogram; ``None`` where these are none, or didn't change."""
    if old == new or set(map(type, new)) != {int} or set(map(type, old)) != {int}:
        return None
    steps = [after - before for before, after in zip(old, new, strict=True)]
    if len(new) < _FEWEST_SUMMED or sum(map(abs, steps)) >= sum(map(abs, new)):
        return [new]
    rises = [steps[0], *map(sub, steps[1:], steps)]
    while not rises[-1]:
        rises.pop()
    return {"+": rises}


def _places(old: list[Any], new: list[Any]) -> Any:
    places = {
        str(place): patch
        for place, (before, after) in enumerate(zip(old, new, strict=True))
        if before is not after and (patch := diff(before, after)) is not SAME
    }
    if not places:
        return SAME
    scalars = not any(isinstance(each, dict | list) for each in new)
    return [new] if scalars and len(places) * 2 > len(new) else {"=": places}


def _shifted(old: list[Any], new: list[Any]) -> Any:
    """Some dropped in front, some appended, and the rest untouched."""
    if not old or not new:
        return None
    first = new[0]
    for dropped in range(min(_MOST_SHIFTED, len(old) - 1) + 1):
        kept = len(old) - dropped
        added = len(new) - kept
        if old[dropped] != first or dropped + added == 0 or not 0 <= added <= _MOST_SHIFTED:
            continue
        if _alike(old[dropped:], new[:kept]):
            return {"<": dropped, ">": new[kept:]}
    return None


def _alike(one: list[Any], other: list[Any]) -> bool:
    return one == other and all(type(a) is type(b) for a, b in zip(one, other, strict=True))


def apply(old: Any, patch: Any) -> Any:
    """``old`` with a patch; what didn't change is the same object. Raises DamagedError where it doesn't fit."""
    if isinstance(patch, list) and len(patch) == 1:
        return patch[0]
    if isinstance(patch, dict) and isinstance(old, dict):
        return _patched_dict(old, patch)
    if isinstance(patch, dict) and isinstance(old, list):
        return _patched_list(old, patch)
    raise DamagedError("a change doesn't fit what was there before")


def _patched_dict(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    new = dict(old)
    for key, part in patch.items():
        if part == GONE and isinstance(part, int):
            new.pop(key, None)
        else:
            new[key] = apply(new.get(key), part)
    return new


def _patched_list(old: list[Any], patch: dict[str, Any]) -> list[Any]:
    steps, places, added = patch.get("+"), patch.get("="), patch.get(">")
    try:
        if isinstance(steps, list):
            return _risen(old, steps)
        if isinstance(places, dict):
            new = list(old)
            for place, part in places.items():
                new[int(place)] = apply(new[int(place)], part)
            return new
        if isinstance(added, list):
            return [*old[_whole(patch.get("<")) :], *added]
    except (ValueError, TypeError, IndexError, OverflowError):
        raise DamagedError("a change doesn't fit the list that was there before") from None
    raise DamagedError("a change of an unknown kind")


def _risen(old: list[Any], rises: list[Any]) -> list[Any]:
    if len(rises) > len(old):
        raise ValueError("longer than what was there")
    steps = accumulate([*map(_whole, rises), *[0] * (len(old) - len(rises))])
    return [_whole(before) + step for before, step in zip(old, steps, strict=True)]


def _whole(step: Any) -> int:
    if type(step) is not int:
        raise ValueError("no whole number")
    return step
