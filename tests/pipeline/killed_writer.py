"""Kill a writer at its n-th change of the file system, look at what is left, and let the next one finish.

Run as a program by `test_faults.py`, because pytest's process must not be forked.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from saeatlas.atlas.atlas import Atlas
from saeatlas.format.commit import head
from saeatlas.pipeline.compact import compact
from saeatlas.pipeline.gc import gc
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.verify import verify
from saeatlas.storage import LocalStore, MemoryStore
from saeatlas.testing.make_atlas import Shape, make_arrays, make_atlas, make_importer

CHANGES = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
SHAPES = {name: Shape(n_rows=30, n_features=8, k=2, n_documents=3, seed=3) for name in "ab"}


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a fork and return its status; -9 when it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except Exception:  # noqa: BLE001 - the parent sees the status
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(change: int) -> None:
    """Send SIGKILL to this process at its n-th change below the atlas."""
    left = change

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in CHANGES and "atlas" in str(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def killed(change: int, task: Callable[[], object]) -> None:
    """Do a task with SIGKILL in it."""
    kill_at(change)
    task()


def check(path: Path, allowed: list[set[str]]) -> None:
    """The newest commit is one of those allowed, every byte of it is right, and every row is there."""
    store = LocalStore(path)
    report = verify(store, deep=True)
    assert report.ok, report.findings
    atlas = Atlas(store, head(store))
    assert set(atlas.saes) in allowed, (atlas.saes, allowed)
    for name in atlas.saes:
        arrays = make_arrays(SHAPES[name])
        indptr, features, values = atlas.sae(name).activations.rows(0, arrays.n_rows)
        order = np.lexsort([arrays.features, np.repeat(np.arange(30), 2)])
        assert np.array_equal(features, arrays.features[order]), name
        assert np.array_equal(values, arrays.values[order]), name
        assert np.array_equal(indptr, arrays.indptr), name


def tasks(path: Path) -> list[tuple[set[str], Callable[[], object]]]:
    """The SAEs that each task adds, and the task."""
    found: list[tuple[set[str], Callable[[], object]]] = []
    for name in "ab":
        one = make_importer(SHAPES[name], sae=name, shard_rows=10)
        store = LocalStore(path)
        found.append(({name}, partial(import_source, store, one)))
        found.append((set(), partial(compact, store, name, profile="balanced")))
        found.append((set(), partial(gc, store, keep_commits=1, min_age_seconds=0)))
    return found


def main(path: Path, seed: int) -> None:
    """Kill each task twice, then let it finish; fail at the first thing that is wrong."""
    warm = make_atlas(MemoryStore(), 30)
    compact(warm, "toy", profile="balanced")
    chance = random.Random(seed)
    present: set[str] = set()
    kills = 0
    for adds, task in tasks(path):
        for _ in range(2):
            change = int(2 ** chance.uniform(0, 8))

            status = in_child(partial(killed, change, task))
            assert status in {0, -9}, status
            kills += status == -9
            assert in_child(partial(check, path, [present, present | adds])) == 0
        assert in_child(task) == 0
        present |= adds
    assert in_child(partial(check, path, [present])) == 0
    sys.stdout.write(f"{kills}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
