"""The server's errors as the exceptions that the same question raises on an atlas that is here."""

from __future__ import annotations

from typing import Any

from saeatlas.errors import (
    KINDS,
    AlreadyExists,
    Conflict,
    FormatError,
    InternalError,
    InvalidInput,
    MissingExtra,
    NotFound,
    OverBudget,
    SaeatlasError,
    SourceError,
    StepFailed,
    StorageError,
)

__all__ = ["error_of"]

_BY_STATUS: dict[int, type[SaeatlasError]] = {
    404: NotFound,
    409: Conflict,
    500: InternalError,
    501: MissingExtra,
    503: StorageError,
    507: OverBudget,
}
_BY_KIND: dict[str, type[SaeatlasError]] = {
    "already-exists": AlreadyExists,
    **dict.fromkeys(("storage-error", "read-only", "disk-full"), StorageError),
    **dict.fromkeys(("step-failed", "worker-died"), StepFailed),
    **dict.fromkeys(
        ("format-error", "unsupported-format", "corrupt-artifact", "digest-mismatch", "not-an-atlas"), FormatError
    ),
    **dict.fromkeys(
        (
            "source-error",
            "truncated-source",
            "wrong-file-type",
            "missing-dataset",
            "shape-mismatch",
            "index-out-of-range",
            "duplicate-index",
            "not-finite",
            "empty-source",
            "undecodable-id",
            "duplicate-id",
            "pickled-source",
            "missing-metadata",
            "tokenizer-mismatch",
            "network-error",
        ),
        SourceError,
    ),
}


def error_of(status: int, problem: dict[str, Any]) -> SaeatlasError:
    """Return the exception of an `application/problem+json` answer, with its kind, hint and notes.

    A kind that this version does not know, from a newer server, gives way to that of the class; a note keeps it.
    """
    kind = str(problem.get("kind", ""))
    cls = _BY_KIND.get(kind) or _BY_STATUS.get(status) or (InternalError if status >= 500 else InvalidInput)
    error = cls(
        str(problem.get("detail") or f"The server answered {status}"),
        hint=str(problem.get("hint") or ""),
        kind=kind if kind in KINDS else "",
    )
    if kind and kind not in KINDS:
        error.add_note(f"Kind of the server: {kind}")
    notes = problem.get("notes")
    for note in notes if isinstance(notes, list) else ():
        error.add_note(str(note))
    return error
