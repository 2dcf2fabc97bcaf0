"""Why a GPU's clocks are held back, from the driver's bit mask (`nvmlClocksEventReasons`)."""

from __future__ import annotations

_REASONS = (
    (0x08, "hardware slowdown"),
    (0x40, "hardware thermal slowdown"),
    (0x80, "power brake"),
    (0x20, "software thermal slowdown"),
    (0x04, "power cap"),
    (0x10, "sync boost"),
    (0x200, "board limit"),
    (0x400, "reliability limit"),
)
SETTINGS = 0x1 | 0x2 | 0x100
"""Idle, application and display clocks: what holds the clocks back then is no trouble."""
_KNOWN = SETTINGS | sum(bit for bit, _ in _REASONS)
_MOST = 2**53
BY_MARGIN = "~ by how far the core is from its limit now: the driver tells no more"
"""How the temperature at which it slows down was come by, on GPUs that tell only margins ("T.Limit")."""


def throttle_words(mask: float | None) -> tuple[str, ...] | None:
    """The reasons in words, the gravest first; () where the clocks are free, as somebody set them, or the GPU is just idle."""
    if mask is None or not 0 <= mask < _MOST or mask != int(mask):
        return None
    bits = int(mask)
    words = tuple(text for bit, text in _REASONS if bits & bit)
    unknown = bits & ~_KNOWN
    return (*words, f"reason 0x{unknown:x}") if unknown else words
