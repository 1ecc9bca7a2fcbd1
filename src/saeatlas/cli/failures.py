"""How an exception becomes a message on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cyclopts import CycloptsError

from saeatlas.cli.render.escape import visible
from saeatlas.errors import InternalError, InvalidInput, SaeatlasError, StorageError

__all__ = ["report_failure"]

_INTERRUPTED = 130
_BROKEN_PIPE = 141
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def report_failure(error: BaseException) -> int:
    """Print what went wrong as `error:`, `note:` and `hint:` lines, and return the exit code."""
    if isinstance(error, CycloptsError):
        return _report_usage(error)
    if isinstance(error, SaeatlasError):
        return _report_known(error)
    if isinstance(error, BrokenPipeError):
        return _leave_broken_pipe()
    if isinstance(error, KeyboardInterrupt):
        return _report_interrupt()
    if isinstance(error, OSError) and error.errno in _UNWRITABLE and error.filename is None:
        return _report_output(error)
    return _report_unexpected(error)


def _report_output(error: OSError) -> int:
    """Say that standard output takes no more; files are written by code that names them in its own errors."""
    _give_up_output()
    _complain(f"Cannot write the answer: {error.strerror}", "Free some space where it goes, and ask again.", ())
    return StorageError.exit_code


def _report_known(error: SaeatlasError) -> int:
    """Print an error of saeatlas with its hint and notes; give the exit code of its class."""
    _complain(error.message, error.hint, _sentences(error.notes))
    return error.exit_code


def _report_usage(error: CycloptsError) -> int:
    """Print what is wrong with the command line itself, in the same form as every other error."""
    error.verbose = False
    chain = " ".join(("saeatlas", *(error.command_chain or ())))
    _complain(str(error).strip().removesuffix("."), f"See: {chain} --help", ())
    return InvalidInput.exit_code


def _report_unexpected(error: BaseException) -> int:
    """Say that this is a bug of saeatlas, in one line, with how to get the traceback."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f" at {Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}" if where else ""
    _complain(
        f"Unexpected {type(error).__name__}{place}: {error}",
        "This is a bug in saeatlas: please report it with the output of the same command under SAEATLAS_DEBUG=1.",
        _sentences(getattr(error, "__notes__", ())),
    )
    return InternalError.exit_code


def _report_interrupt() -> int:
    """Say that the run was stopped by the user."""
    _complain("Interrupted", "Finished work is kept: the same command goes on from there.", ())
    return _INTERRUPTED


def _leave_broken_pipe() -> int:
    """Go quietly when the reader of standard output has gone, as `head` does."""
    _give_up_output()
    return _BROKEN_PIPE


def _give_up_output() -> None:
    """Send what is left in the buffer nowhere: it is flushed once more at exit, which would complain."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _sentences(notes: Iterable[str]) -> tuple[str, ...]:
    """Return the notes that are sentences; tracebacks from worker processes are for SAEATLAS_DEBUG=1."""
    return tuple(note for note in notes if "Traceback (most recent call last)" not in note)


def _complain(message: str, hint: str, notes: tuple[str, ...]) -> None:
    lines = [f"error: {visible(message, keep_lines=True)}"]
    lines += [f"note: {visible(note, keep_lines=True)}" for note in notes]
    if hint:
        lines.append(f"hint: {visible(hint, keep_lines=True)}")
    sys.stdout.flush()
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()
