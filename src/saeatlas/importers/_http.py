"""Ask web servers with patience: time limits, several tries, what a server says about waiting, and a budget per hour.

A request that fails for a reason that may pass (a connection that breaks or is slow, status 408, 425 or 5xx, an answer
that cannot be read) is tried again after a time that doubles and is random within its upper half, so that clients that
failed together do not return together. Status 429, and 503 with Retry-After, say to come later: the time that the
server gives is kept to, in seconds or as a date. Every try counts against the budget.
"""

from __future__ import annotations

import http.client
import random
import re
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, TypeVar, cast
from urllib.parse import urlsplit

from saeatlas._version import __version__
from saeatlas.errors import InvalidInput, SourceError
from saeatlas.progress import SILENT
from saeatlas.storage.faults import is_fault_of_disk, storage_error

__all__ = ["Client", "GaveUp", "Timing", "retry_after"]

_HOUR = 3600.0
_LONGEST_PAUSE = 60.0
_LONGEST_WAIT = 2 * _HOUR
_MOST_REFUSALS = 20
"""Answers 429 to one request before it is no use."""
_MOST_BODY = 64_000_000
_BLOCK = 1 << 16
_MAY_PASS: Final = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_BROKEN: Final = (OSError, http.client.HTTPException)
_Found = TypeVar("_Found")


class GaveUp(Exception):
    """One request failed as often as it may."""


class _Failed(Exception):
    """One try failed for a reason that may pass."""


@dataclass(frozen=True)
class Timing:
    """Time and chance, so that a test can stand in for both."""

    sleep: Callable[[float], None] = time.sleep
    """Waits some seconds."""
    clock: Callable[[], float] = time.monotonic
    """Seconds that only grow."""
    now: Callable[[], float] = time.time
    """Seconds since 1970."""
    chance: Callable[[], float] = random.random
    """A number from 0 to 1."""


@dataclass
class Client:
    """Asks servers, one request at a time."""

    tries: int = 5
    """Times that a request is made before it counts as failed."""
    timeout: float = 30.0
    """Seconds without a byte after which a connection counts as broken."""
    requests_per_hour: int = 0
    """Requests within any 60 minutes at most; 0 for no limit."""
    private: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers for the address that is asked, and for none to which it redirects."""
    absent: frozenset[int] = frozenset({404, 410})
    """Status codes that say that there is no such thing."""
    tell: Callable[[str], None] = SILENT.say
    """Gets a sentence when a wait is long."""
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        if self.tries < 1 or not self.timeout > 0 or self.requests_per_hour < 0:
            raise InvalidInput("A request needs 1 try or more, a time limit above 0, and a budget of 0 or more an hour")
        self._made: deque[float] = deque()

    def ask(self, url: str, read: Callable[[bytes], _Found]) -> _Found | None:
        """Return what `read` makes of the body, or None when the server says that there is no such thing.

        Parameters
        ----------
        read
            Reads the body; a ValueError says that the answer is broken, and the request is made again.

        Raises
        ------
        GaveUp
            When no try gave an answer that could be read.
        SourceError
            When the server refuses the key, or wants more patience than two hours.
        """

        def take(answer: http.client.HTTPResponse) -> _Found:
            body = answer.read(_MOST_BODY + 1)
            if len(body) > _MOST_BODY:
                raise _Failed(f"sent more than {_MOST_BODY} bytes")
            _check_length(answer, len(body))
            try:
                return read(body)
            except ValueError as error:
                raise _Failed(f"answered what cannot be read: {error}") from error

        return self._persist(url, take)

    def download(self, url: str, path: Path) -> bool:
        """Write the body to a file that is there whole or not at all; False when there is no such thing."""

        def take(answer: http.client.HTTPResponse) -> bool:
            part = path.with_name(f"{path.name}.part")
            length = 0
            with part.open("wb") as file:
                while block := answer.read(_BLOCK):
                    length += len(block)
                    file.write(block)
            _check_length(answer, length)
            part.replace(path)
            return True

        return self._persist(url, take) or False

    def _persist(self, url: str, take: Callable[[http.client.HTTPResponse], _Found]) -> _Found | None:
        """Try until an answer could be taken; None where there is no such thing."""
        if urlsplit(url).scheme not in {"http", "https"}:
            raise InvalidInput(f"Not a web address: '{url}'", hint="It begins with https:// or http://")
        failures = refusals = 0
        while True:
            try:
                answer = self._open(url)
                with answer:
                    wait = self._wait_asked_by(answer)
                    if wait is None:
                        return None if answer.status in self.absent else take(answer)
            except (_Failed, *_BROKEN) as error:
                if isinstance(error, OSError) and is_fault_of_disk(error):
                    raise storage_error(error, f"keep what '{url}' sends") from error
                failures += 1
                if failures == self.tries:
                    raise GaveUp(f"'{url}' failed {failures} times; the last time it {_reason(error)}") from error
                self._pause(failures)
                continue
            refusals += 1
            if refusals > _MOST_REFUSALS or wait > _LONGEST_WAIT:
                raise SourceError(
                    f"The server {urlsplit(url).netloc} refuses more requests"
                    + (f" for {wait / _HOUR:.1f} hours" if wait > _LONGEST_WAIT else ""),
                    hint="Run it again later: what has arrived is kept.",
                    kind="network-error",
                )
            self._rest(wait if wait >= 0 else self._pause_of(refusals), "the server asks for it")

    def _open(self, url: str) -> http.client.HTTPResponse:
        """Make one request and return the answer of whatever status, except where the status says all."""
        self._spend()
        headers = {"User-Agent": f"saeatlas/{__version__}", "Accept": "*/*"}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  # the scheme is checked
        for name, value in self.private.items():
            request.add_unredirected_header(name, value)
        try:
            answer = urllib.request.urlopen(request, timeout=self.timeout)  # noqa: S310
        except urllib.error.HTTPError as error:
            answer = error
        if answer.status in {401, 403} and self.private:
            answer.close()
            raise SourceError(f"The server {urlsplit(url).netloc} refuses the key", hint="Check or unset the key.")
        if answer.status in _MAY_PASS and not (answer.status == 503 and answer.headers.get("Retry-After")):
            answer.close()
            raise _Failed(f"answered with status {answer.status}")
        if answer.status not in {200, 429, 503} | self.absent:
            answer.close()
            raise SourceError(
                f"The server {urlsplit(url).netloc} answered with status {answer.status} to '{url}'",
                hint="Check the address.",
                kind="network-error",
            )
        return cast("http.client.HTTPResponse", answer)

    def _wait_asked_by(self, answer: http.client.HTTPResponse) -> float | None:
        """Return how long the server wants us to wait, below 0 where it does not say, or None where it does not."""
        if answer.status not in {429, 503}:
            return None
        sent = _seconds_of(answer.headers.get("Date", ""))
        # Both times by the server's clock, where it tells: ours may be wrong.
        asked = retry_after(answer.headers.get("Retry-After", ""), self.timing.now() if sent is None else sent)
        return -1.0 if asked is None else asked

    def _spend(self) -> None:
        """Wait until one more request is within the budget, and count it."""
        if not self.requests_per_hour:
            return
        clock = self.timing.clock
        while len(self._made) >= self.requests_per_hour:
            left = self._made[0] + _HOUR - clock()
            if left > 0:
                self._rest(left, f"{self.requests_per_hour} requests were made within an hour")
            self._made.popleft()
        self._made.append(clock())

    def _pause(self, failures: int) -> None:
        self.timing.sleep(self._pause_of(failures))

    def _pause_of(self, failures: int) -> float:
        return min(_LONGEST_PAUSE, 2.0 ** (failures - 1)) * (0.5 + 0.5 * self.timing.chance())

    def _rest(self, seconds: float, why: str) -> None:
        if seconds >= 10:
            self.tell(f"Waiting {seconds:.0f} seconds: {why}")
        self.timing.sleep(seconds)


def retry_after(text: str, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, which is a number or a date, or None if it is neither.

    Parameters
    ----------
    text
        Value of the header.
    now
        Time at which it was sent, in seconds since 1970.
    """
    if re.fullmatch(r"[0-9]{1,9}", text.strip()):
        return float(text)
    date = _seconds_of(text)
    return None if date is None else max(0.0, date - now)


def _seconds_of(date: str) -> float | None:
    """Return the seconds since 1970 of an HTTP date."""
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, OverflowError):
        return None


def _check_length(answer: http.client.HTTPResponse, received: int) -> None:
    """Refuse a body that is shorter than announced, which the library takes for its end."""
    announced = answer.headers.get("Content-Length", "")
    if announced.isdecimal() and received < int(announced):
        raise _Failed(f"broke off after {received} of {announced} bytes")


def _reason(error: Exception) -> str:
    if isinstance(error, _Failed):
        return str(error)
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return "did not answer in time"
    return f"broke the connection: {str(error) or type(error).__name__}"
