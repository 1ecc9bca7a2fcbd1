"""What no in-process test can do: kill -9, a full disk, a read-only file system."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from saeatlas.format.version import create_atlas
from saeatlas.storage import LocalStore

HERE = Path(__file__).parent


def test_kill_at_any_moment_leaves_the_old_commit_or_the_new(fast_place: Path) -> None:
    """Import, compact and gc are killed at seeded changes of the file system; the next run completes."""
    place = fast_place / uuid.uuid4().hex / "atlas"
    create_atlas(LocalStore(place, create=True))
    found = subprocess.run(
        [sys.executable, "-W", "ignore", str(HERE / "killed_writer.py"), str(place), "7"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert int(found.stdout) >= 6


def test_full_disk_and_read_only_disk_leave_the_old_commit(fast_place: Path) -> None:
    place = fast_place / uuid.uuid4().hex
    place.mkdir()
    program = [sys.executable, str(HERE / "poor_disk.py"), str(place)]
    mounting = f'mount -t tmpfs -o size=8m tmpfs "{place}"'
    may_mount = (
        shutil.which("unshare")
        and not subprocess.run(["unshare", "-rm", "sh", "-c", mounting], capture_output=True, check=False).returncode
    )
    command = ["unshare", "-rm", "sh", "-c", f'{mounting} && exec "$@"', "sh", *program, "mounted"]
    found = subprocess.run(command if may_mount else [*program, "limited"], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("held\n", "")
