"""Neuronpedia's bulk files, `explanations/batch-N.jsonl.gz`: all labels of an SAE in a few files.

On a web server the number of batches is not known, so that they are asked for one after the other until several in a
row are not there; where a later one is there, those between are missing. Batches are kept in a folder, so that an
interrupted download goes on with the next, and a finished one is not repeated.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from saeatlas.errors import SourceError
from saeatlas.format.source_file import check_file
from saeatlas.importers._http import Client, GaveUp
from saeatlas.importers._neuronpedia_lines import About, Labels, read_about, read_object
from saeatlas.progress import Progress

__all__ = ["Batches", "batch_folder", "download_batches", "find_batches", "is_complete", "kept_at", "read_batches"]

_NAME: Final = re.compile(r"batch-([0-9]{1,6})\.jsonl(\.gz)?")
_MOST_LINE: Final = 16_000_000
_AHEAD: Final = 8
"""Batches in a row that are not there before the end is believed."""
_DONE: Final = "complete.json"


@dataclass(frozen=True)
class Batches:
    """Files by number."""

    files: dict[int, Path]
    missing: tuple[int, ...] = ()
    """Numbers below the last that are not there."""


def find_batches(source: Path, n_batches: int = 0) -> Batches:
    """Return the batches of a folder, of its folder 'explanations', or the one file that is given.

    Parameters
    ----------
    n_batches
        Batches that there must be; 0 when unknown, and then a missing end is not seen.
    """
    if source.is_file():
        found = _NAME.fullmatch(source.name)
        return Batches({int(found[1]) if found else 0: source})
    files: dict[int, Path] = {}
    for folder in (source, source / "explanations"):
        for path in sorted(folder.iterdir()) if folder.is_dir() and not files else ():
            found = _NAME.fullmatch(path.name)
            if found and int(found[1]) in files:
                raise SourceError(f"There are two files of batch {int(found[1])} in '{folder}'", hint="Remove one.")
            if found:
                files[int(found[1])] = path
    if not files:
        raise SourceError(
            f"There is no batch of explanations at '{source}'",
            hint="Give a folder with files named batch-0.jsonl.gz, batch-1.jsonl.gz and so on, or one such file.",
            kind="empty-source",
        )
    expected = range(n_batches or max(files) + 1)
    return Batches(dict(sorted(files.items())), tuple(number for number in expected if number not in files))


def download_batches(client: Client, url: str, folder: Path, n_batches: int, progress: Progress) -> None:
    """Have every batch of a web address in a folder.

    Parameters
    ----------
    url
        Address of the folder of the batches, or of one file.
    folder
        Where they are kept; batches that are there are not fetched again.
    n_batches
        Batches that there must be; 0 when unknown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / _DONE
    if done.exists() and len(_numbers(folder)) >= n_batches:
        return
    with progress.task("Download labels", total=n_batches or None, unit="batches") as task:
        files = [kept_at(url, folder).name] if _is_file(url) else (f"batch-{n}.jsonl.gz" for n in count())
        base = url.rpartition("/")[0] if _is_file(url) else url
        absent = 0
        for number, file in enumerate(files):
            if number == n_batches > 0 or absent == _AHEAD:
                break
            there = _fetch(client, f"{base}/{file}", folder / file)
            absent = 0 if there else absent + 1
            task.advance(there)
    numbers = _numbers(folder)
    if not numbers:
        raise SourceError(
            f"There is no batch of explanations at '{url}'",
            hint="Check the ids of the model and of the SAE: both are in the address of a feature's page.",
            kind="empty-source",
        )
    if _is_file(url) or numbers == set(range(n_batches or max(numbers) + 1)):
        done.write_text(json.dumps({"url": url}))


def is_complete(folder: Path) -> bool:
    """Whether a folder has every batch of its web address."""
    return (folder / _DONE).exists()


def kept_at(url: str, folder: Path) -> Path:
    """Return where in its folder an address is kept: the folder, or the one file."""
    return folder / url.rpartition("/")[2] if _is_file(url) else folder


def _is_file(url: str) -> bool:
    return _NAME.fullmatch(url.rpartition("/")[2]) is not None


def _numbers(folder: Path) -> set[int]:
    found = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return {int(match[1]) for match in found if match}


def batch_folder(url: str) -> str:
    """Return the address of the folder of the batches, or of the file, for an address that a user gives."""
    url = url.rstrip("/")
    name = url.rpartition("/")[2]
    return url if _is_file(url) or name.startswith("explanations") else f"{url}/explanations"


def read_batches(batches: Batches, about: About, n_features: int, progress: Progress) -> Labels:
    """Read all explanations; memory is that of their texts.

    Raises
    ------
    SourceError
        When a file is cut short, or a line is no explanation of the SAE that is asked for; the message names the line.
    """
    labels = Labels(about, n_features, missing_batches=batches.missing)
    with progress.task("Read labels", total=len(batches.files), unit="batches") as task:
        for path in batches.files.values():
            check_file(path, "label")
            for number, line in enumerate(_lines(path), start=1):
                where = f"Line {number} of {path.name}"
                if line.strip():
                    record = _parsed(line, where)
                    about, feature = read_about(record, where)
                    labels.about = labels.about.agreed(about, where)
                    labels.add(feature, record, where)
            task.advance(1)
    return labels


def _fetch(client: Client, url: str, path: Path) -> bool:
    """Have one batch; False when the server has none. A batch that is cut short is asked for once more."""
    if path.exists():
        return True
    for _ in range(2):
        try:
            if not client.download(url, path):
                return False
            for _line in _lines(path):
                pass
        except GaveUp as error:
            raise SourceError(
                f"The labels cannot be downloaded: {error}",
                hint="Run it again: batches that have arrived are kept.",
                kind="network-error",
            ) from error
        except SourceError as error:
            if error.kind != "truncated-source":
                raise
            path.unlink()
            damaged = error
        else:
            return True
    raise SourceError(f"The server sends a batch that is cut short: '{url}'", kind="truncated-source") from damaged


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, compressed or not, as its first bytes say."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.GzipFile(fileobj=raw) if packed else raw as file:
            try:
                while line := file.readline(_MOST_LINE):
                    if len(line) == _MOST_LINE:
                        raise SourceError(f"A line of '{path.name}' has {_MOST_LINE} bytes or more: no explanation")
                    yield line
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise SourceError(
                    f"The label file is cut short or damaged: '{path}': {error}",
                    hint="Compare its size with the original and copy it again.",
                    kind="truncated-source",
                ) from error


def _parsed(line: bytes, where: str) -> dict[str, object]:
    try:
        return read_object(json.loads(line), where)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{where} is not JSON: {error}", hint="The file may be cut short: compare its size, and copy it again."
        ) from error
