"""Sources on the Hugging Face hub: `hf://owner/repo[/path][@revision]`, as files on this machine.

A folder with the files of one SAE is taken as it is, a file with the JSON files beside it; in a repository in the
layout of Gemma Scope, layer, width and L0 choose the file. Local folders are read the same way, so that a copy of a
repository does what the repository does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.canonical import digest_bytes
from saeatlas.importers._gemma_scope_layout import Choice, choose, layers_in
from saeatlas.importers._hub_files import Hub, Listing, RemoteFile
from saeatlas.progress import SILENT, Progress

__all__ = [
    "Layers",
    "Located",
    "Resolved",
    "available_layers",
    "fetch_source",
    "is_on_hub",
    "locate_source",
    "missing_bytes",
    "resolve_source",
]

_SCHEME: Final = "hf://"
_ADDRESS: Final = re.compile(r"hf://([\w.-]+/[\w.-]+)((?:/[^/@]+)*)/?(?:@([\w./-]+))?")
_WEIGHTS: Final = (".npz", ".safetensors")
_WANTED: Final = (*_WEIGHTS, ".json")
_LAYER: Final = "{layer}"


@dataclass(frozen=True)
class Located:
    """An SAE that was found on the hub, not yet downloaded."""

    repository: str
    inside: str
    """Path in the repository: a file, or the folder that holds the files."""
    listing: Listing
    """The files to fetch, and their commit."""
    notes: tuple[str, ...] = ()
    """Sentences that the user should read."""

    @property
    def url(self) -> str:
        """Address that always gives the same bytes."""
        return _written(self.repository, self.inside, self.listing.commit)

    @property
    def fingerprint(self) -> str:
        """Digest of the content, from the checksums that the hub states."""
        names = [f"{file.path.rpartition('/')[2]} {file.digest}\n" for file in self.listing.files]
        return digest_bytes("".join(names).encode())


@dataclass(frozen=True)
class Resolved:
    """A source as files on this machine."""

    path: Path
    """A file, or the folder that holds the files of one SAE."""
    revision: str
    """Commit, or empty for a local source."""
    url: str
    """Address that always gives the same bytes, or the local path."""
    notes: tuple[str, ...] = ()
    """Sentences that the user should read."""


@dataclass(frozen=True)
class Layers:
    """The layers that a source has."""

    source: str
    """The source at the commit that was looked at, so that all layers come from one."""
    layers: tuple[int, ...]
    """Ascending."""


@dataclass(frozen=True)
class _Address:
    repository: str
    """Owner and name."""
    path: str
    """Folder or file in it, or empty."""
    revision: str
    """Branch, tag or commit."""


def is_on_hub(source: str) -> bool:
    """Whether a source is an address on the hub."""
    return source.startswith(_SCHEME)


def resolve_source(
    source: str,
    *,
    layer: int | None = None,
    width: str = "16k",
    l0: str = "",
    progress: Progress = SILENT,
    hub: Hub | None = None,
) -> Resolved:
    """Return the local files of a source; those on the hub are downloaded and verified.

    Parameters
    ----------
    source
        A local path, or `hf://owner/repo[/path][@revision]`; '{layer}' in it stands for the layer.
    layer
        Which layer, where the source has several.
    width
        Which width, in the layout of Gemma Scope, where the path does not say it.
    l0
        Which L0, in the layout of Gemma Scope: a number, 'canonical', or empty where there is one only.
    progress
        Told about downloads.
    hub
        Where to look; by default what the environment says.

    Raises
    ------
    SourceError
        When there is no such SAE, several would do, the hub does not answer, or bytes are not what the hub states.
    """
    choice = Choice(layer, width, l0)
    if not is_on_hub(source):
        return _local(source, choice)
    hub = hub or Hub.from_environment()
    return fetch_source(_locate(source, choice, hub), progress=progress, hub=hub)


def locate_source(
    source: str, *, layer: int | None = None, width: str = "16k", l0: str = "", hub: Hub | None = None
) -> Located:
    """Find which files on the hub are meant, without downloading them; see `resolve_source`."""
    return _locate(source, Choice(layer, width, l0), hub or Hub.from_environment())


def missing_bytes(located: Located, *, hub: Hub | None = None) -> int:
    """Return how much `fetch_source` would download, from the sizes that the hub states."""
    hub = hub or Hub.from_environment()
    files = located.listing.files
    return sum(file.size for file in files if not hub.has(located.repository, located.listing, file))


def fetch_source(located: Located, *, progress: Progress = SILENT, hub: Hub | None = None) -> Resolved:
    """Download what is not in the cache, verify all, and return where it is."""
    hub = hub or Hub.from_environment()
    places = {
        file.path: hub.fetch(located.repository, located.listing, file, progress) for file in located.listing.files
    }
    path = places.get(located.inside) or next(iter(places.values())).parent
    return Resolved(path, located.listing.commit, located.url, located.notes)


def available_layers(source: str, *, width: str = "16k", hub: Hub | None = None) -> Layers:
    """Return the layers of a source, and the source pinned to the commit at which they were seen.

    Parameters
    ----------
    source
        A repository or folder in the layout of Gemma Scope, where the layers of `width` count; or a source with
        '{layer}', where the numbers count that stand at its place.
    """
    if not is_on_hub(source):
        paths = _local_candidates(source) if _LAYER in source else Path(source).rglob("params.npz")
        return Layers(source, _layers((path.as_posix() for path in paths), Path(source).as_posix(), width))
    hub = hub or Hub.from_environment()
    address = _parse(source)
    folder = address.path.partition(_LAYER)[0].rpartition("/")[0] if _LAYER in address.path else address.path
    listing = hub.list_files(address.repository, address.revision, folder)
    found = _layers((file.path for file in listing.files), address.path, width)
    return Layers(_written(address.repository, address.path, listing.commit), found)


def _local_candidates(template: str) -> Iterator[Path]:
    """Yield what there is where a template has '{layer}', of any name there that has the right length of path."""
    parts = Path(template).parts
    place = next(place for place, part in enumerate(parts) if _LAYER in part)
    folder = Path(*parts[:place])
    for child in sorted(folder.iterdir()) if folder.is_dir() else ():
        path = child.joinpath(*parts[place + 1 :])
        if path.exists():
            yield path


def _layers(paths: Iterable[str], template: str, width: str) -> tuple[int, ...]:
    """Return the layers that paths name, at the place of '{layer}' in `template` or by the layout of Gemma Scope."""
    if _LAYER not in template:
        return layers_in(paths, width)
    pattern = re.compile(re.escape(template).replace(re.escape(_LAYER), r"(\d+)", 1) + r"(?:/.*)?")
    return tuple(sorted({int(match[1]) for path in paths if (match := pattern.fullmatch(path))}))


def _locate(source: str, choice: Choice, hub: Hub) -> Located:
    address = _parse(_filled(source, choice.layer))
    is_file = address.path.endswith(_WANTED)
    folder = address.path.rpartition("/")[0] if is_file else address.path
    listing = hub.list_files(address.repository, address.revision, folder)
    if not is_file and _LAYER not in source:
        chosen = choose((file.path for file in listing.files), folder, choice, address.repository)
        if chosen and hub.offline and not choice.l0 and "average_l0_" not in folder:
            raise SourceError(
                f"Which L0s {address.repository} has is not known offline, and none is chosen",
                hint="Say --l0 with a number, or --l0 canonical.",
            )
        if chosen:
            files = tuple(file for file in listing.files if file.path == chosen.path)
            return Located(address.repository, chosen.path, Listing(listing.commit, files), chosen.notes)
        _refuse_layer(source, choice)
    _refuse_l0(address.path, choice)
    beside = [file for file in listing.files if file.path.rpartition("/")[0] == folder]
    wanted = tuple(file for file in beside if _is_wanted(file, address.path if is_file else ""))
    if not any(file.path.endswith(_WEIGHTS) for file in wanted):
        raise _without_weights(address, listing, offline=hub.offline)
    return Located(address.repository, address.path, Listing(listing.commit, wanted))


def _is_wanted(file: RemoteFile, named: str) -> bool:
    """Whether a file belongs to an SAE: the one that is named and its JSON files, or all files of the folder."""
    return file.path.endswith(".json" if named else _WANTED) or file.path == named


def _local(source: str, choice: Choice) -> Resolved:
    """Return a local source, with the layer chosen where the folder has the layout of Gemma Scope."""
    path = Path(_filled(source, choice.layer))
    if _LAYER in source or not path.is_dir() or any(file.suffix in _WEIGHTS for file in path.iterdir()):
        if _LAYER not in source:
            _refuse_layer(source, choice)
        _refuse_l0(str(path), choice)
        return Resolved(path, "", str(path))
    whole = path.resolve()
    chosen = choose(
        (file.as_posix() for file in whole.rglob("params.npz")), whole.as_posix(), choice, whole.name or str(whole)
    )
    if chosen:
        return Resolved(path / Path(chosen.path).relative_to(whole), "", str(path), chosen.notes)
    _refuse_layer(source, choice)
    _refuse_l0(source, choice)
    return Resolved(path, "", source)


def _refuse_layer(source: str, choice: Choice) -> None:
    """Refuse a layer where nothing depends on it, which would give every layer the same SAE."""
    if choice.layer is not None:
        raise InvalidInput(
            f"A layer is chosen, and the source has one SAE only: '{source}'",
            hint=f"Put '{_LAYER}' where the number of the layer stands in the path, or choose no layer.",
        )


def _refuse_l0(path: str, choice: Choice) -> None:
    """Refuse an L0 where nothing depends on it, unless it is the one that the path names."""
    named = re.search(r"average_l0_(\d+)", path)
    if choice.l0 and choice.l0 != (named and named[1]):
        raise InvalidInput(
            f"L0 '{choice.l0}' is chosen, and the source has one SAE only: '{path}'",
            hint="Leave --l0 out, or give the folder that has the SAEs of all L0s.",
        )


def _filled(source: str, layer: int | None) -> str:
    """Return the source with its layer in the place of '{layer}'."""
    if _LAYER not in source:
        return source
    if layer is None:
        raise InvalidInput(f"Which layer is meant by '{_LAYER}' in '{source}' is not said", hint="Say --layers.")
    return source.replace(_LAYER, str(layer))


def _parse(source: str) -> _Address:
    found = _ADDRESS.fullmatch(source)
    if found is None or {".", ".."} & {*found[1].split("/"), *found[2].split("/")}:
        raise InvalidInput(
            f"Not an address on the hub: '{source:.200}'", hint="Write it like this: hf://owner/repo/path@revision"
        )
    return _Address(found[1], found[2].strip("/"), found[3] or "main")


def _written(repository: str, path: str, revision: str) -> str:
    return f"{_SCHEME}{repository}{'/' if path else ''}{path}@{revision}"


def _without_weights(address: _Address, listing: Listing, *, offline: bool) -> SourceError:
    """Return the error for a place that holds no weights, with what lies there."""
    prefix = f"{address.path}/" if address.path else ""
    names = sorted({file.path.removeprefix(prefix).partition("/")[0] for file in listing.files})
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    where = f"'{address.path}' of {address.repository}" if address.path else address.repository
    return SourceError(
        f"There are no weights (.npz or .safetensors) at {where}{' in the cache' if offline else ''}",
        hint=f"Give the folder or file of one SAE. Found there: {shown or 'nothing'}",
    )
