"""What one machine or user may set, read once at the surface and passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from saeatlas.errors import InvalidInput

__all__ = ["Settings", "available_cores", "available_memory", "cache_directory"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Limits and defaults of a run."""

    jobs: int = 1
    """Worker processes at most."""
    memory_budget: int = 2_000_000_000
    """Bytes that all workers together may hold at most; plans above it are refused."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read `SAEATLAS_JOBS` and `SAEATLAS_MEMORY` (bytes)."""
        return cls(
            jobs=_whole(environment, "SAEATLAS_JOBS", min(available_cores(), 8)),
            memory_budget=_whole(environment, "SAEATLAS_MEMORY", int(available_memory() * 0.8)),
        )


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInput(f"{name} must be a whole number above 0, found: '{text}'")
    return int(text)


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where work is kept that is dear to repeat and belongs to no atlas: `SAEATLAS_CACHE`, or the user's cache.

    The user's cache is `$XDG_CACHE_HOME/saeatlas`, and `~/.cache/saeatlas` where that is not set. Nothing is made.
    """
    own = environment.get("SAEATLAS_CACHE", "")
    if own:
        return Path(own).expanduser()
    return Path(environment.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "saeatlas"


def available_cores() -> int:
    """Cores that this process may use, which a cluster may have cut down."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Bytes of memory that a new process can use, or 4 GB where the system does not say."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    # What the group uses already counts file caches that are given up when needed, so the limit is taken as it is.
    return min(_free_memory(), int(text)) if text.isdecimal() else _free_memory()


def _free_memory() -> int:
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 4_000_000_000
