"""Who may ask: Host, Origin, token, sizes and time of what comes in, and the headers of what goes out."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saeatlas.format.canonical import digest_bytes
from saeatlas.server.problems import problem
from saeatlas.server.settings import ServerSettings

__all__ = ["PAGE_POLICY", "Guard", "is_loopback"]

PAGE_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""What a page may load and run: only what this server sends."""
_DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_TO_ALL = frozenset({"/health", "/api/v1/health"})
"""What a monitor may ask without a token."""
_READS_BY_POST = re.compile(r"/api/v1/saes/[^/]+/groups")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_IN_FLIGHT = 256


@dataclass(frozen=True)
class _Refusal:
    status: int
    detail: str
    hint: str = ""
    kind: str = ""


class Guard:
    """Refuses what may not be asked before anything is read or computed, and puts its headers on every answer."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self.app = app
        self.settings = settings
        self.cookie = f"saeatlas-{digest_bytes(settings.token.encode())[:8]}"
        self._names = _own_names(settings)
        self._takes_addresses = not is_loopback(settings.host)
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        guarded = _with_headers(send)
        if scope["method"] == "HEAD":
            # Answered as GET is, but for the body.
            scope["method"], guarded = "GET", _without_body(guarded)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _say(scope, receive, guarded, refusal)
            return
        entry = self._entry(scope)
        if entry is not None:
            await entry(scope, receive, guarded)
            return
        body = await self._body(headers, receive, scope["method"])
        if isinstance(body, _Refusal):
            await _say(scope, receive, guarded, body)
            return
        self._in_flight += 1
        try:
            await self.app(scope, receive if body is None else _replay(body, receive), guarded)
        finally:
            self._in_flight -= 1

    def _refusal(self, scope: Scope, headers: Headers) -> _Refusal | None:
        """Return why a request is refused by its first line and headers alone."""
        length = len(scope.get("raw_path", b"")) + len(scope["query_string"])
        if length > self.settings.max_url_bytes:
            return _Refusal(414, f"The address has {length:,} bytes, at most {self.settings.max_url_bytes:,} are read")
        if self._in_flight >= _MAX_IN_FLIGHT:
            return _Refusal(503, f"{self._in_flight} requests are being answered", "Ask again in a moment.")
        return (
            self._host_refusal(headers)
            or self._origin_refusal(scope, headers)
            or self._token_refusal(scope, headers)
            or self._write_refusal(scope)
        )

    def _host_refusal(self, headers: Headers) -> _Refusal | None:
        given = headers.getlist("host")
        name = _host_name(given[0]) if len(given) == 1 else ""
        if name in self._names or (self._takes_addresses and _is_address(name)):
            return None
        return _Refusal(
            421,
            f"This server does not answer to the name '{', '.join(given)[:100]}'",
            "Start it with --allow-host NAME where it stands behind a proxy of that name.",
        )

    def _origin_refusal(self, scope: Scope, headers: Headers) -> _Refusal | None:
        """Refuse what another site's page sends; a page of this server has its own address as origin."""
        origin = headers.get("origin")
        is_foreign = origin is not None and _authority(origin) != headers["host"].lower()
        site = headers.get("sec-fetch-site", "none")
        if is_foreign or (scope["method"] not in _SAFE and site not in {"none", "same-origin"}):
            return _Refusal(403, f"Pages of another site may not ask this server: '{(origin or site)[:100]}'")
        return None

    def _token_refusal(self, scope: Scope, headers: Headers) -> _Refusal | None:
        if not self.settings.token or scope["path"] in _OPEN_TO_ALL:
            return None
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        given = [shown.strip() if scheme.lower() == "bearer" else "", self._cookie(scope)]
        if _is_page(scope):
            given.append(_query_token(scope))
        if any(self._is_token(one) for one in given):
            return None
        return _Refusal(
            401,
            "This server wants its token, and the request has none or another",
            "Send 'Authorization: Bearer TOKEN', or open /?token=TOKEN in a browser.",
        )

    def _write_refusal(self, scope: Scope) -> _Refusal | None:
        method = scope["method"]
        if not self.settings.read_only or method in _SAFE:
            return None
        if method == "POST" and _READS_BY_POST.fullmatch(scope["path"]):
            return None
        return _Refusal(
            403,
            f"The server is read-only: it takes no {method} here",
            "Whoever runs it started it with --read-only; work on a copy of the atlas, or on a server without that.",
            "read-only",
        )

    def _entry(self, scope: Scope) -> Response | None:
        """Turn a token in the address of a page into a cookie, and send the browser to the address without it."""
        if not self.settings.token or not _is_page(scope) or not self._is_token(_query_token(scope)):
            return None
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        rest = urlencode([(name, value) for name, value in pairs if name != "token"])
        # One slash: two would name another host.
        target = "/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else "")
        answer = RedirectResponse(target, 303, {"cache-control": "no-store"})
        is_https = scope.get("scheme") == "https"
        answer.set_cookie(self.cookie, self.settings.token, httponly=True, samesite="strict", secure=is_https)
        return answer

    def _is_token(self, given: str) -> bool:
        return bool(given) and hmac.compare_digest(given.encode(), self.settings.token.encode())

    def _cookie(self, scope: Scope) -> str:
        # Read as browsers write them: the programs at other ports of this machine set cookies here too, of any form.
        return HTTPConnection(scope).cookies.get(self.cookie, "")

    async def _body(self, headers: Headers, receive: Receive, method: str) -> bytes | _Refusal | None:
        """Read a whole body of a request that may have one, within the limits of size and time."""
        most = self.settings.max_body_bytes
        stated = headers.get("content-length", "0")
        if stated.isdecimal() and int(stated[:20]) > most:
            return _too_large(int(stated[:20]), most)
        if method in _SAFE:
            return None
        try:
            async with asyncio.timeout(self.settings.body_seconds):
                body = await _gather(receive, most)
        except TimeoutError:
            return _Refusal(408, f"The body had not arrived after {self.settings.body_seconds:g} seconds")
        if body is None:
            return _too_large(most + 1, most)
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and media != "application/json":
            hint = "Send it with the header 'content-type: application/json'."
            return _Refusal(415, f"A body must be application/json, found: '{media[:100]}'", hint=hint)
        return body


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach an address."""
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _own_names(settings: ServerSettings) -> frozenset[str]:
    """Return the names by which the server may be addressed: any other may be a page that rebinds its own name."""
    own = {settings.host.strip("[]").lower(), *(name.lower() for name in settings.allowed_hosts)}
    if not is_loopback(settings.host):
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(own | _LOOPBACK_NAMES)


def _host_name(host: str) -> str:
    """Return the name in a Host header without its port, or '' where it is none."""
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+))(?::[0-9]{1,5})?", host)
    return (match[1] or match[2]).lower().rstrip(".") if match else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _authority(origin: str) -> str:
    """Return `host[:port]` of an origin, as a browser writes it in Host; '' for 'null' and for what is none."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in {"http", "https"} else ""


def _is_page(scope: Scope) -> bool:
    return scope["method"] == "GET" and not re.match(r"/(?:api|compat)(?:/|$)|/metrics$|/openapi.json$", scope["path"])


def _query_token(scope: Scope) -> str:
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return next((value for name, value in pairs if name == "token"), "")


def _too_large(found: int, most: int) -> _Refusal:
    return _Refusal(413, f"The body has {found:,} bytes or more, at most {most:,} are read")


async def _gather(receive: Receive, most: int) -> bytes | None:
    """Return the whole body, or None when it is longer than `most`."""
    pieces: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(pieces)
        pieces.append(message.get("body", b""))
        length += len(pieces[-1])
        if length > most:
            return None
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, then what the connection says."""
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            is_page = headers.get("content-type", "").startswith("text/html")
            for name, value in _all_headers(is_page=is_page).items():
                # Headers of a 304 take the place of those that the browser kept with the page: they are right already.
                if message["status"] != 304 or name in _HEADERS:
                    headers.setdefault(name, value)
        await send(message)

    return guarded


def _without_body(send: Send) -> Send:
    async def bare(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return bare


def _all_headers(*, is_page: bool) -> Mapping[str, str]:
    return {**_HEADERS, "content-security-policy": PAGE_POLICY if is_page else _DATA_POLICY}


async def _say(scope: Scope, receive: Receive, send: Send, refusal: _Refusal) -> None:
    answer = problem(scope["path"], refusal.status, refusal.detail, kind=refusal.kind, hint=refusal.hint)
    if refusal.status == 401:
        answer.headers["www-authenticate"] = "Bearer"
    if refusal.status == 503:
        answer.headers["retry-after"] = "1"
    if refusal.status in {408, 413}:
        # What is left of the body is not read.
        answer.headers["connection"] = "close"
    await answer(scope, receive, send)
