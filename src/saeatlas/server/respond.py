"""How an answer leaves: JSON or Arrow, with the commit as its tag, compressed where that is worth it."""

from __future__ import annotations

import gzip
import ipaddress
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from saeatlas._version import __version__
from saeatlas.errors import InvalidInput, OverBudget
from saeatlas.format.canonical import digest_bytes
from saeatlas.server.live import live_of
from saeatlas.server.settings import ServerSettings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "ARROW",
    "JSON",
    "Basis",
    "Meta",
    "Table",
    "as_arrow",
    "record",
    "settings_of",
    "table",
    "tabular",
    "unchanged",
]

ARROW = "application/vnd.apache.arrow.stream"
"""Media type of a table as an Arrow IPC stream."""
JSON = "application/json"
"""Media type of everything else."""
_IMMUTABLE = "public, max-age=31536000, immutable"
_PIECE = 1 << 20
_SMALL = 1 << 14
_WORTH_COMPRESSING = 1_000


class Basis(BaseModel):
    """What an answer about activations was computed from."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"n_rows": 100000, "exact": True, "sampled": None}]})

    n_rows: int = Field(description="Rows that were considered: the whole corpus, where the question names no rows.")
    exact: bool = Field(description="Whether that is every row that was asked about; false where rows were drawn.")
    sampled: str | None = Field(default=None, description="How rows were drawn; null when the answer is exact.")


class Meta(BaseModel):
    """What stands around the lines of a table."""

    commit: int = Field(description="Commit that the answer is about.")
    sae: str | None = Field(default=None, description="SAE that the answer is about, where it is about one.")
    basis: Basis | None = Field(default=None, description="What was considered, where that is activations.")
    total: int | None = Field(
        description="Lines that there are in all, before paging; null where the best were asked for and more are left."
    )
    next: str | None = Field(default=None, description="Give it as `after` for the next lines; null at the end.")
    labels_position: int | None = Field(default=None, description="Place in the log of labels that is shown.")
    extra: dict[str, Any] | None = Field(default=None, description="What else belongs to the table as a whole.")


class Table(Meta):
    """A table as JSON; as Arrow, the same without `rows` is in the schema's metadata `saeatlas`."""

    rows: list[dict[str, Any]] = Field(description="The lines: column → value, null where it is missing.")


def tabular(line: Mapping[str, object]) -> dict[int | str, dict[str, Any]]:
    """Return `responses` of an operation with `response_model=Table`, from an example of one line."""
    example = Table(commit=12, sae="gpt2-l8", basis=Basis(n_rows=100_000, exact=True), total=1, rows=[dict(line)])
    return {
        200: {
            "description": "The lines, as JSON or as an Arrow stream.",
            "content": {
                JSON: {"example": example.model_dump()},
                ARROW: {"schema": {"type": "string", "contentMediaType": ARROW}},
            },
        }
    }


def settings_of(request: Request) -> ServerSettings:
    """Return the settings of the server."""
    found: ServerSettings = request.app.state.settings
    return found


def record(request: Request, model: BaseModel, *, status: int = 200) -> Response:
    """Answer one object as JSON; NaN and infinity become null.

    Its `labels_position`, where it has one, joins the tag: labels are newer than the commit.
    """
    _check_format(request, "json")
    position = getattr(model, "labels_position", None)
    tag = _tag(request, position, "json")
    if tag and _is_known(request, tag):
        return _not_modified(request, tag, position)
    return _answer(request, model.model_dump_json().encode(), JSON, (tag, position, status))


def table(request: Request, lines: pa.Table, meta: Meta) -> Response:
    """Answer a table as JSON or Arrow, as the request wants."""
    wants_arrow = as_arrow(request)
    tag = _tag(request, meta.labels_position, "arrow" if wants_arrow else "json")
    if tag and _is_known(request, tag):
        return _not_modified(request, tag, meta.labels_position)
    about = (tag, meta.labels_position, 200)
    if wants_arrow:
        answer = _answer(request, _arrow(request, lines, meta), ARROW, about)
    else:
        answer = _answer(request, _json(request, lines, meta), JSON, about)
    if meta.total is not None:
        answer.headers["x-total-count"] = str(meta.total)
    return answer


def unchanged(request: Request, labels: int | None = None) -> Response | None:
    """Return 304 when the client has the answer already; call it before costly work.

    Parameters
    ----------
    request
        What is asked.
    labels
        Place in the log of labels, where the answer has labels in it.
    """
    tag = _tag(request, labels, "arrow" if as_arrow(request) else "json")
    return _not_modified(request, tag, labels) if tag and _is_known(request, tag) else None


def as_arrow(request: Request) -> bool:
    """Whether the request wants a table as Arrow: `?format=`, else the first of both in `Accept`, else JSON."""
    wanted = request.query_params.get("format")
    if wanted is not None:
        if wanted not in {"json", "arrow"}:
            raise InvalidInput(f"The format is 'json' or 'arrow', found: '{wanted:.100}'")
        return wanted == "arrow"
    return _preferred(request, (JSON, ARROW)) == ARROW


def _check_format(request: Request, only: Literal["json"]) -> None:
    wanted = request.query_params.get("format", only)
    if wanted != only:
        raise InvalidInput(f"This answer is no table: it comes as JSON, not as '{wanted:.100}'")
    _preferred(request, (JSON,))


def _preferred(request: Request, offered: tuple[str, ...]) -> str:
    """Return which of the media types `Accept` likes best; the first where it likes them equally."""
    from starlette.exceptions import HTTPException

    header = request.headers.get("accept", "*/*") or "*/*"
    weights = {media: _weight(header, media) for media in offered}
    best = max(offered, key=lambda media: weights[media])
    if weights[best] <= 0:
        raise HTTPException(406, f"The answer comes as {' or '.join(offered)}, and 'Accept' takes neither")
    return best


def _weight(header: str, media: str) -> float:
    """Return the weight of a media type in an `Accept` header: that of the most precise range that covers it."""
    major = media.partition("/")[0]
    found: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        try:
            found[name] = float(quality)
        except ValueError:
            found[name] = 0.0
    return next((found[name] for name in (media, f"{major}/*", "*/*") if name in found), 0.0)


class _Sink:
    """Takes what Arrow writes as it comes: columns stay where they are in memory."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[memoryview] = []

    def write(self, piece: object) -> int:
        self.pieces.append(memoryview(piece))  # type: ignore[arg-type]  # bytes, or a buffer of Arrow
        return self.pieces[-1].nbytes

    def tell(self) -> int:
        return sum(piece.nbytes for piece in self.pieces)

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        self.closed = True


def _arrow(request: Request, lines: pa.Table, meta: Meta) -> list[memoryview]:
    """Return an Arrow stream in pieces, which are the columns themselves."""
    import pyarrow as pa

    _check_size(request, lines.nbytes)
    about = {**(lines.schema.metadata or {}), b"saeatlas": meta.model_dump_json().encode()}
    lines = lines.replace_schema_metadata(about)
    sink = _Sink()
    with pa.PythonFile(sink, mode="w") as file, pa.ipc.new_stream(file, lines.schema) as writer:
        writer.write_table(lines)
    return list(_joined(sink.pieces))


def _joined(pieces: list[memoryview]) -> Iterator[memoryview]:
    """Put small neighbours together: each piece costs a call of the system."""
    held: list[memoryview] = []
    for piece in pieces:
        if piece.nbytes < _SMALL:
            held.append(piece)
            continue
        if held:
            yield memoryview(b"".join(held))
            held = []
        yield piece
    if held:
        yield memoryview(b"".join(held))


def _json(request: Request, lines: pa.Table, meta: Meta) -> bytes:
    from pydantic_core import to_json

    most = settings_of(request).max_json_rows
    if lines.num_rows > most:
        raise InvalidInput(
            f"{lines.num_rows:,} lines are more than an answer in JSON may have: {most:,}",
            hint=f"Ask for fewer with 'limit', or for Arrow: 'Accept: {ARROW}'.",
        )
    _check_size(request, lines.nbytes)
    envelope = meta.model_dump_json().encode()
    rows = to_json(lines.to_pylist(), inf_nan_mode="null")
    return envelope[:-1] + b',"rows":' + rows + b"}"


def _check_size(request: Request, n_bytes: int) -> None:
    most = settings_of(request).max_result_bytes
    if n_bytes > most:
        raise OverBudget(
            f"The answer has {n_bytes:,} bytes, more than one answer may have: {most:,}",
            hint="Ask for fewer columns or lines.",
        )


def _tag(request: Request, labels: int | None, form: str) -> str:
    """Return the entity tag: commit, place in the labels, and what else may change the bytes; '' without a commit."""
    atlas = getattr(request.state, "atlas", None)
    if atlas is None or request.method != "GET":
        return ""
    other = digest_bytes(f"{live_of(request).id} {__version__} {form}".encode())[:8]
    position = "" if labels is None else f"-{labels}"
    return f'"{atlas.commit.number}{position}-{other}"'


def _is_known(request: Request, tag: str) -> bool:
    # A weak tag is enough to compare for a 304.
    given = request.headers.get("if-none-match", "")
    return any(one.strip().removeprefix("W/") in {tag, "*"} for one in given.split(",") if one.strip())


def _headers(request: Request, tag: str, labels: int | None) -> dict[str, str]:
    if not tag:
        return {"cache-control": "no-store"}
    is_pinned = "commit" in request.path_params and labels is None
    return {
        "etag": tag,
        "cache-control": _IMMUTABLE if is_pinned else "no-cache",
        "vary": "accept, accept-encoding",
    }


def _not_modified(request: Request, tag: str, labels: int | None) -> Response:
    return Response(status_code=304, headers=_headers(request, tag, labels))


def _answer(
    request: Request, body: bytes | list[memoryview], media: str, about: tuple[str, int | None, int]
) -> Response:
    tag, labels, status = about
    headers = _headers(request, tag, labels)
    pieces = body if isinstance(body, list) else [memoryview(body)]
    length = sum(piece.nbytes for piece in pieces)
    if length >= _WORTH_COMPRESSING and not _is_near(request):
        packed, encoding = _compressed(b"".join(pieces), request.headers.get("accept-encoding", ""))
        pieces, length = [memoryview(packed)], len(packed)
        if encoding:
            headers["content-encoding"] = encoding
    if length <= _PIECE:
        return Response(b"".join(pieces), status, headers, media_type=media)
    return _InPieces(pieces, status, {**headers, "content-length": str(length)}, media_type=media)


class _InPieces(Response):
    """A long answer, sent as its reader takes it: a slow one holds up its own answer and nothing else."""

    def __init__(self, pieces: list[memoryview], status: int, headers: dict[str, str], media_type: str) -> None:
        self.status_code = status
        self.media_type = media_type
        self.background = None
        self.pieces = pieces
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; nothing is copied here."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self.pieces:
            for start in range(0, piece.nbytes, _PIECE):
                part = piece[start : start + _PIECE]
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_near(request: Request) -> bool:
    """Whether the client is on this machine, where compressing costs more time than it saves."""
    try:
        return ipaddress.ip_address(request.client.host if request.client else "127.0.0.1").is_loopback
    except ValueError:
        return True


def _compressed(body: bytes, accepted: str) -> tuple[bytes, str]:
    import pyarrow as pa

    weights: Mapping[str, float] = {name: _weight(accepted, name) for name in ("zstd", "gzip")}
    if weights["zstd"] > 0:
        return bytes(pa.compress(body, codec="zstd", asbytes=True)), "zstd"
    if weights["gzip"] > 0:
        return gzip.compress(body, 5), "gzip"
    return body, ""
