"""Whether a download fits the disk."""

from __future__ import annotations

from quarterdeck.format import size


def pull_needs(size_bytes: int | None, free_bytes: int | None, partial_bytes: int = 0) -> str:
    """Why a download of ``size_bytes`` doesn't fit, in words; "" where it does, or nobody knows.

    ``partial_bytes``: what an earlier try left there and a new one goes on from.
    """
    if size_bytes is None or free_bytes is None:
        return ""
    needed = max(0, size_bytes - max(0, partial_bytes))
    if needed <= free_bytes:
        return ""
    had = f" ({size(partial_bytes)} of {size(size_bytes)} are there)" if partial_bytes > 0 else ""
    return f"{size(needed)} are needed{had}, {size(free_bytes)} are free: {size(needed - free_bytes)} too few"
