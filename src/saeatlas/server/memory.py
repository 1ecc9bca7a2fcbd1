"""Freed memory is kept for the next answer: taking pages from the system anew costs more than most answers do."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_KEPT = 32 << 20
"""Bytes of one array up to which its memory is kept; glibc takes no more than this."""
_MOST_KEPT = 128 << 20
"""Freed bytes at the end of a heap above which they go back to the system."""


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, for the whole process, and tell whether it can (glibc).

    By default it asks the system for each array of some megabytes and gives it back right after. The system clears
    every page of it, which takes longer than reading half a million activations. Kept are 128 MiB of a heap at most.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        # The C library of another system: it has its own ways.
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)) and bool(mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT))
