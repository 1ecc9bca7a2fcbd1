"""Read a file of labels, whichever shape it has: it is understood whole or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from saeatlas.errors import InvalidInput, NotFound, SaeatlasError, SourceError, StorageError
from saeatlas.pipeline.label_lines import read_circuits, read_jsonl
from saeatlas.pipeline.label_objects import read_consolidated, read_dashboard
from saeatlas.pipeline.label_statement import LabelFile, object_or_none
from saeatlas.pipeline.label_tables import read_csv, read_tsv

__all__ = ["SHAPES", "read_label_file"]

MAX_BYTES = 512_000_000
SHAPES: dict[str, Callable[[str, LabelFile], None]] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "tsv": read_tsv,
    "dashboard": read_dashboard,
    "consolidated": read_consolidated,
    "feature-circuits": read_circuits,
}
"""What a file of labels may be."""


def read_label_file(path: Path, shape: str = "") -> LabelFile:
    """Read a file of labels; nothing of it is used where anything of it cannot be understood.

    Parameters
    ----------
    path
        The file.
    shape
        One of `SHAPES`; found by the file itself where it is empty.

    Raises
    ------
    SourceError
        When the file is empty, cut off, of another kind, or a line of it is wrong; the message names the line.
    """
    if shape and shape not in SHAPES:
        raise InvalidInput(f"No file of labels has the shape '{shape}'", hint=f"Known: {', '.join(SHAPES)}")
    text = _text_of(path)
    found = LabelFile(shape or _shape_of(text, path))
    try:
        SHAPES[found.shape](text, found)
    except SourceError as error:
        raise SourceError(f"'{path}' was not imported: {error.message}", hint=error.hint, kind=error.kind) from error
    if not found.n_lines:
        raise SourceError(f"'{path}' holds no label", kind="empty-source")
    return found


def _text_of(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SourceError(f"'{path}' has {size:,} bytes; a file of labels has {MAX_BYTES:,} at most")
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise NotFound(f"There is no file '{path}'") from error
    except SaeatlasError:
        raise
    except OSError as error:
        raise StorageError(f"Cannot read '{path}': {error.strerror or error}") from error
    if not data.strip():
        raise SourceError(f"'{path}' is empty", kind="empty-source")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"'{path}' is not UTF-8 at line {line}", hint="Save it as UTF-8.", kind="wrong-file-type"
        ) from error


def _shape_of(text: str, path: Path) -> str:
    ending = path.suffix.lower().removeprefix(".")
    if ending in {"csv", "tsv"}:
        return ending
    first = text.lstrip().split("\n", 1)[0]
    head = object_or_none(first)
    if head is not None and {"Name", "Annotation"} & set(head) and "feature" not in head:
        return "feature-circuits"
    if head is not None and {"action", "feature", "features"} & set(head):
        return "jsonl"
    if first.startswith("{"):
        whole = object_or_none(text)
        entries = [value for value in (whole or {}).values() if isinstance(value, dict)]
        if any("display_name" in entry or "feature_id" in entry for entry in entries):
            return "consolidated"
        if whole is None or any("name" in entry for entry in entries):
            return "jsonl" if ending == "jsonl" else "dashboard"
    raise SourceError(
        f"'{path}' is no file of labels that is known by itself",
        hint=f"Say which with --format: {', '.join(SHAPES)}",
        kind="wrong-file-type",
    )
