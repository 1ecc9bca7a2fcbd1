"""Import into a file system that is really full, and really read-only.

Run as a program by `test_faults.py`. With the argument `mounted` the directory is a small tmpfs of its own
namespace. Otherwise a limit on the size of files stands in for a full disk, and permissions for a read-only one.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import SaeatlasError
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.verify import verify
from saeatlas.storage import LocalStore
from saeatlas.testing.make_atlas import Shape, make_importer

SHAPE = Shape(n_rows=5_000, n_features=64, k=4, n_documents=10)
FREE = [0, 8_000, 60_000, 300_000]


def fill(place: Path, free: int) -> None:
    room = os.statvfs(place)
    with (place / "filler").open("wb") as file:
        file.write(bytes(max(0, room.f_bavail * room.f_frsize - free)))


def limit(free: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, resource.RLIM_INFINITY))


def refused(store: LocalStore) -> str:
    """Import a second SAE, which must fail; return the kind of the error."""
    try:
        import_source(store, make_importer(SHAPE, sae="second", shard_rows=2000))
    except SaeatlasError as error:
        found = Atlas(store, head(store))
        assert found.saes == ["toy"], found.saes
        assert verify(store, deep=True).ok
        return error.kind
    raise AssertionError("the import found room")


def main(place: Path, *, mounted: bool) -> None:
    store = LocalStore(place / "one atlas", create=True)
    create_atlas(store)
    import_source(store, make_importer(SHAPE))
    kinds = set()
    for free in FREE if mounted else [0, 8_000, 60_000]:
        if mounted:
            fill(place, free)
        else:
            limit(free)
        kinds.add(refused(store))
        (place / "filler").unlink(missing_ok=True)
        if not mounted:
            limit(resource.RLIM_INFINITY)
        store.sweep(min_age=0)
    assert not mounted or kinds == {"disk-full"}, kinds
    if mounted:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    else:
        for path in [*place.rglob("*"), place]:
            path.chmod(path.stat().st_mode & ~0o222)
    if mounted or os.geteuid() != 0:
        assert refused(store) == "read-only"
    if mounted:
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
    else:
        for path in [place, *place.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
    import_source(store, make_importer(SHAPE, sae="second", shard_rows=2000))
    assert verify(store, deep=True).ok
    sys.stdout.write("held\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), mounted=sys.argv[2] == "mounted")
