"""HTTP/1.1 that waits for no one for ever: a client that sends or reads too slowly is dropped."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HEADER_SECONDS", "MAX_HEAD_BYTES", "STALL_SECONDS", "PatientProtocol"]

HEADER_SECONDS = 10.0
"""Time from the first byte of a request, or from the connection, to the end of its headers."""
STALL_SECONDS = 20.0
"""Time in which a reader must take some of what waits for it."""
MAX_HEAD_BYTES = 65_536
"""Length of the head of a request."""


class _Connection(h11.Connection):
    """h11's state of a connection, which hands on the pieces of an answer as they are, where h11 would copy each."""

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]  # one for what h11 overloads
        """Return what to write for an event."""
        if not isinstance(event, h11.Data):
            return super().send(event)
        pieces = self.send_with_data_passthrough(event) or []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class PatientProtocol(H11Protocol):
    """Uvicorn's protocol, with limits on the time to send a request's head and to take an answer."""

    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - what uvicorn gives
        super().__init__(*arguments, **named)
        self.conn = _Connection(h11.SERVER, self.config.h11_max_incomplete_event_size or MAX_HEAD_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read on, and stop waiting when the head is whole."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop("_head_timer")
        elif not self.transport.is_closing():
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop("_head_timer")
        self._stop("_stall_timer")
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to watch whether the reader takes anything."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Stop watching: the reader has caught up."""
        self._stop("_stall_timer")
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, and drop it when the reader does not take the rest."""
        super().timeout_keep_alive_handler()
        self._stop("_head_timer")
        self._watch(-1)

    def send_400_response(self, msg: str) -> None:
        """Say as a problem that the bytes are no request, and close."""
        body = {
            "type": "about:blank",
            "title": "Bad Request",
            "status": 400,
            "detail": msg.rstrip("."),
            "kind": "invalid-input",
            "hint": "",
            "instance": "",
        }
        data = json.dumps(body).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(data)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + data)
        self.transport.close()

    def _wait_for_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _watch(self, waiting: int) -> None:
        """Drop the reader unless less waits for it when the time is over than now."""
        self._stop("_stall_timer")
        self._stall_timer = self.loop.call_later(STALL_SECONDS, self._check, waiting)

    def _check(self, waiting: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= waiting:
            self.transport.abort()
        else:
            self._watch(left)

    def _stop(self, name: str) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)
