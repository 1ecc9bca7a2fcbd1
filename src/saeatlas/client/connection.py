"""Requests to one server: of one version of the API, with timeouts, and with errors that say what to do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from saeatlas.client.problems import error_of
from saeatlas.errors import FormatError, InvalidInput, StorageError
from saeatlas.extras import require

if TYPE_CHECKING:
    import httpx
    import pyarrow as pa

__all__ = ["API", "Answer", "Connection", "Query", "segment"]

API = "/api/v1"
_ARROW = "application/vnd.apache.arrow.stream"
_PROBLEM = "application/problem+json"
_TRIES = 3
_WAIT_SECONDS = 0.1
_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""Last bytes of a whole Arrow stream; without them it may have been cut between two batches."""
_MOST_SECONDS = 86_400.0
_SAME_VERSION = "Check the address, and that server and client are of the same version of saeatlas."
_CONNECT_SECONDS = 5.0
_LOCAL = {"127.0.0.1", "localhost", "::1"}

Query = Mapping[str, object]
"""Parameters by name; None leaves one out, a truth value is 'true' or 'false', several values stand with commas."""


@dataclass(frozen=True)
class Answer:
    """A table and what stands around its lines."""

    table: pa.Table
    """The lines."""
    meta: dict[str, Any]
    """`commit`, `total`, `next`, `basis`, `extra`."""


class Members(dict[str, Any]):
    """An object of an answer, which says so where it lacks a member, as that of a server of another version may."""

    def __missing__(self, name: str) -> object:
        raise FormatError(f"The answer of the server has no member '{name}'", hint=_SAME_VERSION)


class Connection:
    """What sends requests. Safe for threads.

    A GET is tried again when the connection fails, for a server that is just restarting; nothing else is ever sent
    twice.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 60.0) -> None:
        base, from_url = _split(url)
        self.url = base
        """Address of the server."""
        _check_seconds(timeout)
        self._httpx = require("httpx", extra="client", to="ask a server")
        token = _checked_token(token or from_url)
        self._client: httpx.Client = self._httpx.Client(
            base_url=base,
            timeout=self._httpx.Timeout(timeout, connect=min(_CONNECT_SECONDS, timeout)),
            headers={"authorization": f"Bearer {token}"} if token else {},
            # A proxy of the environment is for other machines.
            trust_env=urlsplit(base).hostname not in _LOCAL,
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def health(self) -> dict[str, Any]:
        """Return what the server says of itself, after checking that it is one of this version of the API.

        Raises
        ------
        FormatError
            Kind unsupported-format when something else answers at the address.
        """
        answer = self._get(f"{API}/health", {}, "application/json")
        found = _json(answer)
        if answer.status_code in {401, 403} and _is_problem(answer):
            raise error_of(answer.status_code, _object(found))
        if answer.is_error or not isinstance(found, dict) or not _is_health(found):
            raise FormatError(
                f"What answers at {self.url} is no server of saeatlas with the API '{API}' "
                f"(status {answer.status_code} for {API}/health)",
                hint=_SAME_VERSION,
                kind="unsupported-format",
            )
        return found

    def get(self, path: str, query: Query | None = None) -> dict[str, Any]:
        """Return an object."""
        return _object(_json(self._checked(self._get(path, query or {}, "application/json"))))

    def table(self, path: str, query: Query | None = None) -> Answer:
        """Return a table, which travels as Arrow."""
        import json

        import pyarrow as pa

        answer = self._checked(self._get(path, query or {}, _ARROW))
        try:
            if not answer.content.endswith(_END_OF_STREAM):
                raise pa.ArrowInvalid("it is cut off, or something else")
            table = pa.ipc.open_stream(pa.py_buffer(answer.content)).read_all()
            table.validate()
            meta = _object(json.loads((table.schema.metadata or {})[b"saeatlas"]))
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise FormatError(
                f"The answer of {self.url}{path} is no table of saeatlas: {error or type(error).__name__}",
                hint=_SAME_VERSION,
            ) from error
        rest = {name: value for name, value in table.schema.metadata.items() if name != b"saeatlas"}
        return Answer(table.replace_schema_metadata(rest or None), meta)

    def post(self, path: str, body: object) -> dict[str, Any]:
        """Send an object once, and return the answer."""
        try:
            answer = self._client.post(path, json=body)
        except self._httpx.HTTPError as error:
            raise self._unreachable(error) from error
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"What was to be sent is no JSON: {error}",
                hint="Numbers are finite, and of Python; texts are whole characters.",
            ) from error
        return _object(_json(self._checked(answer)))

    def _get(self, path: str, query: Query, accept: str) -> httpx.Response:
        for attempt in range(1, _TRIES + 1):
            try:
                return self._client.get(path, params=_params(query), headers={"accept": accept})
            except (self._httpx.NetworkError, self._httpx.RemoteProtocolError, self._httpx.ConnectTimeout) as error:
                if attempt == _TRIES:
                    raise self._unreachable(error) from error
                time.sleep(_WAIT_SECONDS * 2**attempt)
            except self._httpx.HTTPError as error:
                raise self._unreachable(error) from error
        raise AssertionError

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        found = _json(answer) if _is_problem(answer) else None
        if isinstance(found, dict):
            raise error_of(answer.status_code, found)
        raise FormatError(
            f"{self.url} answered {answer.status_code} and not as a server of saeatlas does", hint=_SAME_VERSION
        )

    def _unreachable(self, error: Exception) -> StorageError:
        what = "did not answer in time" if isinstance(error, self._httpx.TimeoutException) else "cannot be reached"
        return StorageError(
            f"The server at {self.url} {what}: {error or type(error).__name__}",
            hint="Is 'saeatlas serve' running there?",
            kind="network-error",
        )


def segment(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="")


def _split(url: str) -> tuple[str, str | None]:
    """Return the address without query, and the token that `saeatlas serve` may have printed into it."""
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except (AttributeError, TypeError, ValueError):
        is_address = False
    if not is_address:
        raise InvalidInput(
            f"Not the address of a server: {url!r:.200}", hint="It begins with http:// or https://, as 'serve' says it."
        )
    token = parse_qs(parts.query).get("token", [None])[0]
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", "")), token


def _checked_token(token: str | None) -> str | None:
    if token is not None and not (token.isascii() and token.isprintable()):
        raise InvalidInput("A token is made of ASCII letters, digits and signs, this one is not")
    return token


def _check_seconds(timeout: object) -> None:
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not 0 < timeout <= _MOST_SECONDS:  # type: ignore[operator]  # a number, by the line above
        raise InvalidInput(f"The seconds to wait for an answer are above 0, up to a day, found: {timeout!r:.60}")


def _is_health(found: dict[str, Any]) -> bool:
    kinds = {"commit": int, "atlas_id": str, "version": str}
    return all(isinstance(found.get(name), kind) for name, kind in kinds.items())


def _params(query: Query) -> dict[str, str]:
    found = {}
    for name, value in query.items():
        if value is None:
            continue
        if isinstance(value, bool):
            found[name] = "true" if value else "false"
        elif isinstance(value, list | tuple):
            found[name] = ",".join(map(str, value))
        else:
            found[name] = str(value)
    return found


def _is_problem(answer: httpx.Response) -> bool:
    return str(answer.headers.get("content-type", "")).startswith(_PROBLEM)


def _json(answer: httpx.Response) -> object:
    try:
        return answer.json(object_hook=Members)
    except (ValueError, RecursionError):
        return None


def _object(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise FormatError("The answer of the server is no JSON object", hint=_SAME_VERSION)
    return found
