"""The demo's documents: docstrings of the Python that runs it, so that no text needs to be shipped."""

from __future__ import annotations

import ast
import hashlib
import os
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from saeatlas.errors import SourceError
from saeatlas.progress import Progress

__all__ = ["Docstring", "digest_of_files", "in_hash_order", "library_files", "read_docstrings", "standard_library"]

_LEFT_OUT = frozenset(
    # Tests, applications, and what distributions ship separately or not at all.
    {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip"}
)
_SHORTEST = 41  # Characters; below this a docstring is a name said twice.

_Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Docstring:
    """One documented module, class or function of the standard library."""

    id: str
    """Module and qualified name, as in 'json.decoder:JSONDecoder.decode'; the module alone for its own docstring."""
    text: str
    """The docstring without its indentation."""
    module: str
    """Dotted name of the module."""
    kind: Literal["module", "class", "function"]
    """What is documented; methods are functions."""
    name: str
    """Its own name, without the module and the enclosing class."""

    @property
    def package(self) -> str:
        """First part of the module's name."""
        return self.module.partition(".")[0]


def standard_library() -> Path:
    """Return the directory of the running Python's standard library."""
    return Path(sysconfig.get_paths()["stdlib"])


def library_files(library: Path) -> list[Path]:
    """Return, sorted, the modules below `library` that the demo reads: no tests, no installed packages."""
    files: list[Path] = []
    for folder, inside, names in os.walk(library):
        # Not entering installed packages: they can be a hundred times the library.
        inside[:] = [name for name in inside if name.isidentifier() and name not in _LEFT_OUT]
        files.extend(Path(folder) / name for name in names if name.endswith(".py") and name[:-3].isidentifier())
    files.sort()
    if not files:
        raise SourceError(
            f"The standard library has no source files to take docstrings from: '{library}'",
            hint="Use a Python that is installed with its sources, from python.org, a distribution or uv.",
            kind="empty-source",
        )
    return files


def digest_of_files(library: Path, files: Sequence[Path]) -> str:
    """Return one SHA-256 over the names and contents of `files`."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(library).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def read_docstrings(library: Path, files: Sequence[Path], progress: Progress) -> list[Docstring]:
    """Return every docstring of more than 40 characters, in the order of `files` and of the source."""
    found: list[Docstring] = []
    with progress.task("Read docstrings", total=len(files), unit="files") as task:
        for path in files:
            found.extend(_of_file(path, _module_name(path.relative_to(library))))
            task.advance(1)
    return found


def in_hash_order(docstrings: Sequence[Docstring]) -> list[Docstring]:
    """Return them in an order that looks random and is the same everywhere: that of their SHA-256."""
    return sorted(docstrings, key=lambda one: hashlib.sha256(f"{one.id}\0{one.text}".encode()).digest())


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _of_file(path: Path, module: str) -> Iterator[Docstring]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Old escapes in the library's own strings are not the user's business.
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError) as error:
            raise SourceError(
                f"A module of the standard library is not valid Python: '{path}': {error}",
                hint="Reinstall this Python, or run the demo with another one.",
            ) from error
    seen: Counter[str] = Counter()
    for node, qualified in _definitions(tree, ""):
        text = ast.get_docstring(node)
        if text is None or len(text) < _SHORTEST:
            continue
        name = f"{module}:{qualified}" if qualified else module
        seen[name] += 1
        if seen[name] > 1:  # One name may be defined once per platform.
            name = f"{name}#{seen[name]}"
        own = qualified.rpartition(".")[2] or module.rpartition(".")[2]
        yield Docstring(name, text, module, _kind(node), own)


def _definitions(node: ast.AST, inside: str) -> Iterator[tuple[_Definition, str]]:
    """Yield everything that can have a docstring, and its qualified name; expressions are not entered."""
    if isinstance(node, _Definition):
        yield node, inside
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _definitions(child, f"{inside}.{child.name}".lstrip("."))
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _definitions(child, inside)


def _kind(node: _Definition) -> Literal["module", "class", "function"]:
    if isinstance(node, ast.Module):
        return "module"
    return "class" if isinstance(node, ast.ClassDef) else "function"
