"""Ask a server over HTTP/1.1 with as little of the client's own time as possible: alone, or from many at once.

    python benchmarks/load.py 127.0.0.1 8765 /api/v1/saes/wide/features/{id} --ids 131072 --clients 64 --seconds 60

Prints one line of JSON. It runs in a process of its own, so that the server's interpreter is not shared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import sys
import time
from collections import Counter

import numpy as np

__all__ = ["Direct"]

ARROW = "application/vnd.apache.arrow.stream"


class Direct:
    """One connection that is kept; reads answers into one buffer."""

    def __init__(self, host: str, port: int) -> None:
        self._host = f"{host}:{port}"
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 26)

    def close(self) -> None:
        self._socket.close()

    def get(self, path: str, accept: str = "application/json", body: bytes | None = None) -> memoryview:
        """Return the body of an answer, good until the next one; stop the benchmark when it is none.

        It is not copied: for ten megabytes, fresh memory alone takes as long as all that the server does.
        """
        self._socket.sendall(_request(self._host, path, accept, body))
        view, n = memoryview(self._buffer), 0
        while (end := self._buffer.find(b"\r\n\r\n", 0, n)) < 0:
            n += self._socket.recv_into(view[n:])
        status, length = _head(bytes(self._buffer[:end]))
        if status != 200:
            raise SystemExit(f"{status} for {path}: {bytes(self._buffer[end : end + 300])!r}")
        start = end + 4
        while n < start + length:
            n += self._socket.recv_into(view[n:])
        return view[start : start + length]


def _request(host: str, path: str, accept: str, body: bytes | None) -> bytes:
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {host}", f"Accept: {accept}"]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def _head(head: bytes) -> tuple[int, int]:
    lines = head.decode("latin-1").split("\r\n")
    lengths = [line.split(":", 1)[1] for line in lines[1:] if line.lower().startswith("content-length:")]
    return int(lines[0].split()[1]), int(lengths[0]) if lengths else 0


async def _client(place: tuple[str, int], path: str, n_ids: int, until: float, found: list[tuple[int, float]]) -> None:
    reader, writer = await asyncio.open_connection(*place, limit=1 << 24)
    while time.perf_counter() < until:
        start = time.perf_counter()
        asked = path.replace("{id}", str(random.randrange(n_ids)))
        try:
            writer.write(_request(f"{place[0]}:{place[1]}", asked, "application/json", None))
            status, length = _head(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            status = 0
            reader, writer = await asyncio.open_connection(*place, limit=1 << 24)
        found.append((status, time.perf_counter() - start))
    writer.close()


async def load(place: tuple[str, int], path: str, n_ids: int, clients: int, seconds: float) -> dict[str, object]:
    """Ask for random ids from many connections, each after its answer, and return what came of it."""
    found: list[tuple[int, float]] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_client(place, path, n_ids, until, found) for _ in range(clients)))
    taken = np.array([seconds for _, seconds in found])
    return {
        "n": len(found),
        "statuses": dict(Counter(str(status) for status, _ in found)),
        "per_second": len(found) / seconds,
        **{f"p{q}": float(np.percentile(taken, q)) for q in (50, 90, 99)},
        "max": float(taken.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", choices=["127.0.0.1", "localhost"], help="this machine, and no other")
    parser.add_argument("port", type=int)
    parser.add_argument("path", help="with {id} for a random feature")
    parser.add_argument("--ids", type=int, required=True, help="ids are from 0 to one less")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    place = (options.host, options.port)
    found = asyncio.run(load(place, options.path, options.ids, options.clients, options.seconds))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
