"""Counts of what was asked and how long it took, as Prometheus reads them."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import defaultdict

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Measure", "Metrics"]

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_PREFIXES = ("/api/v1", "/compat/activations")
_PAGES = "/{path:path}"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Requests by route and status, their seconds and bytes. Safe for threads."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._seconds: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS) + 1))
        self._total: dict[str, float] = defaultdict(float)
        self._bytes = 0
        self._in_flight = 0

    def begin(self) -> None:
        """Note that a request is being answered."""
        with self._lock:
            self._in_flight += 1

    def end(self, route: tuple[str, str, int], seconds: float, n_bytes: int) -> None:
        """Note the answer: its method, route and status, how long it took and how long it is."""
        with self._lock:
            self._in_flight -= 1
            self._requests[route] += 1
            self._seconds[route[1]][bisect_left(_BOUNDS, seconds)] += 1
            self._total[route[1]] += seconds
            self._bytes += n_bytes

    def text(self, commit: int) -> str:
        """Return all as Prometheus text."""
        with self._lock:
            lines = [
                *_head("saeatlas_requests_total", "counter", "Requests answered."),
                *(
                    f'saeatlas_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
                    for (method, route, status), count in sorted(self._requests.items())
                ),
                *_head("saeatlas_request_seconds", "histogram", "Time until the last byte was handed over."),
                *(line for route in sorted(self._seconds) for line in self._histogram(route)),
                *_one("saeatlas_response_bytes_total", "counter", "Bytes of all answers.", self._bytes),
                *_one("saeatlas_requests_in_flight", "gauge", "Requests being answered.", self._in_flight),
                *_one("saeatlas_commit", "gauge", "Newest commit of the atlas.", commit),
                *_one("saeatlas_uptime_seconds", "gauge", "Since the start.", round(time.time() - self.started_at, 3)),
            ]
        return "\n".join(lines) + "\n"

    def _histogram(self, route: str) -> list[str]:
        counts = self._seconds[route]
        lines, below = [], 0
        for bound, count in zip((*_BOUNDS, "+Inf"), counts, strict=True):
            below += count
            lines.append(f'saeatlas_request_seconds_bucket{{route="{route}",le="{bound}"}} {below}')
        lines.append(f'saeatlas_request_seconds_sum{{route="{route}"}} {self._total[route]:.6f}')
        lines.append(f'saeatlas_request_seconds_count{{route="{route}"}} {below}')
        return lines


class Measure:
    """Notes every answer in the metrics, the refused ones too."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request and note it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, n_bytes, start = 500, 0, time.perf_counter()

        async def counted(message: Message) -> None:
            nonlocal status, n_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            n_bytes += len(message.get("body", b""))
            await send(message)

        self.metrics.begin()
        try:
            await self.app(scope, receive, counted)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self.metrics.end((method, _route(scope), status), time.perf_counter() - start, n_bytes)


def _route(scope: Scope) -> str:
    """Return the route as the API writes it, never what was asked: labels must stay few and harmless."""
    path = str(getattr(scope.get("route"), "path", "none"))
    # A route knows its place in its own file only; where that is mounted, its commit left out, comes before.
    mounted = next((prefix for prefix in _PREFIXES if scope["path"].startswith(f"{prefix}/")), "")
    return path if path in {_PAGES, "none"} or path.startswith(f"{mounted}/") else mounted + path


def _head(name: str, kind: str, words: str) -> list[str]:
    return [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]


def _one(name: str, kind: str, words: str, value: float) -> list[str]:
    return [*_head(name, kind, words), f"{name} {value}"]
