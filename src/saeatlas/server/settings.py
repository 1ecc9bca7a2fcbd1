"""What the person who starts the server decides, and how much one request may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["ServerSettings"]


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Who may ask what, and how much."""

    host: str = "127.0.0.1"
    """Address that the server listens at."""
    token: str = ""
    """What every request must show; empty when none is needed."""
    read_only: bool = False
    """Whether whatever would write to the atlas or start work is refused."""
    allowed_hosts: tuple[str, ...] = ()
    """Names beside those of this machine by which the server may be addressed, such as that of a reverse proxy."""
    pages: Path | None = None
    """Directory of the built pages; None for those that came with the package."""
    compat_group: str = ""
    """Metadata column that clients of an older server get as the group; empty for what that is named there."""
    memory_budget: int = 2_000_000_000
    """Bytes that jobs started over HTTP may plan with."""
    max_url_bytes: int = 16_384
    """Length of path and query together."""
    max_body_bytes: int = 8_000_000
    """Length of a request's body."""
    max_result_bytes: int = 512_000_000
    """Length of one answer before compression."""
    max_json_rows: int = 100_000
    """Lines of one table as JSON; Arrow has no such limit but the bytes."""
    body_seconds: float = 20.0
    """Time in which a body must have arrived, and in which a reader must take each piece of an answer."""
