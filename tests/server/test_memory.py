"""A server that answers again with as much memory takes it from what it freed, not from the system."""

from __future__ import annotations

import platform
import subprocess
import sys

PROGRAM = """
import resource, sys
import numpy as np
from saeatlas.server.memory import keep_freed_memory

kept = sys.argv[1] == "kept" and keep_freed_memory()

def answer():
    parts = [np.ones(2 << 20, np.uint8) for _ in range(8)]
    del parts

for _ in range(3):
    answer()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    answer()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _pages_taken(how: str) -> tuple[bool, int]:
    """Return whether memory is kept, and how many pages 20 answers of 16 MB took from the system."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True, text=True)
    kept, pages = done.stdout.split()
    return kept == "True", int(pages)


def test_freed_memory_is_kept_where_the_c_library_can() -> None:
    kept, pages = _pages_taken("kept")
    assert kept == (platform.libc_ver()[0] == "glibc")
    if kept:
        _, without = _pages_taken("as it is")
        assert 20 * pages < without
