"""What one machine or user may set, read once at the surface and passed down."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from saeatlas.errors import InvalidInput

__all__ = ["Settings", "available_memory"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Limits and defaults of a run."""

    jobs: int = 1
    """Worker processes at most."""
    memory_budget: int = 2_000_000_000
    """Bytes that all workers together may hold at most; plans above it are refused."""
    atlas: str = ""
    """Atlas to use when none is named, or empty."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read `SAEATLAS_JOBS`, `SAEATLAS_MEMORY` (bytes) and `SAEATLAS_ATLAS`."""
        return cls(
            jobs=_whole(environment, "SAEATLAS_JOBS", min(os.cpu_count() or 1, 8)),
            memory_budget=_whole(environment, "SAEATLAS_MEMORY", int(available_memory() * 0.8)),
            atlas=environment.get("SAEATLAS_ATLAS", ""),
        )


def _whole(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInput(f"{name} must be a whole number above 0, found: '{text}'")
    return int(text)


def available_memory() -> int:
    """Bytes of memory that a new process can use, or 4 GB where the system does not say."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 4_000_000_000
