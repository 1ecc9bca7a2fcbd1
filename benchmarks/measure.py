"""Clocks, caches and memory: how the benchmarks measure."""

from __future__ import annotations

import os
import platform
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

__all__ = ["Timing", "command", "drop_cache", "interleave", "machine", "resident", "size_of"]

Timing = dict[str, float]


def interleave(contenders: Mapping[str, Callable[[int], object]], items: Sequence[int], repeats: int) -> Timing:
    """Median seconds a call of each contender, taking turns on every item so that drift hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for name, call in contenders.items():
        for item in items:
            call(item)
        seconds[name].clear()
    for _ in range(repeats):
        for item in items:
            for name, call in contenders.items():
                start = time.perf_counter()
                call(item)
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(taken)) for name, taken in seconds.items()}


def drop_cache(path: Path) -> None:
    """Ask the system to forget the cached pages of a file or of all files below a folder."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def size_of(path: Path) -> int:
    """Bytes of a file or of all files below a folder."""
    return sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file())


def command(arguments: Sequence[str | Path]) -> tuple[float, float]:
    """Run a command; return its seconds and the peak resident memory of it and its children together, in GB."""
    start = time.perf_counter()
    process = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.DEVNULL)
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, sum(map(resident, _family(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if code:
        raise SystemExit(f"exit {code}: {' '.join(map(str, arguments))}")
    return seconds, peak / 1e9


def _family(pid: int) -> list[int]:
    family, waiting = [], [pid]
    while waiting:
        member = waiting.pop()
        family.append(member)
        children = Path(f"/proc/{member}/task/{member}/children")
        try:
            waiting += map(int, children.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return family


def resident(pid: int) -> int:
    """Proportional share of memory, so that pages shared by processes count once; shared mappings included."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return 0


def machine() -> str:
    """Processor, cores, memory and Python, in one line."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = names[0] if names else platform.processor()
    return f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
