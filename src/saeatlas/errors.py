"""The exceptions of saeatlas, grouped by what the caller does next.

    SaeatlasError
    ├── InvalidInput (ValueError)   correct the call and try again
    ├── NotFound (KeyError)         ask for something that exists
    ├── AlreadyExists               choose another name, or say that it may be replaced
    ├── Conflict                    another writer was faster, or two facts disagree: look, then decide
    ├── SourceError                 the data handed in is broken or does not fit: mend the source
    ├── MissingExtra                install the optional part that is named
    ├── OverBudget                  ask for less, or allow more memory
    ├── FormatError                 the atlas on disk cannot be read: restore or upgrade
    ├── StorageError                the disk or object store failed: mend it and run again
    ├── StepFailed                  a step stopped: read the cause; finished work is kept
    └── InternalError               a bug in saeatlas: report it

Every error carries a `kind`: a stable word that programs may test. Kinds are only ever added.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "KINDS",
    "AlreadyExists",
    "Conflict",
    "FormatError",
    "InternalError",
    "InvalidInput",
    "MissingExtra",
    "NotFound",
    "OverBudget",
    "SaeatlasError",
    "SourceError",
    "StepFailed",
    "StorageError",
    "error_classes",
]

KINDS: frozenset[str] = frozenset(
    {
        "invalid-input",
        "unauthorized",
        "forbidden",
        "not-found",
        "already-exists",
        "conflict",
        "port-taken",
        "identity-mismatch",
        "corpus-mismatch",
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
        "network-error",
        "tokenizer-mismatch",
        "missing-extra",
        "over-budget",
        "format-error",
        "unsupported-format",
        "corrupt-artifact",
        "digest-mismatch",
        "not-an-atlas",
        "storage-error",
        "read-only",
        "disk-full",
        "step-failed",
        "worker-died",
        "internal",
    }
)


class SaeatlasError(Exception):
    """Base of every error that saeatlas raises on purpose.

    Parameters
    ----------
    message
        What was asked and what was found. Sentence case, no full stop.
    hint
        What to do next, or empty when there is nothing useful to say.
    kind
        A member of `KINDS`; each class has its default.
    """

    default_kind: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 70
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kind = kind or self.default_kind
        if self.kind not in KINDS:
            raise InternalError(f"Unknown error kind: '{self.kind}'")
        if hint:
            # Tracebacks show notes below the message, and would not show an attribute.
            self.add_note(_as_note(hint))

    def __str__(self) -> str:
        return self.message

    @property
    def notes(self) -> tuple[str, ...]:
        """What was added on the way out, without the hint."""
        return tuple(note for note in getattr(self, "__notes__", ()) if note != _as_note(self.hint))

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries, and the default would lose the keyword arguments.
        return _rebuild, (type(self), self.message, self.hint, self.kind, self.notes)


def _as_note(hint: str) -> str:
    return f"hint: {hint}"


def _rebuild(cls: type[SaeatlasError], message: str, hint: str, kind: str, notes: tuple[str, ...]) -> SaeatlasError:
    error = cls(message, hint=hint, kind=kind)
    for note in notes:
        error.add_note(note)
    return error


class InvalidInput(SaeatlasError, ValueError):
    """An argument is wrong in itself."""

    default_kind, exit_code, http_status = "invalid-input", 2, 422


class NotFound(SaeatlasError, KeyError):
    """The named thing is not in the atlas."""

    default_kind, exit_code, http_status = "not-found", 3, 404


class AlreadyExists(SaeatlasError):
    """The name is taken by something else."""

    default_kind, exit_code, http_status = "already-exists", 4, 409


class Conflict(SaeatlasError):
    """Two facts or two writers disagree."""

    default_kind, exit_code, http_status = "conflict", 5, 409


class SourceError(SaeatlasError):
    """The data handed in is broken, incomplete or does not fit."""

    default_kind, exit_code, http_status = "source-error", 6, 422


class MissingExtra(SaeatlasError, ImportError):
    """An optional dependency is not installed."""

    default_kind, exit_code, http_status = "missing-extra", 7, 501


class OverBudget(SaeatlasError):
    """The work would need more memory than allowed."""

    default_kind, exit_code, http_status = "over-budget", 8, 507


class FormatError(SaeatlasError):
    """Bytes on disk are not what the format says."""

    default_kind, exit_code, http_status = "format-error", 9, 500


class StorageError(SaeatlasError, OSError):
    """The file system or object store refused or failed."""

    default_kind, exit_code, http_status = "storage-error", 10, 503


class StepFailed(SaeatlasError):
    """A step stopped before its artifact was complete; nothing of it is visible."""

    default_kind, exit_code, http_status = "step-failed", 11, 500


class InternalError(SaeatlasError):
    """A bug in saeatlas."""

    default_kind, exit_code, http_status = "internal", 70, 500


def error_classes() -> dict[str, tuple[int, int]]:
    """Map each error class name to its exit code and HTTP status."""
    return {cls.__name__: (cls.exit_code, cls.http_status) for cls in SaeatlasError.__subclasses__()}
