"""Which atlas and which feature a command means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from saeatlas.errors import AlreadyExists, InvalidInput, NotFound, StorageError

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.sae import SAE
    from saeatlas.storage.store import Store

__all__ = [
    "atlas_place",
    "is_free",
    "open_atlas",
    "open_feature",
    "open_features",
    "open_or_create",
    "open_sae",
    "split_reference",
    "store_to_plan_in",
]

_IDENTITY_FILE = "atlas.json"
_STAGING = "staging"
_RANGE = re.compile("([0-9]{1,18})(?:-([0-9]{1,18}))?")
_MOST = 1_000_000
_STAGED = re.compile("[0-9a-f]{32}")


def atlas_place(given: str, *, here: Path | None = None) -> str:
    """Return where the atlas is: as given, else `SAEATLAS_ATLAS`, else the one atlas in the current directory."""
    named = given or os.environ.get("SAEATLAS_ATLAS", "")
    if named:
        return named
    directory = here or Path.cwd()
    if (directory / _IDENTITY_FILE).is_file():
        return str(directory)
    found = sorted(path for path in directory.glob("*.atlas") if (path / _IDENTITY_FILE).is_file())
    if len(found) == 1:
        return str(found[0])
    if found:
        names = ", ".join(path.name for path in found)
        raise NotFound(f"No atlas is named, and '{directory}' holds several: {names}", hint="Say which with --atlas.")
    raise NotFound(
        f"No atlas is named, and '{directory}' is none and holds none",
        hint="Give --atlas DIR or set SAEATLAS_ATLAS; 'saeatlas demo' makes one to try.",
    )


def open_atlas(given: str) -> Atlas:
    """Open the atlas that `atlas_place` finds, at its last commit."""
    from saeatlas.atlas.atlas import open_atlas as open_at

    return open_at(atlas_place(given))


def open_or_create(given: str, check: Callable[[], object]) -> Atlas:
    """Open the atlas at a place, or make it there when nothing is; `check` is called before it is made.

    Raises
    ------
    AlreadyExists
        When the directory holds something else.
    """
    from saeatlas.atlas.atlas import create
    from saeatlas.atlas.atlas import open_atlas as open_at

    place = atlas_place(given)
    if not is_free(place):
        return open_at(place)
    check()
    try:
        return create(place)
    except AlreadyExists:
        # Another program made it in the meantime.
        return open_at(place)


def is_free(place: str) -> bool:
    """Whether nothing is at a place yet, or an empty directory, or one in which the making of an atlas was cut off."""
    if "://" in place:
        return False
    path = Path(place).expanduser()
    try:
        return not path.exists() or (path.is_dir() and all(_is_left_over(entry) for entry in path.iterdir()))
    except OSError as error:
        raise StorageError(f"Cannot look into '{path}': {error.strerror or error}", kind="read-only") from error


def _is_left_over(path: Path) -> bool:
    """Whether this is a staging directory with nothing in it but what saeatlas puts there, never a user's own."""
    return path.name == _STAGING and path.is_dir() and all(_STAGED.fullmatch(entry.name) for entry in path.iterdir())


def store_to_plan_in(given: str) -> Store:
    """Return the store of an atlas, or an empty one where the atlas is still to be made."""
    from saeatlas.storage import MemoryStore

    place = atlas_place(given)
    return MemoryStore() if is_free(place) else open_atlas(given).store


def open_sae(given: str, name: str) -> SAE:
    """Open one SAE of the atlas; without a name the only one."""
    return open_atlas(given).sae(name or None)


def split_reference(reference: str) -> tuple[str, int]:
    """Split 'NAME/ID' or 'ID' into the SAE's name (empty when not given) and the feature's id."""
    name, _, number = reference.strip().rpartition("/")
    if not number.isdecimal() or not number.isascii() or len(number) > 18:
        raise InvalidInput(
            f"'{reference}' names no feature",
            hint="Write NAME/ID, such as gpt2-l8/16751, or ID where there is one SAE.",
        )
    return name, int(number)


def open_feature(given: str, reference: str) -> Feature:
    """Open the feature that a reference names."""
    name, number = split_reference(reference)
    return open_sae(given, name).feature(number)


def open_features(given: str, reference: str) -> tuple[SAE, tuple[int, ...]]:
    """Open the SAE, and return the ids, of a reference that may name several: 'NAME/1,5,7-9'."""
    name, _, numbers = reference.strip().rpartition("/")
    ids: set[int] = set()
    for part in numbers.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not 0 <= last - first < _MOST:
            raise InvalidInput(
                f"'{reference}' names no features",
                hint="Write NAME/ID, such as gpt2-l8/16751, or several: gpt2-l8/3,7,40-49.",
            )
        ids.update(range(first, last + 1))
    return open_sae(given, name), tuple(sorted(ids))
