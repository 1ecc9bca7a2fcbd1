"""Make the next item of a stream in a second thread while the present one is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["one_ahead"]

T = TypeVar("T")


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items in the same order, with one more in the making.

    Worth it where making an item releases the interpreter's lock: reading, compiled kernels, compression. An error
    in making an item is raised when its turn comes. Memory: one item more.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="saeatlas-ahead") as worker:
        end = object()
        coming = worker.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = worker.submit(next, items, end)
            yield item  # type: ignore[misc]  # `end` never gets here, and nothing else is not a T
