"""Why a GPU's clocks are held back, from the driver's bit mask (`nvmlClocksEventReasons`)."""

from __future__ import annotations

_REASONS = (
    (0x08, "hardware slowdown"),
    (0x40, "hardware thermal slowdown"),
    (0x80, "power brake"),
    (0x20, "software thermal slowdown"),
    (0x04, "power cap"),
    (0x10, "sync boost"),
    (0x02, "application clocks"),
    (0x100, "display clocks"),
)
_IDLE = 0x01
_KNOWN = _IDLE | sum(bit for bit, _ in _REASONS)
_MOST = 2**53


def throttle_words(mask: float | None) -> tuple[str, ...] | None:
    """The reasons in words, the gravest first; () where the clocks are free or the GPU is just idle."""
    if mask is None or not 0 <= mask < _MOST or mask != int(mask):
        return None
    bits = int(mask)
    words = tuple(text for bit, text in _REASONS if bits & bit)
    unknown = bits & ~_KNOWN
    return (*words, f"reason 0x{unknown:x}") if unknown else words
