"""Every command and every Python block that the documentation shows is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(console|python)[^\n]*\n(.*?)^```", re.M | re.S)
SMALL_DEMO = ["--n-tokens", "6000", "--n-features", "128", "--epochs", "4"]


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [Block(page, text[: m.start()].count("\n") + 1, m[1], m[2]) for m in BLOCK.finditer(text)]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo, made once by the very command that the pages show."""
    folder = tmp_path_factory.mktemp("docs")
    run(["saeatlas", "demo", "saeatlas-demo", *SMALL_DEMO], folder)
    return folder


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    environment.pop("SAEATLAS_ATLAS", None)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


def serve(command: str, folder: Path) -> None:
    """Start a server at a port that is free, wait until it answers, and stop it."""
    words = [*shlex.split(re.sub(r"--port \d+|--open", "", command)), "--port", "0"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(
        words, cwd=folder, env={**os.environ, "PATH": path}, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        first = server.stderr.readline()
        server.terminate()
        assert first.startswith("Serving "), first
        assert server.wait(60) == 0


def commands(block: Block) -> list[str]:
    joined = block.text.replace("\\\n", " ")
    return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_page_does_what_it_shows(page: Path, demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "user"
    shutil.copytree(demo, folder)
    for block in blocks(page):
        if block.language == "python":
            run([sys.executable, "-W", "error", "-c", block.text], folder)
            continue
        for command in commands(block):
            if command.startswith(("make ", "git ", "pip ", "python -m venv", "cd ")):
                continue  # Installation: the fresh-clone run of these is what continuous integration itself does.
            if command.startswith("saeatlas serve "):
                serve(command, folder)
                continue
            shown = f"{command} {shlex.join(SMALL_DEMO)}" if re.match(r"saeatlas demo\b", command) else command
            run(["sh", "-ec", shown], folder)


def test_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "make demo" in text
    assert "make test" in text
