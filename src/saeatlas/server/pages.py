"""The built pages: every file is known beforehand, so that no request reaches the file system."""

from __future__ import annotations

import gzip
import mimetypes
import re
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from saeatlas.errors import NotFound
from saeatlas.format.canonical import digest_bytes

__all__ = ["Pages"]

_OWN = Path(__file__).parent / "static"
_INDEX = "index.html"
_HASHED = re.compile(r"assets/.+-[\w-]{8,}\.\w+")
_IMMUTABLE = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml", ".wasm": "application/wasm"}
_NO_PAGES = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>saeatlas</title></head><body>
<h1>saeatlas is running, and its pages are not built</h1>
<p>The API works: see <a href="/api/v1/health">/api/v1/health</a> and <a href="/openapi.json">/openapi.json</a>.</p>
<p>Build them in the folder <code>frontend</code> of a clone, with <code>npm ci --ignore-scripts</code> and
<code>npm run build</code>, or name a directory of built pages: <code>saeatlas serve --pages DIR</code>.</p>
</body></html>
"""


@dataclass(frozen=True)
class _File:
    name: str
    data: bytes

    @cached_property
    def tag(self) -> str:
        """Entity tag of the content."""
        return f'"{digest_bytes(self.data)[:16]}"'

    @cached_property
    def packed(self) -> bytes:
        """The content, compressed."""
        return gzip.compress(self.data, 9)

    @property
    def media(self) -> str:
        """Media type by the name."""
        suffix = Path(self.name).suffix.lower()
        return _TYPES.get(suffix) or mimetypes.guess_type(self.name)[0] or "application/octet-stream"


class Pages:
    """The files of one directory, held in memory, and read again when its index changes."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory or _OWN
        if directory is not None and not (directory / _INDEX).is_file():
            raise NotFound(
                f"'{directory}' holds no built pages: it has no '{_INDEX}'", hint="See docs/how-to/serve.md."
            )
        self._lock = threading.Lock()
        self._read_at: int | None = None
        self._files: dict[str, _File] = {}

    def answer(self, request: Request, path: str) -> Response:
        """Answer a file, or the index for the address of a page; `NotFound` for a file that is not there."""
        files = self._current()
        if _INDEX not in files:
            return HTMLResponse(_NO_PAGES, headers={"cache-control": "no-store"})
        name = path.strip("/") or _INDEX
        if name not in files and (name.startswith("assets/") or Path(name).suffix in {".js", ".css", ".map", ".ico"}):
            raise NotFound(f"There is no file '/{name[:200]}'", hint="Load the page again: it was built anew.")
        return _send(request, files.get(name) or files[_INDEX])

    def _current(self) -> dict[str, _File]:
        try:
            changed_at = (self._directory / _INDEX).stat().st_mtime_ns
        except OSError:
            return {}
        if changed_at != self._read_at:
            with self._lock:
                self._files = _read(self._directory)
                self._read_at = changed_at
        return self._files


def _read(directory: Path) -> dict[str, _File]:
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            name = path.relative_to(directory).as_posix()
            found[name] = _File(name, path.read_bytes())
    return found


def _send(request: Request, file: _File) -> Response:
    headers = {
        "etag": file.tag,
        "cache-control": _IMMUTABLE if _HASHED.fullmatch(file.name) else "no-cache",
        "vary": "accept-encoding",
    }
    if file.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = file.data
    if len(body) > 1_000 and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["content-encoding"] = file.packed, "gzip"
    return Response(body, headers=headers, media_type=file.media)
