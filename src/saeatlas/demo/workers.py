"""Split a loop over rows among threads such that the answer does not depend on their number."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import TracebackType

__all__ = ["Workers", "available_cores"]


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """Threads for compiled kernels that release the interpreter lock.

    Each thread writes its own rows and no thread adds to what another one writes, so sums are always
    taken in the same order.
    """

    def __init__(self, n_threads: int = 0) -> None:
        self.n_threads = n_threads or available_cores()
        self._pool = ThreadPoolExecutor(self.n_threads)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def each_slice(self, n: int, work: Callable[[slice], None], *, block: int = 1) -> None:
        """Call `work` with slices that cover `range(n)` once, at the same time; an error in one is raised.

        Slices begin at multiples of `block`. A loop that processors take many numbers of at once rounds those that
        are left over at its end in another way: where it runs over numbers alone, its block must hold whole such steps.
        """
        n_blocks = -(-n // block)
        bounds = [min(n, n_blocks * part // self.n_threads * block) for part in range(self.n_threads + 1)]
        slices = [slice(start, stop) for start, stop in pairwise(bounds) if stop > start]
        for _ in self._pool.map(work, slices):
            pass
