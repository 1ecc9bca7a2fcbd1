"""A server on this machine that answers as the Hugging Face hub does: models, trees, files, ranges of files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote, urlsplit

from saeatlas.testing.local_server import LocalServer, Reply, Request

__all__ = ["HubRepository", "git_id", "local_hub"]

_LARGE = (".npz", ".safetensors", ".bin", ".gz")


@dataclass(frozen=True)
class HubRepository:
    """A model repository at one commit."""

    files: Mapping[str, bytes]
    """Content by path. Arrays are Git LFS files, as on the hub; the rest are plain."""
    revisions: tuple[str, ...] = ("main",)
    """Branches and tags of the commit."""
    gated: bool = False
    """Whether files need terms to be accepted."""

    @property
    def commit(self) -> str:
        """A hash that changes with the content."""
        listing = "".join(f"{path}\n{hashlib.sha1(data).hexdigest()}\n" for path, data in sorted(self.files.items()))  # noqa: S324  # git names files by SHA-1
        return hashlib.sha1(listing.encode()).hexdigest()  # noqa: S324

    def entry(self, path: str) -> dict[str, object]:
        """Return what the tree says of a file."""
        data = self.files[path]
        facts: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": git_id(data)}
        if path.endswith(_LARGE):
            digest = hashlib.sha256(data).hexdigest()
            pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n".encode()
            facts["oid"] = git_id(pointer)
            facts["lfs"] = {"oid": digest, "size": len(data), "pointerSize": len(pointer)}
        return facts


def git_id(data: bytes) -> str:
    """Return the id that git gives to a file."""
    return hashlib.sha1(b"blob %d\x00" % len(data) + data).hexdigest()  # noqa: S324


def local_hub(repositories: Mapping[str, HubRepository]) -> LocalServer:
    """Return a server of repositories by 'owner/name'; `repositories` may change while it runs."""

    def answer(request: Request) -> Reply:
        address = urlsplit(request.path)
        path = unquote(address.path)
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/(revision|tree)/(.+))?", path)
        if api:
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            return _api(repositories, api[1], api[2] or "", unquote(api[3] or "main"), query)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        return _file(repositories, (file[1], file[2], file[3]), request) if file else _none("EntryNotFound")

    return LocalServer(answer)


def _api(repositories: Mapping[str, HubRepository], name: str, kind: str, rest: str, query: dict[str, str]) -> Reply:
    repository = repositories.get(name)
    if repository is None:
        return _none("RepoNotFound")
    if kind == "tree":
        revision, _, folder = rest.partition("/")
    else:
        revision, folder = rest, ""
    if revision not in {*repository.revisions, repository.commit}:
        return _none("RevisionNotFound")
    if kind != "tree":
        siblings = [{"rfilename": path} for path in sorted(repository.files)]
        return _json({"id": name, "sha": repository.commit, "private": False, "siblings": siblings})
    return _tree(repository, folder, query)


def _tree(repository: HubRepository, folder: str, query: dict[str, str]) -> Reply:
    prefix = f"{folder}/" if folder else ""
    inside = [path for path in sorted(repository.files) if path.startswith(prefix)]
    if not inside:
        return _none("EntryNotFound")
    entries: list[dict[str, object]] = []
    if query.get("recursive", "").lower() not in {"true", "1"}:
        below = {path.removeprefix(prefix).partition("/")[::2] for path in inside}
        folders = sorted({prefix + name for name, rest in below if rest})
        entries = [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders]
        inside = [path for path in inside if "/" not in path.removeprefix(prefix)]
    return _json(entries + [repository.entry(path) for path in inside])


def _file(repositories: Mapping[str, HubRepository], at: tuple[str, str, str], request: Request) -> Reply:
    name, revision, path = at
    repository = repositories.get(name)
    if repository is None:
        return _none("RepoNotFound")
    if revision not in {*repository.revisions, repository.commit}:
        return _none("RevisionNotFound")
    commit = {"X-Repo-Commit": repository.commit}
    if path not in repository.files:
        missing = _none("EntryNotFound")
        return replace(missing, headers={**missing.headers, **commit})
    if repository.gated:
        return Reply(403, b"no", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
    return _bytes(repository.files[path], commit, request, large=path.endswith(_LARGE))


def _bytes(data: bytes, commit: Mapping[str, str], request: Request, *, large: bool) -> Reply:
    """Return a file, or the range of it that is asked for."""
    digest = hashlib.sha256(data).hexdigest() if large else git_id(data)
    headers = {**commit, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
    if large:
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if wanted is None or request.method == "HEAD":
        return Reply(200, data, headers)
    start, stop = int(wanted[1]), min(int(wanted[2]) + 1 if wanted[2] else len(data), len(data))
    if start >= len(data):
        return Reply(416, b"", {**headers, "Content-Range": f"bytes */{len(data)}"})
    span = f"bytes {start}-{stop - 1}/{len(data)}"
    return Reply(206, data[start:stop], {**headers, "Content-Range": span})


def _json(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _none(code: str) -> Reply:
    return Reply(404, b'{"error": "not found"}', {"X-Error-Code": code, "Content-Type": "application/json"})
