"""An artifact is an immutable directory whose seal, written last, lists and hashes all its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from saeatlas.errors import FormatError, InternalError, NotFound
from saeatlas.format.canonical import Record, canonical_json, digest_bytes, read_document, take, write_document
from saeatlas.format.version import FORMAT, check_format, now, writer
from saeatlas.progress import SILENT, Progress
from saeatlas.storage import Store
from saeatlas.storage.keys import join_key

__all__ = ["SEAL", "FileRecord", "Manifest", "Problem", "load_manifest", "seal", "verify_artifact"]

SEAL = "artifact.json"
"""Name of the seal within the artifact."""

_ENCODINGS = {
    "segment": 1,
    "documents": 1,
    "tokens": 1,
    "table": 1,
    "weights": 1,
    "feature-map": 1,
    "explanations": 1,
    "sae-identity": 1,
}
"""Newest version of each encoding type that this saeatlas reads; types it does not know are not its to read."""

_BLOCK = 4 << 20
_HASHERS = 2


@dataclass(frozen=True)
class FileRecord:
    """One file of an artifact."""

    path: str
    """Relative to the artifact, with '/'."""
    size: int
    """Bytes."""
    sha256: str
    """64 hexadecimal digits."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What the seal says: how the artifact was made and what it holds."""

    format: int
    encoding_type: str
    """What kind of thing it is: 'segment', 'table', 'documents' …"""
    encoding_version: int
    step: str
    """Name of the step that made it."""
    step_version: int
    params: Mapping[str, object]
    inputs: Mapping[str, str]
    """Name of each input → its content."""
    key: str
    """Digest of step, version, params and inputs: the same key means the same artifact."""
    digest: str
    """Digest of the file records."""
    content: str
    """What steps that read it depend on: the digest, unless the step has something better."""
    files: tuple[FileRecord, ...]
    """All files but the seal, by path."""
    attributes: Mapping[str, object]
    """Facts about the payload, by encoding type."""
    writer: str
    written_at: str
    seconds: float
    """Time that the step took."""

    @property
    def size(self) -> int:
        """Bytes of all files but the seal."""
        return sum(record.size for record in self.files)

    def to_json(self) -> Record:
        """Return the members of the seal."""
        return {
            "format": self.format,
            "encoding-type": self.encoding_type,
            "encoding-version": self.encoding_version,
            "step": self.step,
            "step-version": self.step_version,
            "params": dict(self.params),
            "inputs": dict(self.inputs),
            "key": self.key,
            "digest": self.digest,
            "content": self.content,
            "files": [{"path": record.path, "size": record.size, "sha256": record.sha256} for record in self.files],
            "attributes": dict(self.attributes),
            "writer": self.writer,
            "written-at": self.written_at,
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, object], what: str) -> Manifest:
        """Read what `to_json` gave; `FormatError` names `what` and the member that is wrong."""
        format_version = check_format(record.get("format"), what)
        encoding_type = take(record, "encoding-type", str, what)
        encoding_version = take(record, "encoding-version", int, what)
        _check_encoding(encoding_type, encoding_version, what)
        return cls(
            format=format_version,
            encoding_type=encoding_type,
            encoding_version=encoding_version,
            step=take(record, "step", str, what),
            step_version=take(record, "step-version", int, what),
            params=take(record, "params", dict, what),
            inputs=take(record, "inputs", dict, what),
            key=take(record, "key", str, what),
            digest=take(record, "digest", str, what),
            content=take(record, "content", str, what),
            files=tuple(_file_record(item, what) for item in take(record, "files", list, what)),
            attributes=take(record, "attributes", dict, what),
            writer=take(record, "writer", str, what),
            written_at=take(record, "written-at", str, what),
            seconds=take(record, "seconds", float, what),
        )


@dataclass(frozen=True)
class Problem:
    """One thing that verification found."""

    path: str
    """Key of the file in the store."""
    kind: Literal["missing-file", "wrong-size", "wrong-digest", "stray-file", "unreadable-seal", "newer-format"]
    message: str


def seal(  # noqa: PLR0913 - the members of the seal, which the caller knows one by one
    directory: Path,
    *,
    encoding_type: str,
    encoding_version: int,
    step: str,
    step_version: int,
    params: Mapping[str, object],
    inputs: Mapping[str, str],
    key: str,
    attributes: Mapping[str, object],
    content: str | None,
    seconds: float,
) -> Manifest:
    """Hash every file of a finished directory, write the seal into it and return what it says.

    Parameters
    ----------
    directory
        A scratch directory with the whole payload and no seal.
    content
        What dependent steps key on, or None for the digest of the files.
    seconds
        Time that the step took.

    Raises
    ------
    InternalError
        When the directory is sealed already or holds something that is neither a file nor a directory.
    """
    files = _hash_files(directory)
    digest = _digest_of(files)
    manifest = Manifest(
        format=FORMAT,
        encoding_type=encoding_type,
        encoding_version=encoding_version,
        step=step,
        step_version=step_version,
        params=params,
        inputs=inputs,
        key=key,
        digest=digest,
        content=digest if content is None else content,
        files=files,
        attributes=attributes,
        writer=writer(),
        written_at=now(),
        seconds=float(seconds),
    )
    document = write_document(manifest.to_json())
    (directory / SEAL).write_bytes(document)
    return Manifest.from_json(read_document(document, SEAL), SEAL)


def load_manifest(store: Store, prefix: str) -> Manifest:
    """Return what the seal of the artifact at `prefix` says.

    Raises
    ------
    FormatError
        Kind corrupt-artifact or digest-mismatch when the seal is missing or damaged, unsupported-format
        when it is newer; the message names the seal's key.
    """
    key = join_key(prefix, SEAL)
    try:
        data = store.get(key)
    except NotFound as error:
        raise FormatError(
            f"The artifact '{prefix}' has no seal: '{key}' is missing",
            hint="Run 'saeatlas verify' to see what else is missing; building again makes what can be made again.",
            kind="corrupt-artifact",
        ) from error
    manifest = Manifest.from_json(read_document(data, key), key)
    if _digest_of(manifest.files) != manifest.digest:
        raise FormatError(f"'{key}' contradicts itself: its digest is not that of its files", kind="digest-mismatch")
    return manifest


def verify_artifact(store: Store, prefix: str, *, deep: bool, progress: Progress = SILENT) -> list[Problem]:
    """Return what is wrong with an artifact's files, by path; an empty list when nothing is.

    Parameters
    ----------
    store, prefix
        Where the artifact is.
    deep
        Hash every byte. Otherwise only the seal is read, and every file must be there in its size and
        no other file may be.
    progress
        Told of the bytes hashed.
    """
    seal_key = join_key(prefix, SEAL)
    try:
        manifest = load_manifest(store, prefix)
    except FormatError as error:
        newer = error.kind == "unsupported-format"
        return [Problem(seal_key, "newer-format" if newer else "unreadable-seal", error.message)]
    expected = {join_key(prefix, record.path): record for record in manifest.files}
    found = set(store.list(prefix)) - {seal_key}
    problems = [
        Problem(key, "stray-file", f"'{key}' does not belong to the artifact") for key in found - expected.keys()
    ]
    problems += [Problem(key, "missing-file", f"'{key}' is missing") for key in expected.keys() - found]
    whole = []
    for key in sorted(found & expected.keys()):
        size = store.open(key).size
        if size == expected[key].size:
            whole.append(key)
        else:
            message = f"'{key}' must have {expected[key].size} bytes, it has {size}"
            problems.append(Problem(key, "wrong-size", message))
    if deep:
        problems += _compare_digests(store, {key: expected[key] for key in whole}, progress)
    return sorted(problems, key=lambda problem: problem.path)


def _compare_digests(store: Store, expected: Mapping[str, FileRecord], progress: Progress) -> list[Problem]:
    from concurrent.futures import ThreadPoolExecutor

    problems = []
    total = sum(record.size for record in expected.values())
    with (
        progress.task("Verify bytes", total=total, unit="bytes") as task,
        ThreadPoolExecutor(_HASHERS) as pool,
    ):
        digests = pool.map(lambda key: _hash_blob(store, key), expected)
        for (key, record), digest in zip(expected.items(), digests, strict=True):
            task.advance(record.size)
            if digest != record.sha256:
                message = f"'{key}' was changed or damaged: its SHA-256 is {digest}, it was {record.sha256}"
                problems.append(Problem(key, "wrong-digest", message))
    return problems


def _hash_blob(store: Store, key: str) -> str:
    blob = store.open(key)
    hasher = hashlib.sha256()
    buffer = np.empty(min(_BLOCK, blob.size), np.uint8)
    for offset in range(0, blob.size, _BLOCK):
        piece = buffer[: min(_BLOCK, blob.size - offset)]
        blob.read_into(offset, piece)
        hasher.update(piece.data)
    return hasher.hexdigest()


def _hash_files(directory: Path) -> tuple[FileRecord, ...]:
    paths = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if not path.is_dir()}
    if SEAL in paths:
        raise InternalError(f"The directory '{directory.name}' is sealed already")
    odd = [name for name, path in paths.items() if path.is_symlink() or not path.is_file()]
    if odd:
        raise InternalError(f"An artifact holds files only, found something else: '{odd[0]}'")
    from concurrent.futures import ThreadPoolExecutor

    names = sorted(paths)
    with ThreadPoolExecutor(_HASHERS) as pool:
        return tuple(pool.map(lambda name: _hash_file(name, paths[name]), names))


def _hash_file(name: str, path: Path) -> FileRecord:
    hasher = hashlib.sha256()
    size = 0
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(_BLOCK)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            hasher.update(view[:count])
            size += count
    return FileRecord(name, size, hasher.hexdigest())


def _digest_of(files: Iterable[FileRecord]) -> str:
    return digest_bytes(canonical_json([[record.path, record.size, record.sha256] for record in files]))


def _check_encoding(encoding_type: str, found: int, what: str) -> None:
    newest = _ENCODINGS.get(encoding_type, found)
    if found > newest:
        raise FormatError(
            f"'{what}' holds {encoding_type} version {found}, and this saeatlas reads versions up to {newest}: "
            "made by a newer saeatlas",
            hint="Upgrade: pip install --upgrade saeatlas",
            kind="unsupported-format",
        )


def _file_record(item: object, what: str) -> FileRecord:
    if not isinstance(item, dict):
        raise FormatError(f"'{what}' must list files as objects, found: {item!r:.100}", kind="corrupt-artifact")
    return FileRecord(take(item, "path", str, what), take(item, "size", int, what), take(item, "sha256", str, what))
