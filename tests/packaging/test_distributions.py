"""What people install holds the pages, within their sizes, and needs neither Node nor npm."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

STATIC = "saeatlas/server/static/"
PAGES = Path(__file__).parents[2] / "src" / "saeatlas" / "server" / "static"
ENTRY, MAP, OTHER = 150_000, 170_000, 60_000


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    return next(distributions.glob("*.whl"))


def test_wheel_holds_the_pages_in_at_most_a_megabyte(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        pages = [entry for entry in archive.infolist() if entry.filename.startswith(STATIC)]
    assert STATIC + "index.html" in {entry.filename for entry in pages}
    assert sum(entry.compress_size for entry in pages) <= 1_000_000


def test_wheel_requires_nothing_of_node(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert required and not [line for line in required if "node" in line]
    assert [line for line in metadata.get_all("Requires-Dist", []) if line.startswith("fastapi") and "server" in line]


def test_installed_wheel_finds_its_pages(wheel: Path, tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile"]
    environment = {**os.environ, "PATH": "/nowhere"}
    subprocess.run([*install, "--target", str(tmp_path), str(wheel)], check=True, env=environment)
    code = (
        "from importlib.resources import files\n"
        "import saeatlas, sys\n"
        "pages = files('saeatlas.server') / 'static'\n"
        "assert saeatlas.__file__.startswith(sys.argv[1])\n"
        "assert 'script' in (pages / 'index.html').read_text()\n"
    )
    run = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run(run, check=True, env={**environment, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path)


def test_source_distribution_holds_built_pages_that_are_fresh_there(distributions: Path, tmp_path: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    code = "import hatchling.build as b; print(*b.get_requires_for_build_wheel())"
    asked = subprocess.run(
        [sys.executable, "-c", code], cwd=next(tmp_path.iterdir()), check=True, capture_output=True, text=True
    )
    assert asked.stdout.split() == []


def _sizes() -> dict[str, int]:
    return {
        p.name: len(gzip.compress(p.read_bytes(), 9, mtime=0)) for p in PAGES.rglob("*") if p.suffix in {".js", ".css"}
    }


def test_what_every_page_loads_and_each_part_stay_within_their_sizes() -> None:
    manifest = json.loads((PAGES / ".vite" / "manifest.json").read_text())
    sizes = _sizes()
    entry = next(chunk for chunk in manifest.values() if chunk.get("isEntry"))
    first = _with_imports(manifest, entry)
    assert sum(sizes[name] for name in first) <= ENTRY
    drawn = [chunk for key, chunk in manifest.items() if key.startswith(("src/gl/", "src/pages/map/", "_three"))]
    cloud = set().union(*(_names(chunk) for chunk in drawn)) - first
    assert len(drawn) > 2
    assert sum(sizes[name] for name in cloud) <= MAP
    assert {name: size for name, size in sizes.items() if name not in first | cloud and size > OTHER} == {}


def _with_imports(manifest: dict[str, dict[str, list[str]]], chunk: dict[str, list[str]]) -> set[str]:
    """File names of a chunk, its styles, and all that it imports before it runs."""
    return _names(chunk).union(*(_with_imports(manifest, manifest[key]) for key in chunk.get("imports", [])))


def _names(chunk: dict[str, list[str]]) -> set[str]:
    return {Path(name).name for name in (str(chunk["file"]), *chunk.get("css", []))}
